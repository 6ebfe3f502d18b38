"""Registered models for tests: a base folder, adapters and finished jobs as they lie on disk, without any training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.directory import JobDirectory, State, Status
from jobs.files import write_json, write_text
from jobs.workspace import Workspace
from serving.registry import Registry

MakeAdapter = Callable[..., Path]
MakeJob = Callable[..., JobDirectory]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base model's folder with a card; its weights are never read here."""
    folder = tmp_path / "base"
    write_json(folder / "config.json", {"model_type": "llama"})
    write_text(folder / "model.safetensors", "weights of the base")
    write_text(folder / "README.md", "---\nlicense: apache-2.0\n---\n# Base\n")
    return folder


@pytest.fixture
def adapter(tmp_path: Path, base: Path) -> MakeAdapter:
    """Make an adapter's folder of that base."""

    def make(name: str, folder: Path | None = None, **config: Any) -> Path:
        place = folder or tmp_path / name
        plain = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": str(base), "init_lora_weights": True}
        write_json(place / "adapter_config.json", {**plain, **config})
        write_text(place / "adapter_model.safetensors", f"weights of {name}")
        write_json(place / "hearth.json", {"base": str(base), "data": "chats@abc", "job": name})
        return place

    return make


@pytest.fixture
def trained(workspace: Workspace, adapter: MakeAdapter, base: Path) -> MakeJob:
    """Make a finished training job with an adapter."""

    def make(title: str = "support", **spec: Any) -> JobDirectory:
        values = {"model": str(base), "data": "chats", "method": {"objective": "sft", "adapter": "lora"}, **spec}
        job = JobDirectory.create(
            workspace.new_job_path("train"), kind="train", title=title, spec=values, resource=None
        )
        adapter(title, job.path / "adapter")
        found = {"text": str(base), "name": "base", "folder": str(base), "adapter": None}
        job.write_resolved({"base": {"value": found}, "data": {"value": "chats@abc"}})
        return finished(job, {"final_loss": 0.5})

    return make


@pytest.fixture
def registry(workspace: Workspace) -> Registry:
    return Registry(workspace)


@pytest.fixture
def bot(registry: Registry, adapter: MakeAdapter) -> Registry:
    """A registry with bot@1, bot@2 and bot@3."""
    for number in (1, 2, 3):
        registry.register("bot", f"adapter:{adapter(f'adapter-{number}')}")
    return registry


def finished(job: JobDirectory, figures: dict[str, Any], when: float = 1_700_000_000.0) -> JobDirectory:
    """Write a job's end."""
    job.write_status(Status(State.SUCCEEDED))
    job.write_manifest({"finished": when, "seconds": 1.0, "figures": figures, "artifacts": {}})
    return job


def stages(registry: Registry, name: str = "bot") -> dict[int, str]:
    """The stage of each version, by number."""
    return {version.number: version.stage for version in reversed(registry.find(name=name))}
