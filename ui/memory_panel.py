"""The Training tab's memory: what the run on screen will take of which card, and the button that makes it fit."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from jobs.errors import BadInput, UserError
from jobs.workspace import Workspace
from models.hardware import Hardware, probe, with_card
from models.shape import ModelShape
from trainer.memory.estimate import estimate
from trainer.memory.fit import fit
from trainer.memory.limits import free_for_run
from trainer.memory.rows import counted_rows
from trainer.memory.setting import Setting, setting_for
from trainer.memory.shape import shape_of
from trainer.pace import expected_time
from trainer.spec import TrainSpec
from ui.choices import dataset_of
from ui.drafts import read_draft, save_draft
from ui.fields import Raw, raw_given
from ui.form import Follower, Form, enter_quietly
from ui.layers import FITTED
from ui.memory_view import Outlook, Room, larger_batch, memory_html
from ui.page import SKIP, Page, Settings
from ui.paths import check_model
from ui.words import duration

SMALLEST_GB, LARGEST_GB = 0.5, 1000.0
# Both are asked with every keystroke; a download that ends meanwhile shows after that long.
FRESH_SECONDS = 5
NEVER_TRAINED = "How long it takes shows after its first steps: no earlier run on this machine tells it."
UNKNOWN = "Memory: unknown until the model's files are here. The run fetches them, and looks again before it starts."


@dataclass(frozen=True)
class MemoryPanel:
    """The components. `plan` holds the GB of the card that is planned for; empty for this machine."""

    bar: Any
    plan: Any
    fit: Any


@dataclass(frozen=True)
class Sizes:
    """What an estimate is made from, and what it is held against. `spec` is as long as the rows are, as `rows` says."""

    shape: ModelShape
    spec: TrainSpec
    setting: Setting
    room: Room
    rows: str


def lay_out() -> MemoryPanel:
    """Draw it here."""
    bar = gr.HTML("", elem_id="memory")
    with gr.Row(equal_height=False, elem_classes="hearth-plan"):
        plan = gr.Number(
            None,
            label="Plan for a card of … GB",
            info="Empty: this machine.",
            placeholder="this machine",
            step=1,
            elem_id="memory-plan",
            min_width=180,
        )
        fit_button = gr.Button("Make it fit", size="sm", elem_id="make-it-fit", min_width=120, scale=0)
    return MemoryPanel(bar, plan, fit_button)


def follow(page: Page, form: Form, panel: MemoryPanel) -> None:
    """Have the bar move with every value of the form."""
    form.followers.append(Follower(panel.bar, lambda workspace, raw: shown(page.settings, workspace, form, raw)))


def wire(page: Page, form: Form, panel: MemoryPanel, error: gr.HTML) -> None:
    """Have the bar follow the card that is planned for and what ended runs tell, and the button change the form."""
    known = gr.Textbox(visible=False)

    def planned(workspace: Workspace, plan: float | None, *values: Any) -> list[Any]:
        save_draft(workspace, form.tab, plan=checked_plan(plan))
        return [shown(page.settings, workspace, form, form.raw(values))]

    def make_fit(workspace: Workspace, *values: Any) -> list[Any]:
        return fitted(page.settings, workspace, form, values)

    def renew(workspace: Workspace, before: str) -> list[Any]:
        now = last_ended(workspace)
        return [SKIP, SKIP] if now == before else [shown(page.settings, workspace, form, form.shows(workspace)), now]

    page.load(lambda workspace: [plan_of(workspace, form.tab), last_ended(workspace)], [panel.plan, known])
    page.poll(form.tab, renew, [known], [panel.bar, known])
    page.on(panel.plan.input, planned, [panel.plan, *form.inputs], [panel.bar], error, quiet=True)
    page.on(panel.fit.click, make_fit, form.typed, form.outputs, error)


def shown(settings: Settings, workspace: Workspace, form: Form, raw: Raw) -> str:
    """The bar for the form's raw values."""
    return memory_html(outlook(settings, workspace, form, raw))


def last_ended(workspace: Workspace) -> str:
    """The newest training that is over: by it time and memory are judged from then on."""
    return next((job.id for job in workspace.list_jobs("train") if not job.status().state.active), "")


def plan_of(workspace: Workspace, tab: str) -> float | None:
    """The GB of the card that is planned for; None for this machine."""
    plan = read_draft(workspace, tab).get("plan")
    return float(plan) if plan else None


def checked_plan(gigabytes: float | None) -> float | None:
    """The GB of a card, None for this machine. Raises BadInput for what is no size of a card."""
    if gigabytes is None or SMALLEST_GB <= gigabytes <= LARGEST_GB:
        return gigabytes
    raise BadInput(
        f"A card of {gigabytes:g} GB can't be planned for.",
        f"Cards have from {SMALLEST_GB:g} to {LARGEST_GB:g} GB.",
        "Enter another number, or none to plan for this machine.",
    )


