"""What the Models tab's buttons do: train a model, download one, and what both ask first."""

from __future__ import annotations

from typing import Any

from jobs.directory import JobDirectory
from jobs.errors import BadInput
from jobs.workspace import Workspace
from models.download import cached_snapshot, require_reachable
from models.downloads.spec import DownloadSpec
from models.reference import ModelRef
from ui import demo, job_panel
from ui import form as forms
from ui.job_panel import JobPanel
from ui.page import Settings
from ui.parts import open_part
from ui.paths import check_model

KIND = "model.download"
FROM_MODELS = "Models"


def train_on(settings: Settings, workspace: Workspace, text: str) -> None:
    """Fill the Training form in with a model. Raises BadInput for one that can't be trained, or not on this page."""
    ref = ModelRef.parse(text)
    check_model(settings, workspace, ref.text)
    if ref.asked:
        raise BadInput(
            f"'{ref.text}' can't be trained.",
            "Training needs a model's own weights (safetensors), which a GGUF file or an endpoint doesn't give.",
            "Name a Hub id, a folder, or `job:ID`.",
        )
    forms.enter(workspace, "training", {"model": ref.text}, FROM_MODELS)
    open_part(workspace, "training", "train")


def download(settings: Settings, workspace: Workspace, panel: JobPanel, text: str) -> list[Any]:
    """Start fetching a model, or show the job that fetches it already. Values of the panel's outputs."""
    demo.refuse(settings, "Downloading a model")
    if not text.strip():
        raise BadInput("No model is named.", "It is fetched by its id on the Hub.", "Enter one, as in Qwen/Qwen3-4B.")
    spec = DownloadSpec.parse({"model": text}, "The field")
    known = cached_snapshot(spec.model)
    if known is not None:
        raise BadInput(
            f"'{spec.model}' is on this machine already.", f"It lies in {known}.", "Press “Train this model”."
        )
    running = running_download(workspace, spec.model)
    if running is not None:
        panel.choose(workspace, running.id)
        return panel.show(workspace)
    require_reachable(spec.model)
    return job_panel.start(panel, workspace, spec.model_dump(mode="json"), spec.model)


def running_download(workspace: Workspace, hub_id: str) -> JobDirectory | None:
    """The job that fetches this model right now."""
    jobs = (job for job in workspace.list_jobs(KIND) if job.status().state.active)
    return next((job for job in jobs if job.header["spec"].get("model") == hub_id), None)
