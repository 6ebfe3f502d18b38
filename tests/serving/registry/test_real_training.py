"""A real training of the tiny model, registered: its lineage is what the training really used."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets_src.store import open_version
from jobs import launcher
from jobs.workspace import Workspace
from serving.registry import Registry
from serving.registry.vllm import vllm_launch
from tests.toys import publish_rows
from tests.trainer.conftest import finish, sums


@pytest.mark.slow
def test_a_trained_adapter_is_registered_with_all_that_made_it(
    workspace: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    rows = sums(16)
    publish_rows(workspace, "sums", rows[:12], rows[12:])
    spec = {
        "model": str(tiny_model),
        "data": "sums",
        "backend": "peft",
        "method": {"rank": 4},
        "optimisation": {"max_steps": 1},
    }
    job = launcher.start(workspace, "train", spec, title="sums", resource="cpu")
    try:
        finish(job)
    finally:
        launcher.end_process_group(job)
    registry = Registry(workspace)
    version = registry.register("adder", f"job:{job.id}")
    assert version.lineage.data == open_version(workspace, "sums").id
    assert (version.lineage.base, version.lineage.method) == (str(tiny_model), "sft, lora")
    assert "rank: 4" in (version.lineage.spec or "")
    assert registry.check(version).state == "unchanged"
    registry.promote("adder", 1, "the first")
    assert registry.resolve("adder").ref == f"job:{job.id}"
    assert "--max-lora-rank 8" in vllm_launch(registry, ["adder"], tmp_path / "launch").command
