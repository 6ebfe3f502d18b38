"""A server as people start it: a job of kind "serve" in a workspace, with its address."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs import launcher
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from serving.job import ADDRESS
from serving.spec import ServeSpec

OPENING_SECONDS = 120


@dataclass
class Running:
    """A started server."""

    workspace: Workspace
    job: JobDirectory
    address: str

    @property
    def base_url(self) -> str:
        return f"{self.address}/v1"

    def stop(self) -> None:
        launcher.stop(self.job, wait_seconds=60)


def start(workspace: Workspace, **options: Any) -> Running:
    """Start it and wait until it listens."""
    spec = ServeSpec.parse({"port": 0, **options})
    job = launcher.start(workspace, "serve", spec.model_dump(mode="json"), title=spec.title, resource="cpu")
    try:
        return Running(workspace, job, wait_for_address(job))
    except AssertionError:
        launcher.stop(job, wait_seconds=10)
        raise


def wait_for_address(job: JobDirectory) -> str:
    deadline = time.monotonic() + OPENING_SECONDS
    while not (job.path / ADDRESS).exists():
        status = job.status()
        assert status.state.active and time.monotonic() < deadline, f"{status}\n{job.log_tail()}"
        time.sleep(0.1)
    return str(json.loads((job.path / ADDRESS).read_text())["address"])


@contextmanager
def running(workspace: Workspace, **options: Any) -> Iterator[Running]:
    """A server until the block ends."""
    server = start(workspace, **options)
    try:
        yield server
    finally:
        server.stop()


def save_adapters(base: Path, folder: Path, count: int, *, use_dora: bool = False) -> list[Path]:
    """Random LoRA adapters of a model, strong enough that each answers otherwise."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    saved = []
    for number in range(count):
        torch.manual_seed(number)
        config = LoraConfig(r=4, lora_alpha=32, target_modules="all-linear", init_lora_weights=False, use_dora=use_dora)
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
        model.save_pretrained(folder / f"adapter{number}")
        for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            (folder / f"adapter{number}" / name).write_bytes((base / name).read_bytes())
        saved.append(folder / f"adapter{number}")
    return saved
