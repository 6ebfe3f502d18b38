"""All training runs: search, pick, lay curves over one another, tag and note, start again, delete and bring back.

What is picked and searched is kept on disk, as everything that is entered, so that a refresh loses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from jobs import bin as job_bin
from jobs.annotations import annotate, annotations_of, search, split_tags
from jobs.compare import clone
from jobs.directory import JobDirectory
from jobs.errors import BadInput
from jobs.workspace import Workspace
from ui import runs_compare
from ui.clicks import Click, acting_html, on_click
from ui.drafts import read_draft, save_draft
from ui.page import SKIP, Page
from ui.runs_compare import MOST_RUNS, SideBySide
from ui.runs_view import RUNS_SHOWN, bin_html, question_html, run_of, runs_html

KIND = "train"
DRAFT = "runs"
REDRAW_SECONDS = 10.0
SHOWN, AWAY = ["hearth-editor"], ["hearth-editor", "hearth-away"]
Take = Callable[[Workspace, dict[str, Any]], None]


@dataclass(frozen=True)
class RunsPanel:
    """The components. `cursor` tells which table is shown, `about` which run the editor shows."""

    tab: str
    find: Any
    table: Any
    cursor: Any
    column: Any
    compared: SideBySide
    editor: Any
    tags: Any
    note: Any
    save: Any
    again: Any
    about: Any
    delete: Any
    question: Any
    asked: Any
    sure: Any
    confirm: Any
    cancel: Any
    bin: Any
    empty: Any
    empty_question: Any
    empty_sure: Any
    empty_confirm: Any
    empty_cancel: Any
    said: Any
    error: Any

    @property
    def listed(self) -> list[Any]:
        return [self.table, self.bin, self.empty, self.cursor]

    @property
    def picked(self) -> list[Any]:
        return [
            *self.compared.outputs, self.column, self.editor, self.tags, self.note, self.again,
            self.about, self.question, self.sure,
        ]  # fmt: skip

    @property
    def outputs(self) -> list[Any]:
        return [*self.listed, *self.picked]


def lay_out(page: Page, tab: str, take: Take) -> RunsPanel:
    """Draw the panel here and wire it. `take` enters a run's spec into the tab's form."""
    with gr.Accordion("All runs", open=True, elem_id="runs"):
        find = gr.Textbox(
            label="Search",
            info="Words in the title, dataset, model, state, tags or note.",
            placeholder="snake succeeded",
            elem_id="runs-search",
        )
        table = acting_html(elem_id="runs-table")
        said, error = gr.HTML(visible=False), gr.HTML(visible=False)
        panel = _lay_out_rest(tab, find, table, said, error)
    wire(page, panel, take)
    return panel


def _lay_out_rest(tab: str, find: Any, table: Any, said: Any, error: Any) -> RunsPanel:
    """What belongs to the picked runs, and the bin."""
    # Out of sight rather than out of the page when nothing is picked, as the charts in it.
    with gr.Column(elem_classes=AWAY) as column:
        compared = runs_compare.lay_out()
        with gr.Column(visible=False) as editor:
            with gr.Row(equal_height=False):
                tags = gr.Textbox(label="Tags", info="With commas between them.", min_width=220, elem_id="runs-tags")
                note = gr.Textbox(label="Note", lines=1, max_lines=6, min_width=220, scale=2, elem_id="runs-note")
            with gr.Row(elem_classes="hearth-buttons"):
                save = gr.Button("Save tags and note", size="sm", elem_id="runs-save")
                again = gr.Button("Load its options into the form", size="sm", elem_id="runs-clone")
        with gr.Row(elem_classes="hearth-buttons"):
            delete = gr.Button("Delete…", size="sm", elem_id="runs-delete")
        question, sure, confirm, cancel = _lay_out_question("Yes, move to the bin", "runs-confirm")
    with gr.Accordion("Bin", open=False):
        held = acting_html(elem_id="runs-bin")
        with gr.Row(elem_classes="hearth-buttons"):
            empty = gr.Button("Empty the bin…", size="sm", visible=False, elem_id="runs-empty")
        asking, empty_sure, empty_confirm, empty_cancel = _lay_out_question("Yes, delete for good", "runs-empty-yes")
    cursor, about = gr.Textbox(visible=False), gr.Textbox(visible=False)
    return RunsPanel(
        tab, find, table, cursor, column, compared, editor, tags, note, save, again, about, delete,
        question, gr.Textbox(visible=False), sure, confirm, cancel, held, empty, asking, empty_sure, empty_confirm,
        empty_cancel, said, error,
    )  # fmt: skip


def _lay_out_question(yes: str, elem_id: str) -> tuple[Any, Any, Any, Any]:
    question = gr.HTML("")
    with gr.Row(visible=False, elem_classes="hearth-buttons") as sure:
        confirm = gr.Button(yes, size="sm", variant="primary", elem_id=elem_id)
        cancel = gr.Button("No", size="sm")
    return question, sure, confirm, cancel


def wire(page: Page, panel: RunsPanel, take: Take) -> None:
    """Connect table, search, what belongs to picked runs, and the bin."""
    error = panel.error

    def pick(workspace: Workspace, told: dict[str, Any] | None, known: str) -> list[Any]:
        toggle(workspace, str((told or {}).get("about", "")))
        return [*show_list(workspace), *show_picked(workspace, "", known)]

    def find(workspace: Workspace, text: str) -> list[Any]:
        save_draft(workspace, DRAFT, search=text or None)
        return show_list(workspace)

    def look_at(workspace: Workspace, which: str, known: str) -> list[Any]:
        save_draft(workspace, DRAFT, which=which)
        return runs_compare.show(picked_runs(workspace), which, known or "")

    def restore(workspace: Workspace, click: Click) -> list[Any]:
        job_bin.restore(workspace, click.about)
        return show(workspace)

    # Quiet, since a click that is not would be lost while the one before is still being answered.
    page.on(panel.table.click, pick, [panel.compared.cursor], panel.outputs, error, quiet=True, told=True)
    page.on([panel.find.input, panel.find.submit], find, [panel.find], panel.listed, error, quiet=True)
    which = [panel.compared.which, panel.compared.cursor]
    page.on(panel.compared.which.input, look_at, which, panel.compared.outputs, error, quiet=True)
    on_click(page, panel.bin, restore, [], panel.outputs, error)
    page.load(lambda workspace: [*show(workspace), search_text(workspace)], [*panel.outputs, panel.find])
    page.poll(panel.tab, show_list, [panel.cursor], panel.listed)
    page.poll(panel.tab, show_picked, [panel.about, panel.compared.cursor], panel.picked)
    _wire_editor(page, panel, take)
    _wire_deleting(page, panel)
    _wire_emptying(page, panel)


def _wire_editor(page: Page, panel: RunsPanel, take: Take) -> None:
    def save(workspace: Workspace, tags: str, note: str) -> list[Any]:
        annotate(only_run(workspace), tags=split_tags(tags), note=note)
        return [*show(workspace), gr.update(value='<p class="good">Saved.</p>', visible=True)]

    def again(workspace: Workspace) -> list[Any]:
        copied = clone(only_run(workspace))
        take(workspace, copied.spec)
        words = f'<p class="good">The form shows the options of “{escape(copied.title)}”.</p>'
        return [gr.update(value=words, visible=True)]

    page.on(panel.save.click, save, [panel.tags, panel.note], [*panel.outputs, panel.said], panel.error)
    page.on(panel.again.click, again, [], [panel.said], panel.error)


def _wire_deleting(page: Page, panel: RunsPanel) -> None:
    """Ask first, once; the runs are those that were asked about, whatever is picked meanwhile."""

    def ask(workspace: Workspace) -> list[Any]:
        jobs = picked_runs(workspace)
        asked = [job.id for job in jobs]
        return [deletion_question(workspace, jobs), gr.update(visible=True), " ".join(asked)]

    def delete(workspace: Workspace, asked: str) -> list[Any]:
        for job in [job for job in workspace.list_jobs(KIND) if job.id in asked.split()]:
            job_bin.delete(workspace, job)
        return show(workspace)

    asking = [panel.question, panel.sure]
    page.on(panel.delete.click, ask, [], [*asking, panel.asked], panel.error)
    page.on(panel.confirm.click, delete, [panel.asked], panel.outputs, panel.error)
    page.on(panel.cancel.click, lambda _: ["", gr.update(visible=False)], [], asking, panel.error)


def _wire_emptying(page: Page, panel: RunsPanel) -> None:
    def ask(workspace: Workspace) -> list[Any]:
        held = job_bin.in_bin(workspace)
        words = f"Delete {len(held)} runs for good? They can’t be restored then."
        return [f'<div class="warning"><p>{words}</p></div>', gr.update(visible=True)]

    def empty(workspace: Workspace) -> list[Any]:
        job_bin.empty(workspace)
        return [*show_list(workspace), "", gr.update(visible=False)]

    asking = [panel.empty_question, panel.empty_sure]
    page.on(panel.empty.click, ask, [], asking, panel.error)
    page.on(panel.empty_confirm.click, empty, [], [*panel.listed, *asking], panel.error)
    page.on(panel.empty_cancel.click, lambda _: ["", gr.update(visible=False)], [], asking, panel.error)


def deletion_question(workspace: Workspace, jobs: list[JobDirectory]) -> str:
    """What would go to the bin, and which of the jobs that stay build on it."""
    going = [job.id for job in jobs]
    builds = {each.id: each for job in jobs for each in job_bin.dependants(workspace, job) if each.id not in going}
    return question_html(jobs, list(builds.values()))


def search_text(workspace: Workspace) -> str:
    return str(read_draft(workspace, DRAFT).get("search", ""))


def picked_runs(workspace: Workspace) -> list[JobDirectory]:
    """The picked runs that are there still, in the order in which they were picked."""
    runs = {job.id: job for job in workspace.list_jobs(KIND)}
    return [runs[known] for known in read_draft(workspace, DRAFT).get("picked", []) if known in runs]


def only_run(workspace: Workspace) -> JobDirectory:
    """The one picked run. Raises BadInput when it is not one."""
    picked = picked_runs(workspace)
    if len(picked) != 1:
        raise BadInput(f"{len(picked)} runs are picked.", "This is done with one.", "Pick just one in the table.")
    return picked[0]


def toggle(workspace: Workspace, job_id: str) -> None:
    """Pick a run, or no longer. Raises BadInput for more than can be told apart by colour."""
    picked = [job.id for job in picked_runs(workspace)]
    after = [known for known in picked if known != job_id] if job_id in picked else [*picked, job_id]
    if len(after) > MOST_RUNS:
        raise BadInput(
            f"{MOST_RUNS} runs are picked already.", "More can’t be told apart by colour.", "Press one of them again."
        )
    save_draft(workspace, DRAFT, picked=after)


def show(workspace: Workspace) -> list[Any]:
    """Values of the panel's outputs."""
    return [*show_list(workspace), *show_picked(workspace)]


