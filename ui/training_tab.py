"""The Training tab: what to train on what, live charts while it runs, earlier runs, and sweeps."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from jobs.directory import JobDirectory, State, Status
from jobs.workspace import Workspace
from ui import charts, job_panel, runs_panel, sweep_panel, training_form
from ui.choices import trained_options
from ui.form import Form
from ui.page import Page
from ui.parts import wire_parts
from ui.picks import forget
from ui.training_form import TAB, spec_to_start, take_run

NOTHING = "No training yet. With a dataset chosen, press “Train”."


def lay_out(page: Page, go_on: Any) -> Callable[[Workspace, dict[str, Any]], None]:
    """Draw the tab and wire it; returns what enters a run's spec into its form.

    `go_on`: the button that leads to the next tab.
    """
    with gr.Tabs(elem_id="training-parts", overflow_behavior="wrap") as parts:
        with gr.Tab("Train", id="train") as train:
            form = _lay_out_training(page, go_on)

        def take(workspace: Workspace, spec: dict[str, Any]) -> None:
            take_run(form, workspace, spec)

        with gr.Tab("Runs", id="runs") as runs:
            runs_panel.lay_out(page, TAB, take)
        with gr.Tab("Sweep", id="sweep") as sweep:
            sweep_panel.lay_out(page, training_form.defaults)
    wire_parts(page, TAB, parts, {"train": train, "runs": runs, "sweep": sweep})
    return take


def _lay_out_training(page: Page, go_on: Any) -> Form:
    """The form, and beside it the run with its charts."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            begin = training_form.lay_out(page)
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(TAB, "train", NOTHING)
            go_on.render()
            drawn = charts.lay_out()
            with gr.Accordion("What was decided", open=False):
                decided = gr.HTML("")
            job_panel.lay_out_details(panel)

    def start(workspace: Workspace, *values: Any) -> list[Any]:
        spec = spec_to_start(page.settings, workspace, begin.form, values)
        for tab in ("evaluation", "export"):
            forget(workspace, tab, "job")
        return job_panel.start(panel, workspace, spec.model_dump(mode="json"), spec.title)

    page.on(begin.train.click, start, begin.form.inputs, panel.outputs, begin.error)
    job_panel.wire(page, panel, result, [*drawn.outputs, decided, go_on])
    charts.wire(page, panel, drawn)
    return begin.form


def result(workspace: Workspace, job: JobDirectory, status: Status) -> list[Any]:
    """Charts, what was decided, and whether going on makes sense."""
    done = status.state is State.SUCCEEDED and any(known == job.id for _, known in trained_options(workspace)[:1])
    return [*charts.updates(job), decided_html(job), gr.Button(visible=done)]


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
