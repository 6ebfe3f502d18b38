"""Learning loop, a part of the Serving tab: a plan, its rounds with their decision, and a person's yes or no to it."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import yaml

from jobs import launcher
from jobs.directory import JobDirectory, Status
from jobs.errors import BadInput, Missing, UserError
from jobs.workspace import Workspace
from serving.loop.plan import require_runnable
from serving.loop.rounds import approve, begin, due, reject, rounds
from serving.loop.spec import LoopSpec
from serving.loop.state import read_state
from serving.registry.store import Registry
from ui import demo, job_panel
from ui.choices import dataset_options
from ui.clicks import Click, acting_html, on_click
from ui.drafts import read_draft, save_draft
from ui.errors import error_box
from ui.job_view import empty
from ui.layers import values_in
from ui.page import SKIP, Page, Settings
from ui.paths import check_model, check_task, inside
from ui.serving_loop_view import NOTHING, STEPS, Step, plan_html, round_html, rounds_html

TAB = "serving_loop"
OWN_TASK = re.compile(r"recipes\.\w+\.task")
ROUND_KINDS = "No round yet. “Begin a round” chooses the chats, builds, trains, compares and decides."
WATCHING = "Nothing is watched. “Watch the plan” begins a round by itself whenever one is due."


def lay_out(page: Page) -> None:
    """Draw the part and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            text, shown = _lay_out_plan(page)
            with gr.Row(elem_classes="hearth-buttons"):
                look = gr.Button("Is a round due?", size="sm", elem_id="is-due")
                start = gr.Button("Begin a round", size="sm", variant="primary", elem_id="begin-round")
                watch = gr.Button("Watch the plan", size="sm", elem_id="watch-plan")
            force = gr.Checkbox(label="Also when none is due", min_width=200)
            said, error = gr.HTML("", elem_id="loop-said"), gr.HTML(visible=False)
            with gr.Accordion("Watching", open=False):
                watching = job_panel.lay_out(TAB, "loop.watch", WATCHING, name="watch")
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(TAB, "loop", ROUND_KINDS)
            about = gr.HTML("", elem_id="round")
            answer = _lay_out_answer(page, panel, about)
    listed, known = acting_html(empty(NOTHING), elem_id="rounds"), gr.Textbox(visible=False)
    job_panel.wire(page, panel, result, [about, answer])
    job_panel.wire(page, watching, lambda *_: [], [])
    _wire_list(page, panel, listed, known, [text, shown, about, answer])

    def ask(workspace: Workspace, written: str) -> list[Any]:
        return [f"<p>{escape(due(workspace, usable_plan(page.settings, workspace, written)).sentence)}</p>"]

    def go(workspace: Workspace, written: str, force: bool) -> list[Any]:
        demo.refuse(page.settings, "Rounds of a plan")
        begun = begin(workspace, usable_plan(page.settings, workspace, written), force=bool(force))
        if begun.job is not None:
            panel.choose(workspace, begun.job.id)
        return [f"<p>{escape(begun.sentence)}</p>", *panel.show(workspace)]

    def keep_watch(workspace: Workspace, written: str) -> list[Any]:
        demo.refuse(page.settings, "Watching a plan")
        plan = usable_plan(page.settings, workspace, written)
        require_runnable(plan, workspace)
        require_unwatched(workspace, plan)
        begun = job_panel.start(watching, workspace, plan.model_dump(mode="json"), f"{plan.name}: watch")
        return [f"<p>{escape(plan.name)} is watched: see “Watching”.</p>", *begun]

    page.on(look.click, ask, [text], [said], error)
    page.on(start.click, go, [text, force], [said, *panel.outputs], error)
    page.on(watch.click, keep_watch, [text], [said, *watching.outputs], error)


