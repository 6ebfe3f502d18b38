"""The Training tab: what to train on what, live charts while it runs, and what was decided on the way."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

import recipes.snake
from jobs.directory import JobDirectory, State, Status
from jobs.errors import Missing
from jobs.spec import read_yaml
from jobs.workspace import Workspace
from models.reference import require_usable
from trainer.spec import TrainSpec
from ui import demo, job_panel
from ui import form as forms
from ui.charts import chart_updates, lay_out_charts
from ui.choices import dataset_of, dataset_options, is_snake, trained_options
from ui.fields import FormField
from ui.page import Page
from ui.paths import check_model
from ui.picks import Pick, forget

TAB = "training"
SNAKE_SPEC = Path(recipes.snake.__file__).with_name("train.yaml")


def lay_out(page: Page, go_on: Any) -> None:
    """Draw the tab and wire it. `go_on`: the button that leads to the next tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            form = forms.lay_out(
                TrainSpec,
                TAB,
                "python cli.py train spec.yaml",
                replace={"model": model_choice},
                picked={"data": dataset_options},
                base=defaults,
            )
            error = gr.HTML(visible=False)
            train = gr.Button("Train", variant="primary", elem_id="train")
            forms.lay_out_yaml(page, form, error)
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(TAB, "train", "No training yet. Build a dataset first, then press “Train”.")
            go_on.render()
            charts = lay_out_charts()
            with gr.Accordion("What was decided", open=False):
                decided = gr.HTML("")

    def start(workspace: Workspace, *values: Any) -> list[Any]:
        require_dataset(workspace)
        spec = form.parse(workspace, values)
        assert isinstance(spec, TrainSpec)
        check_model(page.settings, workspace, spec.model)
        require_usable(spec.model, workspace)
        demo.check_small(page.settings, "At most steps", spec.optimisation.max_steps, demo.MOST_STEPS)
        for tab in ("evaluation", "export"):
            forget(workspace, tab, "job")
        return job_panel.start(panel, workspace, spec.model_dump(mode="json"), spec.title)

    forms.fill(page, form, "data", error)
    page.on(train.click, start, form.inputs, panel.outputs, error)
    job_panel.wire(page, panel, result, [*charts, decided, go_on])


def model_choice(option: FormField) -> Any:
    """A field that offers the embedded model and takes any other."""
    return gr.Dropdown(
        [("embedded (SmolLM2-135M)", "embedded")],
        value=option.default,
        label=option.label,
        info=option.help,
        allow_custom_value=True,
        min_width=220,
    )


def defaults(workspace: Workspace) -> dict[str, Any]:
    """What the form shows before anything is entered: for Snake the recipe's, which suits a machine without a GPU."""
    data = Pick(TAB, "data", dataset_options, None, None).value(workspace)
    if is_snake(dataset_of(workspace, data)):
        values = dict(read_yaml(SNAKE_SPEC))
        return {key: value for key, value in values.items() if key != "data"}
    return {}


def require_dataset(workspace: Workspace) -> None:
    """Raises Missing when there is nothing to train on."""
    if not dataset_options(workspace):
        raise Missing("There is no dataset yet.", "A model is trained on one.", "Build one on the Datasets tab.")


def result(workspace: Workspace, job: JobDirectory, status: Status) -> list[Any]:
    """Charts, what was decided, and whether going on makes sense."""
    done = status.state is State.SUCCEEDED and any(known == job.id for _, known in trained_options(workspace)[:1])
    return [*chart_updates(job.metrics()), decided_html(job), gr.Button(visible=done)]


def decided_html(job: JobDirectory) -> str:
    """Values that were used, each with where it came from; and what was changed on the way."""
    rows = [(name, _plain(entry["value"]), entry["origin"]) for name, entry in (job.resolved or {}).items()]
    rows += [("changed", change["what"], change["why"]) for change in job.changes]
    cells = "".join(
        f"<tr><td>{escape(str(name))}</td><td>{escape(str(value))}</td>"
        f"<td class='quiet'>{escape(str(origin))}</td></tr>"
        for name, value, origin in rows
    )
    return f'<div class="scroll"><table>{cells}</table></div>' if rows else ""


def _plain(value: Any) -> Any:
    """A value in a line; of one that has parts, its name."""
    return value.get("name", value) if isinstance(value, dict) else value
