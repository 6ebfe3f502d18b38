"""A run that was killed or stopped, at whatever moment, ends with the very weights of one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace, cache_folder
from tests.toys import write_rows
from tests.trainer.conftest import Train, finish, sums, wait_for
from tests.trainer.faulty_jobs import FaultyJobs, faulty_jobs, kill, losses, wait_until_lost, weights
from trainer.checkpoints import checkpoints_in

# 33 rows in batches of 4: two epoch boundaries are crossed. Dropout uses the random state.
OPTIONS: dict[str, Any] = {
    "method": {"dropout": 0.1},
    "optimisation": {"batch_size": 4, "epochs": 2.5},
    "saving": {"checkpoint_every": 3, "evaluate_every": 5, "keep_checkpoints": 4},
}
STEPS = 23
PROJECT = Path(__file__).resolve().parents[2]
KILLS = 20
# Of the kills, those that hit the saving of a checkpoint: by the share of its bytes that are written, or later.
SAVINGS: list[dict[str, Any]] = [
    {"at": "written", "share": 0.01},
    {"at": "written", "share": 0.3},
    {"at": "written", "share": 0.9},
    {"at": "written", "share": 0.99},
    {"at": "hashing"},
    {"at": "publishing"},
    {"at": "published"},
    {"at": "pruned"},
]


@pytest.fixture(scope="module")
def jobs(dataset: Workspace, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyJobs]:
    with faulty_jobs(tmp_path_factory.mktemp("resume"), dataset, tiny_model) as started:
        yield started


@pytest.fixture(scope="module")
def undisturbed(jobs: FaultyJobs) -> JobDirectory:
    job = jobs.start(OPTIONS)
    assert finish(job)["steps"] == STEPS
    return job


def what(job: JobDirectory) -> list[str]:
    return [change["what"] for change in job.changes]


def reached(job: JobDirectory, step: int, attempt: int = 1) -> bool:
    return any(event["step"] >= step and event["attempt"] >= attempt for event in job.metrics())


@pytest.mark.heavy
def test_a_killed_run_shows_as_lost_and_resumes_to_the_same_weights_bit_for_bit(train: Train) -> None:
    """With workers as the product starts them; the other tests of this file fork theirs, which is sooner done."""
    whole = train(**OPTIONS)
    assert finish(whole)["steps"] == STEPS

    killed = train(**OPTIONS)
    # Past a checkpoint inside the first epoch, so that the resumed part crosses the boundary and repeats steps.
    wait_for(killed, lambda job: reached(job, 7))
    kill(killed)
    wait_until_lost(killed)
    assert killed.manifest is None
    launcher.resume(killed)
    assert finish(killed)["steps"] == STEPS
    assert weights(killed) == weights(whole)
    assert losses(killed) == losses(whole), "the chart has every step once"


@pytest.mark.heavy
def test_a_run_killed_at_twenty_random_moments_ends_with_the_same_weights_bit_for_bit(jobs: FaultyJobs) -> None:
    options = {
        **OPTIONS,
        "optimisation": {"batch_size": 4, "epochs": 9},
        "saving": {"checkpoint_every": 2, "evaluate_every": 5, "samples": 2},
    }
    whole = jobs.start(options)
    steps = finish(whole)["steps"]
    seed = int(os.environ.get("HEARTH_TEST_SEED", time.time_ns() % 10**6))
    print(f"HEARTH_TEST_SEED={seed}")
    moment = random.Random(seed)
    plan = [{"die_saving": saving} for saving in SAVINGS] + [{} for _ in range(KILLS - len(SAVINGS))]
    moment.shuffle(plan)
    job, in_saving, at = None, 0, []
    for attempt, faults in enumerate(plan, start=1):
        if job is None:
            job = jobs.start(options, faults)
        else:
            jobs.resume(job, faults)
        if not faults:
            # Some steps of this attempt, and then any moment of the next ones.
            wait_for(job, lambda job, number=attempt: reached(job, 1, number))  # type: ignore[misc]
            seen = max(event["step"] for event in job.metrics()) + moment.randint(0, 3)
            wait_for(job, lambda job, step=seen: reached(job, step))  # type: ignore[misc]
            time.sleep(moment.uniform(0, 0.2))
            kill(job)
        wait_until_lost(job)
        at.append(max((event["step"] for event in job.metrics()), default=0))
        in_saving += bool(faults)
        assert job.manifest is None
    assert job is not None
    print(f"killed after steps {at}")
    assert (len(at), in_saving) == (KILLS, len(SAVINGS))
    assert job.status().attempt == KILLS
    jobs.resume(job)
    assert finish(job)["steps"] == steps
    assert weights(job) == weights(whole)
    assert losses(job) == losses(whole)
    measured = [
        [(event["step"], event["eval_loss"]) for event in each.metrics() if "eval_loss" in event]
        for each in (job, whole)
    ]
    assert measured[0] == measured[1]
    assert not (job.path / "checkpoints" / ".saving").exists()


@pytest.mark.heavy
def test_a_run_killed_after_its_last_step_trains_no_step_more(jobs: FaultyJobs, undisturbed: JobDirectory) -> None:
    job = jobs.start(OPTIONS, {"die_at_the_end": {"before": "result"}})
    wait_until_lost(job)
    assert checkpoints_in(job.path / "checkpoints")[-1][0] == STEPS
    jobs.resume(job, {"die_at_the_end": {"before": "manifest"}})
    wait_until_lost(job)
    assert job.manifest is None
    jobs.resume(job)
    assert finish(job)["steps"] == STEPS
    assert weights(job) == weights(undisturbed)
    assert losses(job) == losses(undisturbed)


@pytest.mark.heavy
def test_damaged_checkpoints_are_set_aside_and_said_and_the_one_before_is_taken(
    jobs: FaultyJobs, undisturbed: JobDirectory
) -> None:
    job = jobs.start(OPTIONS, {"die_at_the_end": {"before": "result"}})
    wait_until_lost(job)
    *_, (good, _), (third, lacking), (second, cut), (newest, flipped) = checkpoints_in(job.path / "checkpoints")
    flip_a_byte(flipped / "optimizer.pt")
    adapter = cut / "adapter_model.safetensors"
    adapter.write_bytes(adapter.read_bytes()[:-100])
    (lacking / "rng_state.pth").unlink()
    jobs.resume(job, {"die_at_the_end": {"before": "result"}})
    wait_until_lost(job)
    said = [f"checkpoint-{step} is damaged and left aside" for step in (newest, second, third)]
    assert what(job) == [*said, f"Going on from checkpoint {good}"]
    assert all(line in job.log_tail() for line in said)

    for _, path in checkpoints_in(job.path / "checkpoints"):
        flip_a_byte(path / "adapter_model.safetensors")
    jobs.resume(job)
    assert finish(job)["steps"] == STEPS
    assert what(job)[-1] == "Beginning anew"
    assert "no good checkpoint" in job.changes[-1]["why"]
    assert weights(job) == weights(undisturbed)
    assert losses(job) == losses(undisturbed)


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# The programs beside it

START = """
import sys, time
from pathlib import Path
from jobs import launcher
from jobs.workspace import Workspace
launcher.WORKER_COMMAND = {command!r}
launcher.start(Workspace(Path({workspace!r})), "train", {spec!r}, title="orphan", resource="orphan")
time.sleep(600)
"""
RESUME = """
import sys, time
from pathlib import Path
from jobs import launcher
from jobs.directory import JobDirectory
from jobs.errors import BadInput
launcher.WORKER_COMMAND = {command!r}
job = JobDirectory(Path({job!r}))
job.status()
print("ready", flush=True)
sys.stdin.readline()
try:
    launcher.resume(job)
    print("resumed", flush=True)
