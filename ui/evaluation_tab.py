"""The Evaluation tab: whether the tuned model is better than its base, and a chat with both side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

import recipes.snake
from evaluation.spec import EvaluateSpec
from jobs.directory import JobDirectory, State, Status
from jobs.errors import Missing
from jobs.spec import read_yaml
from jobs.workspace import Workspace
from ui import arena_panel, chat_panel, demo, filling, job_panel, judge_panel, picks
from ui import form as forms
from ui.chat_models import model_options
from ui.choices import dataset_of, dataset_options, train_job, trained_options
from ui.drafts import read_draft, save_draft
from ui.page import SKIP, Page
from ui.parts import wire_parts
from ui.paths import check_model, check_task, inside
from ui.task_choices import SNAKE_TASK, list_tasks, task_for
from ui.verdict_view import verdict_html

TAB = "evaluation"
Take = Callable[[Workspace, dict[str, Any]], None]
SNAKE_SPEC = Path(recipes.snake.__file__).with_name("evaluate.yaml")


def lay_out(page: Page, go_on: Any, learn: Take) -> None:
    """Draw the tab and wire it. `go_on`: the button that leads to the next tab; `learn` enters a training's spec."""
    with gr.Tabs(elem_id="evaluation-parts", overflow_behavior="wrap") as parts:
        with gr.Tab("Verdict", id="verdict") as verdict:
            _lay_out_verdict(page, go_on)
        with gr.Tab("Chat and vote", id="chat") as chat:
            chat_panel.ChatPanel(page)
        with gr.Tab("Arena", id="arena") as arena:
            arena_panel.lay_out(page, learn)
        with gr.Tab("Judge and pairs", id="judge") as judge:
            judge_panel.lay_out(page)
    wire_parts(page, TAB, parts, {"verdict": verdict, "chat": chat, "arena": arena, "judge": judge})


