"""Learning loop, a part of the Serving tab: a plan, its rounds with their decision, and a person's yes or no to it."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from jobs import launcher
from jobs.directory import JobDirectory, Status
from jobs.errors import BadInput, Missing, UserError
from jobs.workspace import Workspace
from serving.loop.plan import require_runnable
from serving.loop.rounds import approve, begin, due, reject, rounds
from serving.loop.spec import LoopSpec
from serving.loop.state import read_state
from ui import demo, job_panel, serving_plan
from ui.clicks import Click, acting_html, on_click
from ui.form import Form
from ui.job_view import empty
from ui.layers import FROM_RUN
from ui.page import SKIP, Page
from ui.serving_loop_view import NOTHING, STEPS, Step, round_html, rounds_html
from ui.serving_plan import TAB, usable_plan

ROUND_KINDS = "No round yet. “Begin a round” chooses the chats, builds, trains, compares and decides."
WATCHING = "Nothing is watched. “Watch the plan” begins a round by itself whenever one is due."


def lay_out(page: Page) -> None:
    """Draw the part and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            form = serving_plan.lay_out(page)
            with gr.Row(elem_classes="hearth-buttons"):
                look = gr.Button("Is a round due?", size="sm", elem_id="is-due")
                start = gr.Button("Begin a round", size="sm", variant="primary", elem_id="begin-round")
                watch = gr.Button("Watch the plan", size="sm", elem_id="watch-plan")
            force = gr.Checkbox(label="Also when none is due", min_width=200)
            said, error = gr.HTML("", elem_id="loop-said"), gr.HTML(visible=False)
            with gr.Accordion("Watching", open=False):
                watching = job_panel.lay_out(TAB, "loop.watch", WATCHING, name="watch")
                job_panel.lay_out_details(watching)
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(TAB, "loop", ROUND_KINDS)
            about = gr.HTML("", elem_id="round")
            answer, again = _lay_out_answer(page, panel, about, form)
            job_panel.lay_out_details(panel)
    listed, known = acting_html(empty(NOTHING), elem_id="rounds"), gr.Textbox(visible=False)
    job_panel.wire(page, panel, result, [about, answer, again])
    job_panel.wire(page, watching, lambda *_: [], [])
    _wire_list(page, panel, listed, known, [about, answer, again])

    def ask(workspace: Workspace, *values: Any) -> list[Any]:
        return [f"<p>{escape(due(workspace, usable_plan(page.settings, workspace, form, values)).sentence)}</p>"]

    def go(workspace: Workspace, force: bool, *values: Any) -> list[Any]:
        demo.refuse(page.settings, "Rounds of a plan")
        begun = begin(workspace, usable_plan(page.settings, workspace, form, values), force=bool(force))
        if begun.job is not None:
            panel.choose(workspace, begun.job.id)
        return [f"<p>{escape(begun.sentence)}</p>", *panel.show(workspace)]

    def keep_watch(workspace: Workspace, *values: Any) -> list[Any]:
        demo.refuse(page.settings, "Watching a plan")
        plan = usable_plan(page.settings, workspace, form, values)
        require_runnable(plan, workspace)
        require_unwatched(workspace, plan)
        begun = job_panel.start(watching, workspace, plan.model_dump(mode="json"), f"{plan.name}: watch")
        return [f"<p>{escape(plan.name)} is watched: see “Watching”.</p>", *begun]

    page.on(look.click, ask, form.inputs, [said], error)
    page.on(start.click, go, [force, *form.inputs], [said, *panel.outputs], error)
    page.on(watch.click, keep_watch, form.inputs, [said, *watching.outputs], error)