except BadInput:
    print("refused", flush=True)
sys.stdin.readline()
print(job.status().state, flush=True)
"""


def program(text: str) -> subprocess.Popen[str]:
    """Run `text` as a program of its own, such as a page is."""
    return subprocess.Popen(
        [sys.executable, "-c", text],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.heavy
def test_a_run_outlives_the_program_that_started_it_and_every_process_of_that(
    jobs: FaultyJobs, undisturbed: JobDirectory, dataset: Workspace, tmp_path: Path
) -> None:
    spec = undisturbed.header["spec"]
    waits = {"wait_at": {"steps": [2], "folder": str(tmp_path)}}
    page = program(START.format(command=jobs.command(waits), workspace=str(dataset.root), spec=spec))
    deadline = time.monotonic() + 120
    while not (tmp_path / "waiting-2").exists():
        assert time.monotonic() < deadline and page.poll() is None
        time.sleep(0.05)
    os.killpg(page.pid, signal.SIGKILL)
    page.wait()
    (job,) = [job for job in dataset.list_jobs("train") if job.header["title"] == "orphan"]
    assert job.status().state is State.RUNNING
    (tmp_path / "go-2").touch()
    assert finish(job)["steps"] == STEPS
    assert weights(job) == weights(undisturbed)


@pytest.mark.heavy
def test_two_programs_that_resume_a_run_at_once_start_one_worker_and_see_the_same(
    jobs: FaultyJobs, undisturbed: JobDirectory, tmp_path: Path
) -> None:
    job = jobs.start(OPTIONS, {"wait_at": {"steps": [20], "folder": str(tmp_path)}})
    wait_for(job, lambda job: (tmp_path / "waiting-20").exists() or not job.status().state.active)
    kill(job)
    wait_until_lost(job)
    pages = [program(RESUME.format(command=jobs.command({}), job=str(job.path))) for _ in range(2)]
    try:
        assert [hear(page) for page in pages] == ["ready", "ready"]
        for page in pages:
            say(page, "now")
        assert sorted(hear(page) for page in pages) == ["refused", "resumed"]
        assert finish(job)["steps"] == STEPS
        for page in pages:
            say(page, "and now?")
        assert [hear(page) for page in pages] == ["succeeded", "succeeded"]
    finally:
        for page in pages:
            page.kill()
            page.wait()
    assert job.manifest is not None and job.manifest["attempts"] == 2
    assert what(job) == ["Going on from checkpoint 18"]
    assert weights(job) == weights(undisturbed)


@pytest.mark.heavy
def test_a_stopped_run_goes_on_from_its_last_step_on_the_rows_it_began_with(
    jobs: FaultyJobs, dataset: Workspace
) -> None:
    options = {**OPTIONS, "saving": {"checkpoint_every": 1000, "evaluate_rows": 0}}
    job = jobs.start(options)
    wait_for(job, lambda job: reached(job, 4))
    assert launcher.stop(job, wait_seconds=60) is State.STOPPED
    ((step, _),) = checkpoints_in(job.path / "checkpoints")
    assert step >= 4
    before = job.resolved
    source = write_rows(dataset.root / "other.jsonl", sums(10))
    build(DatasetSpec.parse({"name": "sums", "sources": [{"path": str(source)}], "eval_fraction": 0.2}), dataset)

    # Stopped again while it waits for its turn: it must not forget that it had begun.
    with FileLock(cache_folder() / "leases" / f"{job.header['resource']}.lock"):
        jobs.resume(job)
        wait_for(job, lambda job: job.status().message.startswith("Waiting"))
        assert launcher.stop(job, wait_seconds=60) is State.STOPPED
    jobs.resume(job)
    assert finish(job)["steps"] == STEPS
    assert len(losses(job)) == STEPS
    assert job.resolved == before, "a newer version of the dataset changes nothing"
    assert what(job) == [f"Going on from checkpoint {step}"]
