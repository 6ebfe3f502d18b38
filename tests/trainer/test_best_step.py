"""A run that learns its rows by heart: it is said, it stops early, and the best step is kept and can be named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from models.reference import resolve
from tests.trainer.conftest import finish
from tests.trainer.faulty_jobs import FaultyJobs, faulty_jobs, wait_until_lost, weights
from trainer.checkpoints import checkpoints_in

pytestmark = pytest.mark.heavy

PATIENCE = 3
OVERFITS = {
    "precision": "fp32",
    "optimisation": {"batch_size": 8, "epochs": 40, "learning_rate": 0.01, "schedule": "constant"},
    "saving": {
        "checkpoint_every": 1000,
        "evaluate_every": 2,
        "early_stopping": PATIENCE,
        "result": "best",
        "samples": 0,
        "keep_checkpoints": 1,
    },
}


@pytest.fixture(scope="module")
def jobs(dataset: Workspace, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyJobs]:
    with faulty_jobs(tmp_path_factory.mktemp("best"), dataset, tiny_model) as started:
        yield started


def measured(job: JobDirectory) -> dict[int, float]:
    return {event["step"]: event["eval_loss"] for event in job.metrics() if "eval_loss" in event}


def weights_of(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


def test_a_run_that_overfits_says_so_stops_early_and_leaves_the_best_step_which_can_be_named(
    jobs: FaultyJobs, dataset: Workspace
) -> None:
    options = {**OVERFITS, "method": {"adapter": "lora", "rank": 64, "alpha": 256}}
    job = jobs.start(options, {"die_at_the_end": {"before": "result"}})
    wait_until_lost(job)
    found = measured(job)
    best = min(found, key=lambda step: found[step])
    last = max(found)
    assert [step for step in found if step > best] == [best + 2, best + 4, best + 6], "it stopped after three rises"
    assert best > 0 and last < 200
    log = job.log_tail()
    assert "The loss on held-out rows no longer falls" in log
    assert f"or use step {best}: it is kept" in log
    assert f"Stopping early: {PATIENCE} measurements in a row were no better than step {best}." in log
    assert [step for step, _ in checkpoints_in(job.path / "checkpoints")] == [best, last]

    jobs.resume(job)
    figures = finish(job)
    assert (figures["steps"], figures["best_step"]) == (last, best), "what was stopped early stays stopped"
    assert figures["best_eval_loss"] == pytest.approx(found[best])
    assert weights(job) == weights_of(job.path / "checkpoints" / f"checkpoint-{best}")
    assert weights(job) != weights_of(job.path / "checkpoints" / f"checkpoint-{last}")
    assert f"The result holds the weights of step {best}" in job.log_tail()

    named = re.findall(r"`(job:[^`]+@\d+)`", log)[-1]
    at_best = resolve(named, dataset)
    assert at_best.adapter == job.path / "checkpoints" / f"checkpoint-{best}"
    assert at_best.folder == resolve(f"job:{job.id}", dataset).folder
    assert at_best.name == f"sums @{best}"