def _lay_out_answer(page: Page, panel: job_panel.JobPanel, about: Any, form: Form) -> tuple[Any, Any]:
    """Yes or no to what a round made, and its plan once more; the column that is shown while it waits, the button."""
    with gr.Column(visible=False, elem_classes="hearth-editor") as column:
        reason = gr.Textbox(
            "", label="Note or reason", info="It stays in the history; needed to reject.", max_lines=2,
            elem_id="round-reason",
        )  # fmt: skip
        with gr.Row(elem_classes="hearth-buttons"):
            yes = gr.Button("Approve: put it into production", size="sm", variant="primary", elem_id="approve-round")
            no = gr.Button("Reject", size="sm", elem_id="reject-round")
        error = gr.HTML(visible=False)
    again = gr.Button("Take this round’s plan", size="sm", visible=False, elem_id="take-plan")

    def answer(decide: Any) -> Any:
        def call(workspace: Workspace, reason: str) -> list[Any]:
            demo.refuse(page.settings, "Deciding on rounds")
            job = _shown(panel, workspace)
            decide(workspace, job.id, reason)
            return [*result(workspace, job, job.status()), ""]

        return call

    def take(workspace: Workspace) -> list[Any]:
        form.put(workspace, LoopSpec.parse(_shown(panel, workspace).header["spec"]).model_dump(mode="json"), FROM_RUN)
        return form.initial(workspace)

    page.on(yes.click, answer(approve), [reason], [about, column, again, reason], error)
    page.on(no.click, answer(reject), [reason], [about, column, again, reason], error)
    page.on(again.click, take, [], form.outputs, error)
    return column, again


def _shown(panel: job_panel.JobPanel, workspace: Workspace) -> JobDirectory:
    """The round that is shown. Raises Missing where there is none."""
    job = panel.shown_job(workspace)
    if job is None:
        raise Missing("There is no round.", "What is decided on is one.", "Begin one first.")
    return job


def _wire_list(page: Page, panel: job_panel.JobPanel, listed: Any, known: Any, beside: list[Any]) -> None:
    """Pressing a round shows it."""

    def poll(workspace: Workspace, seen: str = "") -> list[Any]:
        jobs = workspace.list_jobs("loop")
        shown = panel.shown_job(workspace)
        now = f"{shown.id if shown else ''} {[(job.id, job.status().state, job.results_stamp) for job in jobs]}"
        return [SKIP, SKIP] if now == seen else [rounds_html(rounds(workspace), shown.id if shown else ""), now]

    def choose(workspace: Workspace, click: Click) -> list[Any]:
        job = workspace.job(click.about)
        panel.choose(workspace, job.id)
        return [*result(workspace, job, job.status()), *panel.show(workspace), *poll(workspace)]

    page.load(poll, [listed, known])
    page.poll(TAB, poll, [known], [listed, known])
    on_click(page, listed, choose, [], [*beside, *panel.outputs, listed, known], panel.error)


def require_unwatched(workspace: Workspace, plan: LoopSpec) -> None:
    """Raises BadInput where the plan is watched already: two would begin the same rounds."""
    for job in workspace.list_jobs("loop.watch"):
        if job.header["spec"].get("name") == plan.name and launcher.observe(job).state.active:
            raise BadInput(f"{plan.name} is watched already.", f"Job {job.id} does.", "Stop it first to watch anew.")


def result(workspace: Workspace, job: JobDirectory, status: Status) -> list[Any]:  # noqa: ARG001 - as every result
    """The round with its steps, and whether it waits for an answer."""
    found = next((each for each in rounds(workspace) if each.job == job.id), None)
    if found is None:
        return ["", gr.Column(visible=False), gr.Button(visible=False)]
    children = read_state(job.path).children
    steps = [_step(workspace, key, children.get(key)) for key in STEPS if key in children or found.outcome is None]
    html = round_html(found, steps, (job.manifest or {}).get("figures", {}))
    return [html, gr.Column(visible=found.outcome == "waiting"), gr.Button(visible=True)]


def _step(workspace: Workspace, key: str, job_id: str | None) -> Step:
    if job_id is None:
        return Step(key)
    try:
        return Step(key, job_id, workspace.job(job_id).status().state)
    except UserError:  # deleted since
        return Step(key, job_id, "deleted")