def show_list(workspace: Workspace, known: str = "") -> list[Any]:
    """The table, the bin and their cursor; skipped when they are as `known`."""
    text = search_text(workspace)
    found = search(workspace.list_jobs(KIND), text)
    shown = found[:RUNS_SHOWN]
    picked = [job.id for job in picked_runs(workspace)]
    folder = job_bin.bin_folder(workspace)
    binned = folder.stat().st_mtime_ns if folder.is_dir() else 0
    now = f"{text}|{picked}|{len(found)}|{binned}|{[_moves(job) for job in shown]}"
    if now == known:
        return [SKIP] * 4
    held = job_bin.in_bin(workspace)
    runs = runs_html([run_of(job) for job in shown], picked, len(found), text)
    return [runs, bin_html(held), gr.update(visible=bool(held)), now]


def _moves(job: JobDirectory) -> str:
    """Changes with what a row shows; while the run goes on, every few seconds."""
    state = job.status().state
    return f"{job.id} {state} {job.notes} {int(time.time() / REDRAW_SECONDS) if state.active else ''}"


def show_picked(workspace: Workspace, about: str = "", known: str = "") -> list[Any]:
    """What belongs to the picked runs. Tags and note stay as they are typed while the same run is picked."""
    picked = picked_runs(workspace)
    which = str(read_draft(workspace, DRAFT).get("which", "loss"))
    compared = runs_compare.show(picked, which, known or "")
    now = repr([job.id for job in picked])
    if now == about:
        return [*compared, *[SKIP] * 8]
    one = len(picked) == 1
    said = annotations_of(picked[0]) if one else None
    return [
        *compared,
        gr.update(elem_classes=SHOWN if picked else AWAY),
        gr.update(visible=one),
        ", ".join(said.tags) if said else "",
        said.note if said else "",
        gr.update(visible=one),
        now,
        "",
        gr.update(visible=False),
    ]