def outlook(settings: Settings, workspace: Workspace, form: Form, raw: Raw) -> Outlook:
    """What is known of the memory that the form's values need."""
    try:
        sizes = sizes_of(settings, workspace, form, raw)
    except UserError as problem:
        return Outlook(problem=f"Memory: {problem.what}")
    if sizes is None:
        return Outlook(problem=UNKNOWN)
    draft, origins = read_draft(workspace, form.tab), form.origins(workspace)
    gave_up = [words for path, words in draft.get("gave_up", {}).items() if origins.get(path) == FITTED]
    told = draft.get("told", {})
    lines = told.get("lines", []) if told.get("about") == _stamp(workspace, form, raw) else []
    estimated = estimate(sizes.shape, sizes.spec, sizes.setting)
    how_long = "" if plan_of(workspace, form.tab) else time_words(sizes.spec, workspace)
    return Outlook(estimated, sizes.room, time=how_long, rows=sizes.rows, gave_up=gave_up, told=lines)


def time_words(spec: TrainSpec, workspace: Workspace) -> str:
    """How long the run should take on this machine, and by what that is judged; nothing without a dataset."""
    if dataset_of(workspace, spec.data) is None:
        return ""
    expected = expected_time(spec, workspace, _hardware(workspace.root, _now()).device)
    if expected is None:
        return NEVER_TRAINED
    return f"It should take about {duration(expected.seconds)}, at the speed of “{expected.earlier}” on this machine."


def sizes_of(settings: Settings, workspace: Workspace, form: Form, raw: Raw) -> Sizes | None:
    """What the estimate needs; None while the model's shape isn't known. Raises UserError for what can't be run."""
    values = form.values(workspace, [raw[path] for path in form.components])
    spec = TrainSpec.parse({"data": "any", **values}, "The form")
    check_model(settings, workspace, spec.model)
    shape = _shape(spec.model, workspace.root, _now())
    if shape is None:
        return None
    plan = plan_of(workspace, form.tab)
    hardware = _hardware(workspace.root, _now())
    if plan is not None:
        hardware = with_card(hardware, plan)
    limit = spec.safety.memory_limit_gb
    room = Room(free_for_run(hardware, limit), _where(hardware, plan, limit))
    rows = counted_rows(spec, workspace)
    return Sizes(shape, rows.spec, setting_for(spec, hardware), room, rows.words)


def _where(hardware: Hardware, plan: float | None, limit: float | None) -> str:
    capped = "" if limit is None else ", as the memory limit says"
    if plan is not None:
        return f"that a run can have on {hardware.gpus[0].name}{capped}"
    where = f"on the {hardware.gpus[0].name}" if hardware.gpus else "in this machine's memory (no GPU here)"
    return f"free {where}{capped}"


def fitted(settings: Settings, workspace: Workspace, form: Form, values: Sequence[Any]) -> list[Any]:
    """Make the form fit: values of its outputs, those that don't change skipped. Raises UserError."""
    form.keep(workspace, values)
    raw = form.raw(values[: len(form.components)])
    sizes = sizes_of(settings, workspace, form, raw)
    if sizes is None:
        raise BadInput(
            "It isn't known yet what this model takes.",
            "Its files aren't here, and it is none of the well-known ones.",
            "Start the run, which fetches them; or name a model that is here.",
        )
    found = fit(sizes.shape, sizes.spec, sizes.setting, sizes.room.bytes)
    given: Raw = {}
    if found.changes and found.fits:
        given = raw_given(form.shown, found.values)
        enter_quietly(workspace, form.tab, given, FITTED)
        lines = ["It fits now."]
        save_draft(workspace, form.tab, gave_up={each.option: each.words for each in found.changes})
    elif not found.fits:
        lines = [f"Nothing was changed. {found.help}"]
    else:
        roomy = fit(sizes.shape, sizes.spec, sizes.setting, sizes.room.bytes, use_room=True)
        lines = [*found.words, *filter(None, [larger_batch(sizes.spec, roomy.spec)])]
    after = {**raw, **given}
    save_draft(workspace, form.tab, told={"about": _stamp(workspace, form, after), "lines": lines})
    values_now = [after[path] for path in form.components]
    updates = [given.get(path, SKIP) for path in form.components]
    return [*updates, *form.show_below(workspace, values_now)]


def _stamp(workspace: Workspace, form: Form, raw: Raw) -> str:
    """Changes with anything that an estimate depends on."""
    said = json.dumps([plan_of(workspace, form.tab), raw], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _now() -> int:
    return int(time.monotonic() // FRESH_SECONDS)


@lru_cache(maxsize=8)
def _hardware(root: Path, _moment: int) -> Hardware:
    return probe(root)


@lru_cache(maxsize=64)
def _shape(model: str, root: Path, _moment: int) -> ModelShape | None:
    return shape_of(model, Workspace(root))
