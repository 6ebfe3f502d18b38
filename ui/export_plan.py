"""What an export would do and take, before it is started: sizes of files, stages with their expected time, disk."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from export.plan import needed_bytes, planned_stages
from export.quantisations import FORMATS, Quantisation, available, estimated_bytes
from export.source import open_source
from export.spec import TARGETS, ExportSpec
from export.stages import rates
from jobs.errors import UserError
from jobs.files import read_json
from jobs.workspace import Workspace
from models.folder import count_parameters
from models.hardware import probe
from models.local_files import local_folder
from ui.choices import train_job
from ui.fields import FormField
from ui.words import duration, size

BASE_COMES_FIRST = "The weights below this adapter are not on this machine: the export fetches or unpacks them first."

Choice = tuple[str, str]


def sizes_choice(option: FormField) -> Any:
    """The quantisations that can be made here, each with what it costs; sizes are added when the model is known."""
    missing = {name: why for name, why in available().items() if why is not None}
    help_text = "Several are made from one conversion."
    if missing:
        reason = next(iter(missing.values()))
        help_text += f" Not here: {', '.join(name.upper() for name in missing)} ({reason})."
    choices = [_label(name, "") for name in FORMATS if name not in missing]
    return gr.CheckboxGroup(choices, value=option.default, label=option.label, info=help_text)


def targets_choice(option: FormField) -> Any:
    """What can be made, in words."""
    about = "GGUF is for Ollama, llama.cpp and LM Studio. A folder holds the model and the command that runs it."
    choices = [(words, name) for name, words in TARGETS.items()]
    return gr.CheckboxGroup(choices, value=option.default, label=option.label, info=about)


def size_choices(workspace: Workspace, job_id: str) -> list[Choice]:
    """The quantisations with the size that each will have for this model, where its files are at hand."""
    folder = local_folder(f"job:{job_id}", workspace) if train_job(workspace, job_id) else None
    names = [name for name, why in available().items() if why is None]
    return [_label(name, f", about {size(_file_bytes(folder, name))}" if folder else "") for name in names]


def _label(name: Quantisation, about: str) -> Choice:
    return f"{FORMATS[name].label}: {FORMATS[name].cost}{about}", name


def _file_bytes(folder: Path, name: Quantisation) -> int:
    config = read_json(folder / "config.json") or {}
    even = config.get("hidden_size", 0) % 256 == 0
    return estimated_bytes(name, count_parameters(folder), int(config.get("vocab_size", 0)), even)


def plan_html(workspace: Workspace, spec: ExportSpec | None) -> str:
    """The stages with the time that each should take, and the disk space; empty while nothing can be told."""
    if spec is None or train_job(workspace, spec.job) is None:
        return ""
    if local_folder(f"job:{spec.job}", workspace) is None:
        return f'<p class="quiet">{BASE_COMES_FIRST}</p>'
    try:
        source = open_source(spec, workspace)
    except UserError:
        return ""  # the button says what is wrong
    hardware = probe(workspace.root)
    stages = planned_stages(spec, source, rates(workspace, card=bool(hardware.gpus)))
    whole = sum(stage.expected for stage in stages)
    parts = ", ".join(f"{stage.label[0].lower()}{stage.label[1:]} {_about(stage.expected)}" for stage in stages)
    needed = needed_bytes(spec, source)
    short = needed > hardware.disk_free
    room = f"The disk has {size(hardware.disk_free)} free, the export takes {size(needed)} of them."
    warning = '<p class="warning">Not enough room on the disk.</p>' if short else ""
    return (
        f'<div class="hearth-export-plan">About <b>{_about(whole)}</b> on this machine. {room}'
        f'<p class="quiet">{escape(parts)}</p>{warning}</div>'
    )


def _about(seconds: float) -> str:
    return duration(max(1.0, seconds))
