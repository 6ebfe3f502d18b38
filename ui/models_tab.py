"""The Models tab: which model to train, what it takes on this machine, and fetching it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from jobs.errors import BadInput
from jobs.workspace import Workspace
from models.catalogue.words import ADVICE, KINDS, LANGUAGES, LICENCES
from models.downloads.cached import cached_models
from models.hardware import probe
from trainer.choosing import Wanted, offers, room_of
from ui import job_panel, models_here
from ui.clicks import Click, acting_html, on_click
from ui.components import typing
from ui.drafts import read_draft, save_draft
from ui.hub_state import hub_state
from ui.job_panel import JobPanel
from ui.memory_panel import checked_plan, plan_of
from ui.models_acts import KIND, download, train_on
from ui.models_view import hub_html, offers_html
from ui.page import SKIP, Page
from ui.parts import wire_parts

TAB = "models"
NOTHING = "No download yet. Press “Download” beside a model, or enter its id above."
FITS = [("Any size", ""), ("Fits for QLoRA (4 bit)", "qlora"), ("Fits for LoRA (16 bit)", "lora")]
Go = Callable[[Workspace, str], Sequence[Any]]


@dataclass(frozen=True)
class Picker:
    """The components of the choice: filters, the line about the Hub, and the list."""

    text: Any
    fits: Any
    kind: Any
    licence: Any
    language: Any
    plan: Any
    here: Any
    hub: Any
    cards: Any
    cursor: Any

    @property
    def filters(self) -> list[Any]:
        return [self.text, self.fits, self.kind, self.licence, self.language, self.plan, self.here]

    @property
    def shown(self) -> list[Any]:
        return [self.hub, self.cards, self.cursor]


def lay_out(page: Page, go: Go) -> None:
    """Draw the tab and wire it. `go`: values of the page's tabs and of the open one's name, to open another."""
    with gr.Tabs(elem_id="models-parts", overflow_behavior="wrap") as parts:
        with gr.Tab("Choose", id="choose") as choose:
            panel = _lay_out_choice(page, go)
        with gr.Tab("On this machine", id="here") as here:
            models_here.lay_out(page, panel, go)
    wire_parts(page, TAB, parts, {"choose": choose, "here": here})


def _lay_out_choice(page: Page, go: Go) -> JobPanel:
    gr.Markdown(ADVICE, elem_id="models-advice")
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=320):
            picker = _draw_picker()
        with gr.Column(scale=4, min_width=300, elem_classes="hearth-models-side"):
            other = gr.Textbox(
                "", label="Any other model", info="An id of the Hub, a folder on this machine, or job:ID.",
                placeholder="owner/name", max_lines=1, elem_id="other-model",
            )  # fmt: skip
            with gr.Row(elem_classes="hearth-buttons"):
                train = gr.Button("Train this model", size="sm", elem_id="train-other")
                fetch = gr.Button("Download", size="sm", elem_id="download-other")
            error = gr.HTML(visible=False)
            panel = job_panel.lay_out(TAB, KIND, NOTHING)
            job_panel.lay_out_details(panel)
    _wire_picker(page, picker, error)

    def train_other(workspace: Workspace, text: str) -> list[Any]:
        train_on(page.settings, workspace, _named(text))
        return list(go(workspace, "training"))

    def act(workspace: Workspace, click: Click) -> list[Any]:
        return _act(page, workspace, click, panel, go)

    outputs = [page.tabs, page.opened, *panel.outputs, *picker.filters, *picker.shown]
    acted = [
        on_click(page, picker.cards, act, [], outputs, error),
        page.on(train.click, train_other, [other], [page.tabs, page.opened], error),
    ]
    on_click(page, picker.hub, act, [], outputs, error)
    page.openings.extend(acted)
    page.on(fetch.click, lambda w, text: download(page.settings, w, panel, text), [other], panel.outputs, error)
    job_panel.wire(page, panel, lambda *_: [], [])
    return panel


def _draw_picker() -> Picker:
    with gr.Group(elem_classes="hearth-form"):
        with gr.Row(equal_height=False):
            text = gr.Textbox(
                "", label="Search", info="Words of a name, such as qwen3 8b.", max_lines=1, min_width=200, scale=2,
                elem_id="model-search",
            )  # fmt: skip
            fits = _dropdown("Memory", "What training takes, held against the card.", FITS, "model-fits")
            plan = gr.Number(
                None, label="Plan for a card (GB)", info="Empty: this machine.", placeholder="this machine", step=1,
                min_width=160, elem_id="model-plan",
            )  # fmt: skip
        with gr.Row(equal_height=False):
            kinds = [("Any kind", ""), *((name, kind) for kind, (name, _) in KINDS.items())]
            kind = _dropdown("Kind", "Instruct answers; base continues text.", kinds, "model-kind")
            licences = [("Any licence", ""), *((name, licence) for licence, (name, _) in LICENCES.items())]
            licence = _dropdown("Licence", "What you may do with what you train.", licences, "model-licence")
            named = sorted((name, code) for code, name in LANGUAGES.items())
            languages = [("Any language", ""), *named]
            language = _dropdown("Language", "One that its card names.", languages, "model-language")
        here = gr.Checkbox(False, label="Only models on this machine", elem_id="model-here")
    hub = acting_html("", elem_id="models-hub")
    cards = acting_html("", elem_id="model-cards")
    return Picker(text, fits, kind, licence, language, plan, here, hub, cards, gr.Textbox(visible=False))


def _dropdown(label: str, info: str, choices: list[tuple[str, str]], name: str) -> Any:
    return gr.Dropdown(choices, value="", label=label, info=info, filterable=False, min_width=160, elem_id=name)


def _wire_picker(page: Page, picker: Picker, error: Any) -> None:
    def changed(workspace: Workspace, *values: Any) -> list[Any]:
        text, fits, kind, licence, language, plan, here = values
        wanted = {"text": text or "", "fits": fits, "kind": kind, "licence": licence, "language": language}
        Wanted(**wanted)
        save_draft(workspace, TAB, wanted={**wanted, "here": bool(here)}, plan=checked_plan(plan), all=None)
        return show(workspace)

    page.load(lambda workspace: [*filters_of(workspace), *show(workspace)], [*picker.filters, *picker.shown])
    page.poll(TAB, show, [picker.cursor], picker.shown)
    triggers = [event for each in picker.filters for event in typing(each)]
    page.on(triggers, changed, picker.filters, picker.shown, error, quiet=True)


def wanted_of(workspace: Workspace) -> Wanted:
    """What stands in the filters; nothing where they were kept by another version."""
    try:
        return Wanted(**read_draft(workspace, TAB).get("wanted", {}))
    except (TypeError, BadInput):
        return Wanted()


def filters_of(workspace: Workspace) -> list[Any]:
    """What the filters show."""
    wanted = wanted_of(workspace)
    chosen = [wanted.text, wanted.fits, wanted.kind, wanted.licence, wanted.language]
    return [*chosen, plan_of(workspace, TAB), wanted.here]


def show(workspace: Workspace, known: str = "") -> list[Any]:
    """Values of the line about the Hub, the list and the cursor; skipped when nothing changed since `known`."""
    draft, wanted, state = read_draft(workspace, TAB), wanted_of(workspace), hub_state()
    here = [each.hub_id for each in cached_models() if each.complete]
    now = repr((wanted, draft.get("plan"), draft.get("all"), state, here))
    if now == known:
        return [SKIP, SKIP, SKIP]
    room = room_of(probe(workspace.root), plan_of(workspace, TAB))
    found = offers(wanted, room)
    return [hub_html(state, len(here)), offers_html(found, room, everything=bool(draft.get("all"))), now]


def _act(page: Page, workspace: Workspace, click: Click, panel: JobPanel, go: Go) -> list[Any]:
    """What a button in the list does: values of tabs, open tab, the job's panel, the filters and the list."""
    tabs, job, filters = [SKIP, SKIP], [SKIP for _ in panel.outputs], [SKIP for _ in filters_of(workspace)]
    match click.action:
        case "train":
            train_on(page.settings, workspace, click.about)
            tabs = list(go(workspace, "training"))
        case "download":
            job = download(page.settings, workspace, panel, click.about)
        case "more":
            save_draft(workspace, TAB, all=True)
        case "here":
            save_draft(workspace, TAB, wanted={"here": True})
            filters = filters_of(workspace)
        case "search":
            save_draft(workspace, TAB, wanted={"text": click.about})
            filters = filters_of(workspace)
    return [*tabs, *job, *filters, *show(workspace)]


def _named(text: str) -> str:
    if not text.strip():
        raise BadInput("No model is named.", "The field is empty.", "Enter an id of the Hub, a folder, or job:ID.")
    return text.strip()