def _lay_out_plan(page: Page) -> tuple[Any, Any]:
    text = gr.Textbox(
        "", label="Plan", lines=14, max_lines=30, elem_classes="hearth-code", elem_id="loop-plan", buttons=["copy"],
        info="As YAML, as `python cli.py loop run plan.yaml` takes it. docs/options.md lists every option.",
    )  # fmt: skip
    with gr.Row(elem_classes="hearth-buttons"):
        example = gr.Button("Begin with an example", size="sm", elem_id="example-plan")
    shown, error = gr.HTML("", elem_id="plan-shown"), gr.HTML(visible=False)

    def typed(workspace: Workspace, written: str) -> list[Any]:
        save_draft(workspace, TAB, plan=written or None)
        return [told_plan(written)]

    def begin_with(workspace: Workspace) -> list[Any]:
        if plan_text(workspace).strip():
            raise BadInput("There is a plan already.", "The example would replace it.", "Empty the field first.")
        save_draft(workspace, TAB, plan=example_plan(workspace))
        return load(workspace)

    def load(workspace: Workspace) -> list[Any]:
        return [plan_text(workspace), told_plan(plan_text(workspace))]

    page.load(load, [text, shown])
    page.on([text.input, text.blur], typed, [text], [shown], error, quiet=True)
    page.on(example.click, begin_with, [], [text, shown], error)
    return text, shown


def _lay_out_answer(page: Page, panel: job_panel.JobPanel, about: Any) -> Any:
    """Yes or no to what a round made; the column that is shown while it waits."""
    with gr.Column(visible=False, elem_classes="hearth-editor") as column:
        reason = gr.Textbox(
            "", label="Note or reason", info="It stays in the history; needed to reject.", max_lines=2,
            elem_id="round-reason",
        )  # fmt: skip
        with gr.Row(elem_classes="hearth-buttons"):
            yes = gr.Button("Approve: put it into production", size="sm", variant="primary", elem_id="approve-round")
            no = gr.Button("Reject", size="sm", elem_id="reject-round")
        error = gr.HTML(visible=False)

    def answer(decide: Any) -> Any:
        def call(workspace: Workspace, reason: str) -> list[Any]:
            demo.refuse(page.settings, "Deciding on rounds")
            job = panel.shown_job(workspace)
            if job is None:
                raise Missing("There is no round.", "What is decided on is one.", "Begin one first.")
            decide(workspace, job.id, reason)
            return [*result(workspace, job, job.status()), ""]

        return call

    page.on(yes.click, answer(approve), [reason], [about, column, reason], error)
    page.on(no.click, answer(reject), [reason], [about, column, reason], error)
    return column


def _wire_list(page: Page, panel: job_panel.JobPanel, listed: Any, known: Any, beside: list[Any]) -> None:
    """Pressing a round shows it, and its plan where no other is being written."""

    def poll(workspace: Workspace, seen: str = "") -> list[Any]:
        jobs = workspace.list_jobs("loop")
        shown = panel.shown_job(workspace)
        now = f"{shown.id if shown else ''} {[(job.id, job.status().state, job.results_stamp) for job in jobs]}"
        return [SKIP, SKIP] if now == seen else [rounds_html(rounds(workspace), shown.id if shown else ""), now]

    def choose(workspace: Workspace, click: Click) -> list[Any]:
        job = workspace.job(click.about)
        panel.choose(workspace, job.id)
        if not plan_text(workspace).strip():
            save_draft(workspace, TAB, plan=plan_of(job))
        written = plan_text(workspace)
        drawn = result(workspace, job, job.status())
        return [written, told_plan(written), *drawn, *panel.show(workspace), *poll(workspace)]

    page.load(poll, [listed, known])
    page.poll(TAB, poll, [known], [listed, known])
    on_click(page, listed, choose, [], [*beside, *panel.outputs, listed, known], panel.error)


def plan_text(workspace: Workspace) -> str:
    return str(read_draft(workspace, TAB).get("plan", ""))


