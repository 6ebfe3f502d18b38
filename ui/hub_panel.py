"""The Hugging Face Hub on the Export tab: what goes there, under which name, and a confirmation."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from export.hub import HubSpec
from jobs.directory import JobDirectory, State, Status
from jobs.workspace import Workspace
from ui import demo, job_panel
from ui import form as forms
from ui.choices import Option
from ui.page import Page
from ui.words import when

TAB = "hub"
ABOUT = (
    "Adapter, merged model and GGUF files go to a repository of yours with a model card: data, settings, verdict, what "
    "was proven, licences and use. Log in once with `hf auth login`."
)


def lay_out(page: Page) -> None:
    """Draw form and job here, and wire them."""
    gr.Markdown(ABOUT)
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            form = forms.lay_out(
                HubSpec, TAB, "python cli.py exports push spec.yaml", picked={"export": finished_exports}
            )
            error = gr.HTML(visible=False)
            upload = gr.Button("Upload", variant="primary", elem_id="upload")
            forms.lay_out_yaml(page, form, error)
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(TAB, "hub", "Nothing uploaded yet. With an export chosen, press “Upload”.")
            shown = gr.HTML("", elem_id="uploaded")
            job_panel.lay_out_details(panel)

    def start(workspace: Workspace, *values: Any) -> list[Any]:
        demo.refuse(page.settings, "Uploading to the Hub")
        spec = form.parse(workspace, values)
        assert isinstance(spec, HubSpec)
        return job_panel.start(panel, workspace, spec.model_dump(mode="json"), f"{spec.repository} on the Hub")

    def result(_: Workspace, job: JobDirectory, status: Status) -> list[Any]:
        manifest = job.manifest
        if status.state is not State.SUCCEEDED or manifest is None:
            return [""]
        address = escape(str(manifest["figures"]["address"]))
        return [f'<div class="hearth-result"><p>It is at <a href="{address}">{address}</a>.</p></div>']

    page.load(form.initial, form.outputs)
    page.on(upload.click, start, form.inputs, panel.outputs, error)
    job_panel.wire(page, panel, result, [shown])


def finished_exports(workspace: Workspace) -> list[Option]:
    """Label and id of each finished export, the newest first."""
    done = [job for job in workspace.list_jobs("export") if job.manifest is not None]
    return [(f"{job.header['title']} · {when(job.header['created'])}", job.id) for job in done]