def _lay_out_verdict(page: Page, go_on: Any) -> None:
    """Which models are compared, on what and how; beside it the verdict and the report."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            tuned = picks.lay_out(
                TAB, "job", trained_options, "Tuned model", "A finished training; it is compared with its base model."
            )
            others = gr.Dropdown(
                [], multiselect=True, allow_custom_value=True, label="Compare these too", elem_id="others",
                info="Other trainings, a .gguf file, ollama:NAME, https://host/v1#NAME. Several make one family: "
                "chance findings are guarded against.",
            )  # fmt: skip
            form = forms.lay_out(
                EvaluateSpec,
                TAB,
                "python cli.py evaluate spec.yaml",
                picked={"data": data_options, "task": task_options},
                hide=("models",),
                complete=with_models,
                base=defaults,
            )
            error = gr.HTML(visible=False)
            evaluate = gr.Button("Evaluate", variant="primary", elem_id="evaluate")
            forms.lay_out_yaml(page, form, error)
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(TAB, "evaluate", "No verdict yet. With a trained model chosen, press “Evaluate”.")
            go_on.render()
            verdict = gr.HTML("", elem_id="verdict")
            with gr.Accordion("Whole report", open=False, visible=False, elem_id="report-part") as report_part:
                report = gr.HTML("")
            job_panel.lay_out_details(panel)
    job_panel.wire(page, panel, result, [verdict, report_part, report, go_on])
    _wire_verdict(page, tuned, others, form, evaluate, panel, error)


def _wire_verdict(
    page: Page, tuned: picks.Pick, others: Any, form: forms.Form, evaluate: Any, panel: job_panel.JobPanel, error: Any
) -> None:
    def choose(workspace: Workspace, job_id: str | None) -> list[Any]:
        tuned.keep(workspace, job_id)
        picks.forget(workspace, TAB, "data")
        picks.forget(workspace, TAB, "task")
        return form.initial(workspace)

    def also(workspace: Workspace, models: list[str]) -> list[Any]:
        if models == others_of(workspace):  # shown by the page itself, nobody's choice
            return [SKIP for _ in [*form.inputs, form.yaml]]
        for model in models:
            check_model(page.settings, workspace, model)
        save_draft(workspace, TAB, others=models or None)
        return form.initial(workspace)

    def start(workspace: Workspace, *values: Any) -> list[Any]:
        require_trained(workspace)
        spec = form.parse(workspace, values)
        assert isinstance(spec, EvaluateSpec)
        check_task(page.settings, workspace, spec.task)
        demo.check_small(page.settings, "Questions", spec.max_items, demo.MOST_QUESTIONS)
        demo.check_small(page.settings, "Games", spec.games, demo.MOST_GAMES)
        if spec.task.endswith(".py"):
            spec = spec.model_copy(update={"task": str(inside(workspace, spec.task))})
        return job_panel.start(panel, workspace, spec.model_dump(mode="json"), title_of(workspace, spec))

    def show_others(workspace: Workspace) -> list[Any]:
        options, chosen = model_options(workspace), others_of(workspace)
        known = [ref for _, ref in options]
        return [gr.Dropdown(choices=[*options, *[(ref, ref) for ref in chosen if ref not in known]], value=chosen)]

    page.load(show_others, [others])
    page.on(others.focus, show_others, [], [others], error, quiet=True)
    page.on(others.change, also, [others], [*form.inputs, form.yaml], error)
    filling.fill(page, form, "task", error)
    picks.wire(page, tuned)
    page.on(tuned.component.input, choose, [tuned.component], [*form.inputs, form.yaml], error)
    page.on(evaluate.click, start, form.inputs, panel.outputs, error)


def others_of(workspace: Workspace) -> list[str]:
    """The further models that were chosen."""
    return [str(each) for each in read_draft(workspace, TAB).get("others", [])]


def title_of(workspace: Workspace, spec: EvaluateSpec) -> str:
    job = train_job(workspace, tuned_id(workspace))
    if job is None or len(spec.models) != 2:
        return f"{spec.data.split('@')[0]}: {len(spec.models)} models"
    return f"{job.header['title']} against its base"


def tuned_id(workspace: Workspace) -> str | None:
    """The training chosen on this tab, by default the newest."""
    return picks.Pick(TAB, "job", trained_options, None, None).value(workspace)


def require_trained(workspace: Workspace) -> JobDirectory:
    """The chosen training. Raises Missing when there is none."""
    job = train_job(workspace, tuned_id(workspace))
    if job is None:
        raise Missing(
            "There is no trained model yet.", "A verdict compares one with its base.", "Train one on the Training tab."
        )
    return job


def with_models(workspace: Workspace, values: dict[str, Any]) -> dict[str, Any]:
    """The form's values with the models: the base first, which is the reference, then what was made of it."""
    job = train_job(workspace, tuned_id(workspace))
    models = [job.header["spec"]["model"], f"job:{job.id}"] if job else []
    return {"models": list(dict.fromkeys([*models, *others_of(workspace)])), **values}


def data_options(workspace: Workspace) -> Sequence[picks.Option]:
    """The datasets, that of the chosen training first."""
    options = dataset_options(workspace)
    job = train_job(workspace, tuned_id(workspace))
    own = str(job.header["spec"]["data"]) if job else ""
    return sorted(options, key=lambda option: option[1] != own)


def task_options(workspace: Workspace) -> Sequence[picks.Option]:
    """The tasks, the one that suits the chosen dataset first."""
    data = picks.Pick(TAB, "data", data_options, None, None).value(workspace)
    return list_tasks(workspace, task_for(dataset_of(workspace, data)))


def defaults(workspace: Workspace) -> dict[str, Any]:
    """What the form shows before anything is entered: for Snake the recipe's, which suits a machine without a GPU."""
    if picks.Pick(TAB, "task", task_options, None, None).value(workspace) != SNAKE_TASK:
        return {}
    values = dict(read_yaml(SNAKE_SPEC))
    return {key: value for key, value in values.items() if key not in ("models", "data", "task")}


def result(workspace: Workspace, job: JobDirectory, status: Status) -> list[Any]:  # noqa: ARG001 - as every result
    """The verdict, the report in a frame of its own, and whether going on makes sense."""
    manifest = job.manifest
    if status.state is not State.SUCCEEDED or manifest is None:
        return ["", gr.Accordion(visible=False), "", gr.Button(visible=False)]
    html = (job.path / "report.html").read_text(encoding="utf-8")
    frame = f'<iframe title="Report" class="hearth-report" sandbox="allow-scripts" srcdoc="{escape(html)}"></iframe>'
    return [verdict_html(manifest["figures"]), gr.Accordion(visible=True), frame, gr.Button(visible=True)]