def plan_of(job: JobDirectory) -> str:
    """A round's plan as YAML, without the defaults."""
    plan = LoopSpec.parse(job.header["spec"])
    when = plan.when.model_dump(exclude_none=True)
    others = plan.model_dump(mode="json", exclude={"when", "name", "model"}, exclude_defaults=True)
    values = {"name": plan.name, "model": plan.model, "when": when, **others}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def told_plan(text: str) -> str:
    """What a plan will do, or everything that is wrong with it, as HTML."""
    if not text.strip():
        return plan_html(None)
    try:
        return plan_html(LoopSpec.parse(values_in(LoopSpec, text)))
    except UserError as problem:
        return error_box(problem.what, problem.why, problem.fix)


def usable_plan(settings: Settings, workspace: Workspace, text: str) -> LoopSpec:
    """The plan on screen, which names nothing that this page may not. Raises BadInput or Missing."""
    if not text.strip():
        raise Missing("There is no plan.", "A round follows one.", "Write one, or begin with the example.")
    plan = LoopSpec.parse(values_in(LoopSpec, text)).with_absolute_paths(workspace.root)
    for task in (plan.new_task, plan.regression.task):
        if settings.demo or not OWN_TASK.fullmatch(task):
            check_task(settings, workspace, task)
    if "model" in plan.train:
        check_model(settings, workspace, str(plan.train["model"]))
    for path in _files_of(plan):
        if not settings.local:
            inside(workspace, path)
    return plan


def _files_of(plan: LoopSpec) -> list[str]:
    """The files that a plan with absolute paths reads."""
    named = [each for key in ("sources", "contamination") for each in plan.data.get(key) or []]
    paths = [each.get("path") if isinstance(each, dict) else each for each in named]
    return [path for path in paths if isinstance(path, str) and Path(path).is_absolute()]


def require_unwatched(workspace: Workspace, plan: LoopSpec) -> None:
    """Raises BadInput where the plan is watched already: two would begin the same rounds."""
    for job in workspace.list_jobs("loop.watch"):
        if job.header["spec"].get("name") == plan.name and launcher.observe(job).state.active:
            raise BadInput(f"{plan.name} is watched already.", f"Job {job.id} does.", "Stop it first to watch anew.")


def example_plan(workspace: Workspace) -> str:
    """A plan for the first model in production and the newest dataset, with placeholders where there are none."""
    models = [version.name for version in Registry(workspace).find(stage="production")]
    datasets = [name for _, name in dataset_options(workspace)]
    name = models[0] if models else "support-bot"
    return (
        f"name: {re.sub(r'[^a-z0-9_-]+', '-', name.lower())[:50]}-loop\n"
        f"model: {name}\n"
        "when: {min_new: 200}\n"
        "interactions: {min_rating: 4}\n"
        "train:\n"
        "  max_length: 512\n"
        "  optimisation: {epochs: 2}\n"
        "regression:\n"
        f"  data: {_with_version(workspace, datasets[0]) if datasets else 'my-data@VERSION'}\n"
        "  task: exact_match\n"
        "promote: by hand\n"
    )


def _with_version(workspace: Workspace, name: str) -> str:
    """The regression set has to stay the same, so its version is named."""
    from datasets_src.store import open_version

    return open_version(workspace, name).id


def result(workspace: Workspace, job: JobDirectory, status: Status) -> list[Any]:  # noqa: ARG001 - as every result
    """The round with its steps, and whether it waits for an answer."""
    found = next((each for each in rounds(workspace) if each.job == job.id), None)
    if found is None:
        return ["", gr.Column(visible=False)]
    children = read_state(job.path).children
    steps = [_step(workspace, key, children.get(key)) for key in STEPS if key in children or found.outcome is None]
    html = round_html(found, steps, (job.manifest or {}).get("figures", {}))
    return [html, gr.Column(visible=found.outcome == "waiting")]


def _step(workspace: Workspace, key: str, job_id: str | None) -> Step:
    if job_id is None:
        return Step(key)
    try:
        return Step(key, job_id, workspace.job(job_id).status().state)
    except UserError:  # deleted since
        return Step(key, job_id, "deleted")
