"""The Check step of the Datasets tab: a job that reads all rows, the cards of what it found, and choosing a remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import gradio as gr

from datasets_src.checks import Remedy
from datasets_src.collect import remedies_of
from datasets_src.spec import DatasetSpec
from jobs.directory import JobDirectory, Status
from jobs.errors import BadInput
from jobs.files import read_json
from jobs.workspace import Workspace
from ui import job_panel
from ui.clicks import Click, acting_html, on_click
from ui.dataset_draft import TAB, enter, spec_on_screen
from ui.form import Form
from ui.health import REMEDY, SHOW, SKIP_BAD, health_html
from ui.page import SKIP, Page

# Options whose change leaves what was found as it was: the cards show them themselves, or they matter to the build.
NOT_CHECKED = ("name", "remedies", "on_bad_rows", "eval_fraction", "seed", "balance", "shares")
# Remedies that are chosen on two cards at once must both be kept.
_CHOOSING = Lock()


@dataclass(frozen=True)
class See:
    """How the rows of a check are shown: values of `outputs` for the check's name and the job whose rows they are."""

    show: Callable[[Workspace, JobDirectory, str], Sequence[Any]]
    outputs: Sequence[Any]


@dataclass(frozen=True)
class Cards:
    """The cards of the report that a job of `panel` left at `path`, and what was shown on them last."""

    panel: job_panel.JobPanel
    path: str
    html: Any
    cursor: Any

    @property
    def outputs(self) -> list[Any]:
        return [self.html, self.cursor]

    def show(self, workspace: Workspace, form: Form, known: str = "") -> list[Any]:
        """Values of `outputs`; skipped when they are as `known`."""
        job = self.panel.shown_job(workspace)
        if job is None or not job.manifest:
            return [SKIP, SKIP] if known == "nothing" else ["", "nothing"]
        spec = spec_on_screen(workspace, form)
        changed, remedies = changed_since(job, spec), chosen_remedies(spec)
        now = repr((job.id, changed, sorted(remedies.items())))
        if now == known:
            return [SKIP, SKIP]
        report = read_json(job.path / self.path)
        return ["" if report is None else health_html(report, remedies or remedies_in(report), changed), now]


def lay_out_cards(panel: job_panel.JobPanel, path: str, place: str) -> Cards:
    """Draw them here, empty."""
    return Cards(panel, path, acting_html(elem_id=place), gr.Textbox(visible=False))


def lay_out() -> Cards:
    """Draw the step here."""
    nothing = "Nothing is checked yet. “Check rows” reads every row and says what could spoil the training."
    panel = job_panel.lay_out(TAB, "data.check", nothing, name="check")
    cards = lay_out_cards(panel, "rows/report.json", "health")
    job_panel.lay_out_details(panel)
    return cards


def wire(page: Page, checked: Cards) -> None:
    """Keep the job panel up to date."""
    job_panel.wire(page, checked.panel, _nothing_more, [])


def _nothing_more(_workspace: Workspace, _job: JobDirectory, _status: Status) -> Sequence[Any]:
    return []


def wire_cards(page: Page, form: Form, all_cards: Sequence[Cards], see: See, error: gr.HTML) -> None:
    """Keep cards up to date and have their buttons act: remedies go into the form, rows are shown as `see` says."""
    shown = [output for cards in all_cards for output in cards.outputs]

    def act(cards: Cards, workspace: Workspace, click: Click) -> list[Any]:
        job = cards.panel.shown_job(workspace)
        if click.action == SHOW and job is not None:
            return [*[SKIP for _ in [*form.inputs, form.yaml, *shown]], *see.show(workspace, job, click.about)]
        with _CHOOSING:
            if click.action == SKIP_BAD:
                leave_out_unusable(workspace, form)
            elif click.action == REMEDY:
                name, _, remedy = click.about.partition("=")
                choose_remedy(workspace, form, name, remedy)
        drawn = [value for each in all_cards for value in each.show(workspace, form)]
        return [*form.initial(workspace), *drawn, *[SKIP for _ in see.outputs]]

    for cards in all_cards:
        on_click(page, cards.html, partial(act, cards), [], [*form.inputs, form.yaml, *shown, *see.outputs], error)
        page.poll(TAB, _poll(cards, form), [cards.cursor], cards.outputs)


def _poll(cards: Cards, form: Form) -> Callable[[Workspace, str], list[Any]]:
    return lambda workspace, known: cards.show(workspace, form, known or "")


def chosen_remedies(spec: DatasetSpec | None) -> Mapping[str, Remedy]:
    """The remedy that is chosen now for every check; empty while the form can't be read."""
    try:
        return remedies_of(spec) if spec else {}
    except BadInput:
        return {}


def remedies_in(report: dict[str, Any]) -> dict[str, Remedy]:
    """The remedies that a report was made with."""
    return {each["name"]: each["remedy"] for each in report["checks"]}


def changed_since(job: JobDirectory, spec: DatasetSpec | None) -> str:
    """What is otherwise on screen than in the check's spec, as a sentence; "" for nothing."""
    if spec is None:
        return ""
    then, now = DatasetSpec.parse(job.header["spec"]).model_dump(), spec.model_dump()
    changed = [name for name in now if name not in NOT_CHECKED and now[name] != then[name]]
    if not changed:
        return ""
    if "sources" in changed:
        read = ", ".join(str(each["path"] or "pasted rows") for each in then["sources"])
        return f"This was read from other sources than those on screen: {read}."
    return "Edits by hand were changed since then." if changed == ["edits"] else "Options were changed since then."


def choose_remedy(workspace: Workspace, form: Form, name: str, remedy: str) -> None:
    """Write a remedy into the form; the check's own default needs no word."""
    spec = spec_on_screen(workspace, form)
    if spec is None:
        raise BadInput(
            "The form can't be read.",
            form.as_yaml(workspace, form.initial(workspace)[:-1]),
            "Mend these options first.",
        )
    others = {check: chosen for check, chosen in spec.remedies.items() if check != name}
    default = remedies_of(spec.model_copy(update={"remedies": {}}))[name]
    enter(workspace, form, remedies=others if remedy == default else {**others, name: remedy})


def leave_out_unusable(workspace: Workspace, form: Form) -> None:
    """Have every row that can't be used left out, whichever check finds it."""
    spec = spec_on_screen(workspace, form)
    remedies = {check: chosen for check, chosen in (spec.remedies if spec else {}).items() if chosen != "stop"}
    enter(workspace, form, remedies=remedies, on_bad_rows="skip")
