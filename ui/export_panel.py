"""Making files on the Export tab: what to make and prove, how long that takes, and what came of it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from export.spec import ExportSpec
from export.stages import request_skip
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from ui import filling, job_panel
from ui import form as forms
from ui.choices import train_job, trained_options
from ui.export_plan import plan_html, size_choices, sizes_choice, targets_choice
from ui.export_view import modelfiles_html, running_html, summary_html, texts_of
from ui.form import Follower, Form
from ui.job_view import artifacts
from ui.page import SKIP, Page
from ui.parts import open_part

TAB = "export"
NOTHING = "Nothing exported yet. With a trained model chosen, press “Export”."


def lay_out(page: Page, parts: gr.Tabs) -> None:
    """Draw form, job and result here, and wire them. `parts`: the tab's, of which one leads on to Ollama."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            form = forms.lay_out(
                ExportSpec,
                TAB,
                "python cli.py export spec.yaml",
                replace={"quantisations": sizes_choice, "to": targets_choice},
                picked={"job": trained_options},
            )
            plan = gr.HTML("", elem_id="export-plan")
            error = gr.HTML(visible=False)
            export = gr.Button("Export", variant="primary", elem_id="export")
            forms.lay_out_yaml(page, form, error)
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(TAB, "export", NOTHING)
            go_on = gr.Button("Next: put it into Ollama →", visible=False, elem_classes="hearth-next")
            stages = gr.HTML("", elem_id="export-stages")
            skip = gr.Button("Skip this check", size="sm", visible=False, elem_id="skip-check")
            skip_error = gr.HTML(visible=False)
            made = gr.HTML("", elem_id="exported")
            with gr.Accordion("How to run it", open=False, visible=False) as use:
                readme = gr.Markdown("", elem_classes="hearth-readme")
            with gr.Accordion("Modelfiles", open=False, visible=False) as modelfiles_part:
                modelfiles = gr.HTML("")
            job_panel.lay_out_details(panel)

    form.followers.append(Follower(plan, lambda workspace, raw: plan_html(workspace, _spec_of(form, workspace, raw))))
    filling.fill(page, form, "job", error)
    _wire_sizes(page, form)

    def start(workspace: Workspace, *values: Any) -> list[Any]:
        job = require_chosen(workspace, form.picks["job"].value(workspace))
        spec = form.parse(workspace, values)
        return job_panel.start(panel, workspace, spec.model_dump(mode="json"), f"{job.header['title']} as files")

    def result(_: Workspace, job: JobDirectory, status: Status) -> list[Any]:
        manifest = job.manifest
        if status.state is not State.SUCCEEDED or manifest is None:
            hidden = gr.Accordion(visible=False)
            return ["", hidden, "", hidden, "", gr.Button(visible=False)]
        text, texts = texts_of(job)
        return [
            summary_html(job, manifest["figures"]),
            gr.Accordion(visible=bool(text)),
            text,
            gr.Accordion(visible=bool(texts)),
            modelfiles_html(texts),
            gr.Button(visible=any(path.suffix == ".gguf" for path in artifacts(job))),
        ]

    def lead_on(workspace: Workspace) -> list[Any]:
        open_part(workspace, TAB, "ollama")
        return [gr.Tabs(selected="ollama")]

    page.on(export.click, start, form.inputs, panel.outputs, error)
    page.on(go_on.click, lead_on, [], [parts], error)
    _wire_stages(page, panel, stages, skip, skip_error)
    job_panel.wire(page, panel, result, [made, use, readme, modelfiles_part, modelfiles, go_on])


def _wire_stages(page: Page, panel: job_panel.JobPanel, stages: Any, skip: Any, error: Any) -> None:
    """Show a running export's stages, and have the button skip the check that it is at."""

    def watch(workspace: Workspace, seen: str) -> list[Any]:
        """The stages of a running export, and whether the one it is at can be skipped."""
        job = panel.shown_job(workspace)
        shown, skippable = running_html(job) if job is not None else ("", False)
        return [SKIP, SKIP, SKIP] if shown == seen else [shown, shown, gr.Button(visible=skippable)]

    def leave_out(workspace: Workspace) -> list[Any]:
        job = panel.shown_job(workspace)
        if job is None or not job.status().state.active:
            raise BadInput("Nothing is running.", "Only a running check can be skipped.", "Start an export first.")
        request_skip(job)
        return [gr.Button(visible=False)]

    known = gr.Textbox(visible=False)
    page.load(lambda workspace: watch(workspace, " "), [stages, known, skip])
    page.poll(TAB, watch, [known], [stages, known, skip])
    page.on(skip.click, leave_out, [], [skip], error)


def _spec_of(form: Form, workspace: Workspace, raw: dict[str, Any]) -> ExportSpec | None:
    """The spec on screen, None while it can't be read."""
    try:
        spec = form.parse(workspace, [raw[path] for path in form.components])
    except BadInput:
        return None
    assert isinstance(spec, ExportSpec)
    return spec


def _wire_sizes(page: Page, form: Form) -> None:
    """The sizes of the files of the model that is chosen."""
    pick, sizes, known = form.picks["job"], form.components["quantisations"], gr.Textbox(visible=False)

    def name_sizes(workspace: Workspace, shown: str = "") -> list[Any]:
        job_id = pick.value(workspace) or ""
        if job_id == shown:
            return [SKIP, SKIP]
        return [gr.CheckboxGroup(choices=size_choices(workspace, job_id)), job_id]

    page.load(name_sizes, [sizes, known])
    page.poll(TAB, name_sizes, [known], [sizes, known])


def require_chosen(workspace: Workspace, job_id: str | None) -> JobDirectory:
    """The training job to export. Raises Missing when there is none, or none of that id."""
    job = train_job(workspace, job_id)
    if job is not None:
        return job
    if not trained_options(workspace):
        raise Missing("There is no trained model yet.", "An export is made of one.", "Train one on the Training tab.")
    raise Missing(
        f"There is no finished training '{job_id}'.", "An export is made of one.", "Choose one from the list."
    )
