"""A run that was killed or stopped ends with the very weights of one that was not."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace
from tests.toys import write_rows
from tests.trainer.conftest import Train, finish, sums, wait_for
from trainer.checkpoints import checkpoints_in

# Some 30 rows in batches of 4: two epoch boundaries are crossed. Dropout uses the random state.
OPTIONS = {
    "method": {"dropout": 0.1},
    "optimisation": {"batch_size": 4, "epochs": 2.5},
    "saving": {"checkpoint_every": 3, "evaluate_every": 5},
}


def weights(job: JobDirectory) -> bytes:
    return (job.path / "adapter" / "adapter_model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_killed_run_shows_as_lost_and_resumes_to_the_same_weights_bit_for_bit(train: Train) -> None:
    whole = train(**OPTIONS)
    total = finish(whole)["steps"]
    assert total >= 15

    killed = train(**OPTIONS)
    # Past a checkpoint inside the first epoch, so that the resumed part crosses the boundary and repeats steps.
    wait_for(killed, lambda job: any(event["step"] >= 7 for event in job.metrics()))
    pid = killed.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(killed, lambda job: job.status().state is State.LOST)
    assert killed.manifest is None
    launcher.resume(killed)
    assert finish(killed)["steps"] == total

    assert weights(killed) == weights(whole)
    steps = [event["step"] for event in killed.metrics() if "loss" in event]
    assert steps == list(range(1, total + 1)), "the chart has every step once"
    assert [event["loss"] for event in killed.metrics() if "loss" in event] == [
        event["loss"] for event in whole.metrics() if "loss" in event
    ]


@pytest.mark.slow
def test_a_stopped_run_goes_on_from_its_last_step_on_the_rows_it_began_with(train: Train, dataset: Workspace) -> None:
    job = train(**{**OPTIONS, "saving": {"checkpoint_every": 1000, "evaluate_rows": 0}})
    wait_for(job, lambda job: any(event["step"] >= 4 for event in job.metrics()))
    assert launcher.stop(job, wait_seconds=60) is State.STOPPED
    ((step, _),) = checkpoints_in(job.path / "checkpoints")
    assert step >= 4
    before = job.resolved
    source = write_rows(dataset.root / "other.jsonl", sums(10))
    build(DatasetSpec.parse({"name": "sums", "sources": [{"path": str(source)}], "eval_fraction": 0.2}), dataset)
    launcher.resume(job)
    assert finish(job)["steps"] > step
    assert [event["step"] for event in job.metrics()] == list(range(1, finish(job)["steps"] + 1))
    assert job.resolved == before, "a newer version of the dataset changes nothing"
    assert f"Going on from checkpoint {step}" in job.changes[0]["what"]


def test_a_half_written_checkpoint_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-10").mkdir()
    (tmp_path / ".saving" / "checkpoint-20").mkdir(parents=True)
    (tmp_path / "checkpoint-9").mkdir()
    assert [step for step, _ in checkpoints_in(tmp_path)] == [9, 10]
