"""What goes wrong in a run on the tiny model, and that it goes on: memory, values that are no numbers, a full disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace
from tests.trainer.conftest import finish, wait_for
from tests.trainer.faulty_jobs import FaultyJobs, failed, faulty_jobs, kill, losses, wait_until_lost, weights
from trainer.checkpoints import checkpoints_in

pytestmark = pytest.mark.heavy

# 33 rows of 24 to 26 tokens: 5 batches of 8 an epoch, the last of one row.
LONGEST = 26
PLAIN = {
    "optimisation": {"batch_size": 8, "epochs": 2.5, "learning_rate": 0.003},
    "saving": {"checkpoint_every": 2, "evaluate_every": 3, "samples": 0},
    "precision": "fp32",
}
STEPS = 13


@pytest.fixture(scope="module")
def jobs(dataset: Workspace, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyJobs]:
    with faulty_jobs(tmp_path_factory.mktemp("faults"), dataset, tiny_model) as started:
        yield started


@pytest.fixture(scope="module")
def plain(jobs: FaultyJobs) -> JobDirectory:
    """The run that nothing happens to."""
    job = jobs.start(PLAIN)
    assert finish(job)["steps"] == STEPS
    return job


def with_options(**options: Any) -> dict[str, Any]:
    """PLAIN with other values in its groups."""
    known: dict[str, Any] = dict(PLAIN)
    for name, value in options.items():
        known[name] = {**known.get(name, {}), **value} if isinstance(value, dict) else value
    return known


def what(job: JobDirectory) -> list[str]:
    return [change["what"] for change in job.changes]


# Memory


def test_memory_that_is_full_in_the_probe_halves_the_batch_and_gives_the_failed_model_back(
    jobs: FaultyJobs, plain: JobDirectory
) -> None:
    job = jobs.start(with_options(safety={"probe": "always"}), {"card": {"tokens": 2 * LONGEST}, "count_models": {}})
    assert finish(job)["steps"] == STEPS
    assert what(job)[::2] == [
        "Batch 8 → 4, accumulation 1 → 2: still 8 rows a step",
        "Batch 4 → 2, accumulation 2 → 4: still 8 rows a step",
    ]
    assert [change["plan"] for change in job.changes if "plan" in change] == [
        {"batch_size": 4, "gradient_accumulation": 2},
        {"batch_size": 2, "gradient_accumulation": 4},
    ]
    for change in job.changes:
        assert f"{change['what']} ({change['why']})" in job.log_tail()
    assert losses(job) == pytest.approx(losses(plain), abs=1e-4), "the same rows a step"
    counted = [line for line in job.log_tail().splitlines() if line.startswith("models in memory")]
    assert counted == ["models in memory before loading: 0"] * 3


def test_memory_that_is_full_at_any_stage_climbs_the_ladder_from_the_last_checkpoint_and_a_resume_keeps_the_plan(
    jobs: FaultyJobs, plain: JobDirectory, tmp_path: Path
) -> None:
    moments = [("step", 0), ("evaluation", 5), ("backward", 8)]
    job = jobs.start(PLAIN, {"full_at": {"moments": moments}, "wait_at": {"steps": [11], "folder": str(tmp_path)}})
    wait_for(job, lambda job: (tmp_path / "waiting-11").exists() or not job.status().state.active)
    kill(job)
    wait_until_lost(job)
    reached = [change["plan"] for change in job.changes if "plan" in change]
    assert [change["batch_size"] for change in reached] == [4, 2, 1]
    assert [change["why"] for change in job.changes if "plan" in change] == [
        f"memory was full: CUDA out of memory in {where}" for where, _ in moments
    ]
    assert what(job)[1] == "Beginning anew", "there was no checkpoint yet"
    assert what(job)[3::2] == ["Going on from checkpoint 4", "Going on from checkpoint 6"]
    # A card on which only single rows fit: resumed with larger batches, it would have to change the plan again.
    jobs.resume(job, {"card": {"tokens": LONGEST}})
    assert finish(job)["steps"] == STEPS
    assert what(job)[6:] == ["Going on from checkpoint 10"]
    assert losses(job) == pytest.approx(losses(plain), abs=1e-4)


def test_after_single_rows_come_gradient_checkpointing_and_shorter_packs_and_the_steps_stay(jobs: FaultyJobs) -> None:
    packed = with_options(max_length=256, optimisation={"batch_size": 2, "batching": "packing", "epochs": 4})
    job = jobs.start(packed, {"card": {"tokens": 100, "checkpointed": 130}})
    steps = finish(job)["steps"]
    assert job.resolved is not None
    assert steps == job.resolved["total_steps"]["value"] == 8
    assert what(job)[::2] == [
        "Batch 2 → 1, accumulation 1 → 2: still 2 rows a step",
        "Gradient checkpointing on: parts are computed twice instead of kept",
        "Packs of 256 → 128 tokens; no row is cut",
    ]


def test_when_nothing_is_left_or_nothing_may_be_given_up_the_message_says_what_to_do(jobs: FaultyJobs) -> None:
    small = with_options(optimisation={"batch_size": 2})
    exhausted = jobs.start(small, {"card": {"tokens": 10}})
    forbidden = jobs.start({**small, "safety": {"recover": False}}, {"card": {"tokens": 10}})
    too_large = jobs.start(small, {"full_at_loading": {}})

    status = failed(exhausted)
    assert status.error_kind == "out_of_room"
    assert [change["plan"] for change in exhausted.changes if "plan" in change] == [
        {"batch_size": 1, "gradient_accumulation": 2},
        {"gradient_checkpointing": True},
    ]
    assert "one row of up to 26 tokens" in status.message
    assert "Nothing is left" in (status.error or "")
    assert "qlora" in (status.hint or "") and "max_length" in (status.hint or "")

    status = failed(forbidden)
    assert forbidden.changes == []
    assert (status.error_kind, "batches of 2 rows" in status.message) == ("out_of_room", True)
    assert "safety.recover" in (status.hint or "")

    status = failed(too_large)
    assert too_large.changes == []
    assert status.error_kind == "out_of_room"
    assert "doesn't fit into memory" in status.message
    assert "qlora" in (status.hint or "") and "smaller model" in (status.hint or "")
    for job in (exhausted, forbidden, too_large):
        assert "Traceback" not in job.log_tail()
        assert job.manifest is None


# Values that are no numbers


def rates(job: JobDirectory) -> list[float]:
    return [event["learning_rate"] for event in job.metrics() if "loss" in event]


def test_a_loss_or_gradient_that_is_no_number_goes_back_to_the_checkpoint_with_half_the_rate(
    jobs: FaultyJobs, plain: JobDirectory
) -> None:
    job = jobs.start(PLAIN, {"no_number": {"moments": [("loss", 6, 1), ("gradient", 11, 1)]}})
    assert finish(job)["steps"] == STEPS
    assert what(job) == [
        "Learning rate 0.003 → 0.0015",
        "Going on from checkpoint 4",
        "Learning rate 0.0015 → 0.00075",
        "Going on from checkpoint 10",
    ]
    assert "The loss is no number at step 6" in job.changes[0]["why"]
    assert "The gradient is no number at step 11" in job.changes[2]["why"]
    expected = [rate / (1 if step <= 4 else 2 if step <= 10 else 4) for step, rate in enumerate(rates(plain), start=1)]
    assert rates(job) == pytest.approx(expected)
    assert losses(job)[:5] == losses(plain)[:5]
    assert all_finite(job.path / "adapter")


def test_values_that_stay_no_number_end_the_run_after_the_allowed_tries_with_good_weights_kept(
    jobs: FaultyJobs,
) -> None:
    options = {**PLAIN, "safety": {"retries_after_nan": 2}}
    later = jobs.start(options, {"no_number": {"moments": [("gradient", 7, 99)]}})
    first = jobs.start({**PLAIN, "safety": {"retries_after_nan": 1}}, {"no_number": {"moments": [("loss", 1, 99)]}})

    status = failed(later)
    assert status.error_kind == "training"
    assert "The gradient is no number at step 7, also with the learning rate lowered 2 times, to 0.00075" in (
        status.message
    )
    assert status.hint
    assert [change["plan"]["learning_rate"] for change in later.changes if "plan" in change] == [0.0015, 0.00075]
    assert [step for step, _ in checkpoints_in(later.path / "checkpoints")] == [4, 6]
    assert all(all_finite(path) for _, path in checkpoints_in(later.path / "checkpoints"))

    assert "lowered 1 times" in failed(first).message
    assert what(first) == ["Learning rate 0.003 → 0.0015", "Beginning anew"]
    assert checkpoints_in(first.path / "checkpoints") == []


def all_finite(folder: Path) -> bool:
    import torch
    from safetensors.torch import load_file

    return all(bool(torch.isfinite(value).all()) for value in load_file(folder / "adapter_model.safetensors").values())


# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that is just large enough for a run to be allowed to start."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=140m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system isn't permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, *, leave: int) -> Path:
    """A file that takes all but `leave` bytes."""
    filler = folder / "filler"
    size = shutil.disk_usage(folder).free - leave
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    return filler


def fill_last_block(path: Path) -> None:
    """Blanks up to the end of the file's last block: where that has room, a line can be added on a full disk too."""
    block = os.statvfs(path).f_bsize
    with path.open("ab") as file:
        file.write(b" " * (-file.tell() % block))


