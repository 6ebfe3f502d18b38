"""The Export tab: files for Ollama and llama.cpp, how far they were checked, and the commands that run them."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from export.spec import ExportSpec
from jobs.directory import JobDirectory, State, Status
from jobs.errors import Missing
from jobs.files import read_json
from jobs.workspace import Workspace
from models.folder import count_parameters
from models.local_files import local_folder
from ui import form as forms
from ui import job_panel
from ui.choices import train_job, trained_options
from ui.fields import FormField
from ui.job_view import artifacts, file_links
from ui.page import SKIP, Page
from ui.words import count, size

TAB = "export"
# Bytes a weight takes in GGUF: blocks of 32 with a scale; Q4_K_M as llama.cpp mixes it, the second where rows are no
# multiple of 256 and most tensors fall back to larger kinds. Each token of the vocabulary is written out besides.
BYTES_A_WEIGHT = {"f16": 2.0, "q8_0": 1.07, "q4_k_m": 0.61}
BYTES_A_WEIGHT_UNEVEN = {**BYTES_A_WEIGHT, "q4_k_m": 0.8}
BYTES_A_TOKEN = 37
WHAT_IT_COSTS = {
    "f16": "as trained",
    "q8_0": "hardly any loss",
    "q4_k_m": "a small loss",
}


def lay_out(page: Page) -> None:
    """Draw the tab and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            form = forms.lay_out(
                ExportSpec,
                TAB,
                "python cli.py export spec.yaml",
                replace={"quantisations": sizes_choice},
                picked={"job": trained_options},
            )
            error = gr.HTML(visible=False)
            export = gr.Button("Export", variant="primary", elem_id="export")
            forms.lay_out_yaml(page, form, error)
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(TAB, "export", "Nothing exported yet. Train a model first, then press “Export”.")
            made = gr.HTML("", elem_id="exported")
            with gr.Accordion("How to run it", open=True, visible=False) as use:
                readme = gr.Markdown("", elem_classes="hearth-readme")
            with gr.Accordion("Modelfiles", open=False, visible=False) as modelfiles_part:
                modelfiles = gr.HTML("")

    job_pick = form.picks["job"]
    known = gr.Textbox(visible=False)

    def name_sizes(workspace: Workspace, shown: str = "") -> list[Any]:
        job_id = job_pick.value(workspace) or ""
        if job_id == shown:
            return [SKIP, SKIP]
        return [gr.CheckboxGroup(choices=size_choices(workspace, job_id)), job_id]

    def start(workspace: Workspace, *values: Any) -> list[Any]:
        job = require_chosen(workspace, job_pick.value(workspace))
        spec = form.parse(workspace, values)
        title = f"{job.header['title']} as files"
        return job_panel.start(panel, workspace, spec.model_dump(mode="json"), title)

    sizes = form.components["quantisations"]
    page.load(form.initial, [*form.inputs, form.yaml])
    page.load(name_sizes, [sizes, known])
    page.poll(TAB, name_sizes, [known], [sizes, known])
    page.on(export.click, start, form.inputs, panel.outputs, error)
    job_panel.wire(page, panel, result, [made, use, readme, modelfiles_part, modelfiles])


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


def sizes_choice(option: FormField) -> Any:
    """The quantisations, each with what it costs; sizes are added when the model is known."""
    choices = [(f"{name}: {WHAT_IT_COSTS[name]}", name) for name in option.choices]
    return gr.CheckboxGroup(choices, value=option.default, label=option.label, info=option.help)


def size_choices(workspace: Workspace, job_id: str) -> list[tuple[str, str]]:
    """The quantisations with the size that each will have for this model, where its files are at hand."""
    folder = local_folder(f"job:{job_id}", workspace) if train_job(workspace, job_id) else None
    labels = []
    for name, cost in WHAT_IT_COSTS.items():
        about = f", about {size(file_bytes(folder, name))}" if folder else ""
        labels.append((f"{name}: {cost}{about}", name))
    return labels


def file_bytes(folder: Path, quantisation: str) -> float:
    """About how large a GGUF of the model in `folder` is."""
    config = read_json(folder / "config.json") or {}
    even = config.get("hidden_size", 0) % 256 == 0
    each = (BYTES_A_WEIGHT if even else BYTES_A_WEIGHT_UNEVEN)[quantisation]
    return count_parameters(folder) * each + int(config.get("vocab_size", 0)) * BYTES_A_TOKEN


def result(workspace: Workspace, job: JobDirectory, status: Status) -> list[Any]:  # noqa: ARG001 - as every result
    """The files with their checks, the commands, and the Modelfiles."""
    manifest = job.manifest
    if status.state is not State.SUCCEEDED or manifest is None:
        hidden = gr.Accordion(visible=False)
        return ["", hidden, "", hidden, ""]
    readme = job.path / "README.md"
    texts = sorted(job.path.glob("Modelfile*"))
    return [
        exported_html(job, manifest["figures"]),
        gr.Accordion(visible=readme.is_file()),
        readme.read_text(encoding="utf-8") if readme.is_file() else "",
        gr.Accordion(visible=bool(texts)),
        "".join(f"<h4>{escape(path.name)}</h4><pre>{escape(path.read_text(encoding='utf-8'))}</pre>" for path in texts),
    ]


def exported_html(job: JobDirectory, figures: dict[str, Any]) -> str:
    """A card for each file: its size, its check in words, and its download."""
    parity = read_json(job.path / "parity.json") or {"files": []}
    checks = {check["file"]: check for check in parity["files"]}
    cards = []
    for name in figures["size_bytes"]:
        path = job.path / name
        check = checks.get(name)
        cards.append(f'<div class="verdict small {_tone(check)}">{_file(job, path, check)}</div>')
    others = [path for path in artifacts(job) if path.suffix != ".gguf" and path.parent == job.path]
    note = "" if figures["verified"] else '<p class="warning">Not every file is verified: see above.</p>'
    return f'<div class="hearth-result"><h4>Files</h4>{"".join(cards)}{note}{file_links(job, others)}</div>'


def _tone(check: dict[str, Any] | None) -> str:
    return "open" if check is None else "better" if check["passed"] else "worse"


def _file(job: JobDirectory, path: Path, check: dict[str, Any] | None) -> str:
    words = "Unverified: no prompt was checked." if check is None else f"{_checked(check)}: {check['verdict']}."
    speed = (
        f" {check['tokens_per_second']:.0f} tokens/s on this machine." if check and check["tokens_per_second"] else ""
    )
    return f"{file_links(job, [path])}<span class='plain'>{escape(words + speed)}</span>"


def _checked(check: dict[str, Any]) -> str:
    return f"Checked in llama.cpp on {count(check['prompts'], 'held-out prompt')}"
