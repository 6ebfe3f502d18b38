"""Which models a chat holds and how each is asked: what can be chosen, what was chosen, and the fields for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from evaluation.chat_spec import MOST_MODELS, Sampling
from jobs.directory import State
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from models.reference import ModelRef
from ui.choices import Option, trained_options
from ui.conversation import DRAFT
from ui.drafts import read_draft, save_draft
from ui.page import Settings
from ui.paths import check_model

FIELDS = ("system", "temperature", "top_p", "max_new_tokens", "seed")
DEFAULTS: dict[str, Any] = {"system": "", **Sampling(max_new_tokens=200).model_dump()}


def model_options(workspace: Workspace) -> list[Option]:
    """What can be chosen: trainings with their bases, exported GGUF files, the embedded model."""
    found: dict[str, str] = {}
    for label, known in trained_options(workspace):
        found.setdefault(f"job:{known}", f"{label}")
        base = str(workspace.job(known).header["spec"]["model"])
        found.setdefault(base, f"{base} (what a training began with)")
    for job in workspace.list_jobs("export"):
        if job.status().state is State.SUCCEEDED:
            for path in sorted(job.path.glob("*.gguf")):
                found.setdefault(str(path), f"{path.name} · {job.header['title']}")
    found.setdefault("embedded", "embedded (the small model that comes with Hearth)")
    return [(label, ref) for ref, label in found.items()]


def chosen_models(workspace: Workspace) -> list[str]:
    """The models chosen by hand, else the newest training's base and its result. Raises Missing without any."""
    chosen = read_draft(workspace, DRAFT).get("models")
    if chosen:
        return [str(each) for each in chosen]
    trained = trained_options(workspace)
    if not trained:
        raise Missing(
            "There is no trained model yet.",
            "The chat compares one with its base.",
            "Train one on the Training tab, or choose models above.",
        )
    newest = trained[0][1]
    return [str(workspace.job(newest).header["spec"]["model"]), f"job:{newest}"]


def newest_pair(workspace: Workspace) -> str:
    """Changes with the models that a chat compares by itself; empty where others were chosen by hand."""
    return "" if read_draft(workspace, DRAFT).get("models") else " ".join(models_or_none(workspace))


def models_or_none(workspace: Workspace) -> list[str]:
    try:
        return chosen_models(workspace)
    except Missing:
        return []


def check_models(settings: Settings, workspace: Workspace, models: Sequence[str]) -> None:
    """Raises BadInput for too many models, or one that this page's visitors may not name."""
    if len(models) > MOST_MODELS:
        raise BadInput(f"{len(models)} models are chosen.", f"{MOST_MODELS} answer at once.", "Take one out.")
    for model in models:
        check_model(settings, workspace, model)


def names_of(workspace: Workspace) -> dict[str, str]:
    """What people call each model, by its reference."""
    known = {ref: label.split(" · ")[0].split(" (")[0] for label, ref in model_options(workspace)}
    titles = list(known.values())
    return {
        ref: f"{name} ({ref[-4:]})" if titles.count(name) > 1 and ref.startswith("job:") else name
        for ref, name in known.items()
    }


def short_name(workspace: Workspace, model: str) -> str:
    """The name of one model, however it was given."""
    known = names_of(workspace).get(model)
    if known is not None:
        return known
    try:
        ref = ModelRef.parse(model)
    except BadInput:
        return model
    return ref.short if ref.asked else model.rsplit("/", 1)[-1]


def settings_of(workspace: Workspace) -> list[dict[str, Any]]:
    """How each model is asked, in their order."""
    kept = read_draft(workspace, DRAFT).get("settings", [])
    return [{**DEFAULTS, **(kept[place] if place < len(kept) else {})} for place in range(MOST_MODELS)]


@dataclass(frozen=True)
class SettingsFields:
    """A row of fields for each model; `rows` are the rows, hidden for models that aren't there."""

    rows: list[Any]
    names: list[Any]
    fields: list[Any]

    @property
    def outputs(self) -> list[Any]:
        return [*self.rows, *self.names, *self.fields]


def lay_out_settings() -> SettingsFields:
    """Draw the fields here."""
    rows, names, fields = [], [], []
    for _ in range(MOST_MODELS):
        with gr.Column(visible=False) as row:
            names.append(gr.HTML(""))
            with gr.Row(equal_height=False):
                system = gr.Textbox(
                    label="System prompt", info="Said to the model before all else.", lines=1, scale=3, min_width=220
                )
                numbers = [
                    gr.Number(
                        label=str(Sampling.model_fields[name].title),
                        value=DEFAULTS[name],
                        step=0.1 if name in ("temperature", "top_p") else 1,
                        min_width=110,
                    )
                    for name in FIELDS[1:]
                ]
        rows.append(row)
        fields += [system, *numbers]
    return SettingsFields(rows, names, fields)


def show_settings(workspace: Workspace, blind: bool) -> list[Any]:
    """Values of the fields' outputs; one row for all where the chat is blind."""
    models, kept = models_or_none(workspace), settings_of(workspace)
    shown = min(1, len(models)) if blind else len(models)
    rows = [gr.Column(visible=place < shown) for place in range(MOST_MODELS)]
    titles = ["All models alike" if blind else short_name(workspace, model) for model in models]
    names = [f"<b>{title}</b>" for title in [*titles, *[""] * MOST_MODELS][:MOST_MODELS]]
    values = [kept[place][name] for place in range(MOST_MODELS) for name in FIELDS]
    return [*rows, *names, *values]


def keep_settings(workspace: Workspace, values: Sequence[Any]) -> None:
    """Keep what stands in the fields. Raises BadInput for what no model can be asked with."""
    settings = []
    for place in range(MOST_MODELS):
        own = dict(zip(FIELDS, values[place * len(FIELDS) : (place + 1) * len(FIELDS)], strict=True))
        entered = {name: value for name, value in own.items() if value not in (None, "")}
        sampling = Sampling.parse({name: _whole(value) for name, value in entered.items() if name != "system"})
        settings.append({"system": str(own["system"] or "").strip(), **sampling.model_dump()})
    save_draft(workspace, DRAFT, settings=settings)


def _whole(value: Any) -> Any:
    """A number field gives 200.0 for 200."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