def is_paused(job: JobDirectory) -> bool:
    assert job.status().state.active, job.log_tail()
    return job.status().message.startswith("Paused")


def test_a_disk_that_fills_up_pauses_the_run_which_goes_on_by_itself_and_ends_as_if_nothing_had_been(
    jobs: FaultyJobs, plain: JobDirectory, dataset: Workspace, small_disk: Path, tmp_path: Path
) -> None:
    shutil.copytree(dataset.datasets, small_disk / "datasets")
    faults = {"wait_at": {"steps": [4, 7, 10], "folder": str(tmp_path)}}
    job = jobs.start(PLAIN, faults, Workspace(small_disk))

    def full_from(step: int, leave: int) -> Path:
        wait_for(job, lambda job: (tmp_path / f"waiting-{step}").exists() or not job.status().state.active)
        fill_last_block(job.path / "events.jsonl")
        filler = fill(small_disk, leave=leave)
        (tmp_path / f"go-{step}").touch()
        wait_for(job, is_paused)
        return filler

    # In the middle of a checkpoint's writing.
    filler = full_from(4, leave=1_000_000)
    assert "the disk is full, about 1" in job.status().message and "MB more" in job.status().message
    assert [step for step, _ in checkpoints_in(job.path / "checkpoints")] == [2, 3], "none half-written"
    assert not (job.path / "manifest.json").exists()
    filler.unlink()
    # To the last byte, at a step that saves nothing: the chart can't be written.
    filler = full_from(7, leave=0)
    filler.unlink()
    wait_for(job, lambda job: (tmp_path / "waiting-10").exists() or not job.status().state.active)
    filler = full_from(10, leave=100_000)
    assert launcher.stop(job, wait_seconds=60) is State.STOPPED
    *_, (newest, _) = checkpoints_in(job.path / "checkpoints")
    assert newest < 10
    filler.unlink()
    jobs.resume(job)
    assert finish(job)["steps"] == STEPS
    assert what(job) == [
        "Went on after a pause",
        "Went on after a pause",
        "Going on from checkpoint 6",
        f"Going on from checkpoint {newest}",
    ]
    assert weights(job) == weights(plain)
    assert losses(job) == losses(plain)
