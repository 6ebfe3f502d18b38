"""An export that is killed at each of its stages: nothing half-written looks whole, and it ends in the same files."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from export.gguf_file import read_gguf
from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.files import sha256
from jobs.workspace import Workspace
from tests.export.test_job import make_training

pytestmark = pytest.mark.heavy
SPEC = {"quantisations": ["f16", "q4_k_m"], "to": ["gguf", "adapter_gguf", "llama_server"], "check_tokens": 12}
STAGES = (
    "Merging the adapter",
    "Converting to GGUF",
    "Quantising to Q4_K_M",
    "Comparing prompts",
    "Comparing answers",
    "Comparing probabilities",
    "Comparing scores",
)
SECONDS = 120.0


@pytest.fixture(scope="module")
def workspace(wrong_model: Path, trained_adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    place = Workspace(tmp_path_factory.mktemp("faults") / "workspace")
    make_training(place, wrong_model, trained_adapter)
    return place


def begin(workspace: Workspace) -> JobDirectory:
    training = workspace.list_jobs("train")[0]
    spec = {**SPEC, "job": training.id, "task": "exact_match"}
    return launcher.start(workspace, "export", spec, title="files", resource="cpu")


def wait(job: JobDirectory, state: State) -> None:
    deadline = time.monotonic() + SECONDS
    while launcher.observe(job).state is not state:
        assert time.monotonic() < deadline, job.log_tail()
        time.sleep(0.05)


def kill_at(job: JobDirectory, stage: str) -> None:
    """SIGKILL to the worker and all that it started, as soon as it says that it is at that stage."""
    deadline = time.monotonic() + SECONDS
    while not job.status().message.startswith(stage):
        assert job.status().state.active and time.monotonic() < deadline, job.log_tail()
        time.sleep(0.002)
    pid = job.status().pid
    assert pid is not None
    os.killpg(pid, signal.SIGKILL)
    wait(job, State.LOST)


def hashes(job: JobDirectory) -> dict[str, str]:
    return {path.name: sha256(path) for path in sorted(job.path.glob("*.gguf"))}


def test_killed_at_every_stage_it_goes_on_and_ends_in_the_same_files(workspace: Workspace) -> None:
    whole = begin(workspace)
    wait(whole, State.SUCCEEDED)
    job = begin(workspace)
    for stage in STAGES:
        kill_at(job, stage)
        for path in job.path.glob("*.gguf"):
            assert len(read_gguf(path).tensors) > 0
            assert sha256(path) == sha256(whole.path / path.name)
        assert job.manifest is None
        launcher.resume(job)
    wait(job, State.SUCCEEDED)
    assert hashes(job) == hashes(whole)
    assert len(hashes(job)) == 3
    assert not (job.path / "work").exists()
    assert (job.path / "for-llama-server" / "README.md").is_file()
