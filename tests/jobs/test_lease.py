"""One heavy job at a time, also across workspaces, in an order that can be changed."""

from __future__ import annotations

from pathlib import Path

from jobs import launcher
from jobs.directory import State
from jobs.lease import Lease
from jobs.workspace import Workspace
from tests.jobs.conftest import Start, wait_for, wait_until_over


def test_of_two_jobs_from_two_workspaces_one_runs_and_one_waits_and_says_for_which(
    start: Start, tmp_path: Path
) -> None:
    first = start(steps=60, seconds=0.05)
    wait_for(first, lambda job: job.status().state is State.RUNNING)
    second = start(Workspace(tmp_path / "other"))
    wait_for(second, lambda job: job.status().message.startswith("Waiting for Toy 1"))
    assert second.status().state is State.QUEUED
    assert first.id in second.status().message
    assert str(first.path.parent.parent) in second.status().message
    assert wait_until_over(first) is State.SUCCEEDED
    assert wait_until_over(second) is State.SUCCEEDED
    assert _started(second) >= _finished(first)


def test_the_queue_runs_in_the_order_that_the_user_sets(start: Start) -> None:
    first = start(steps=60, seconds=0.05)
    wait_for(first, lambda job: job.status().state is State.RUNNING)
    second, third = start(), start()
    lease = Lease("cpu")
    wait_for(second, lambda _: len(lease.queue()) == 2)
    lease.reorder(third.path, 0)
    assert lease.queue()[0].directory.id == third.id
    assert wait_until_over(second) is State.SUCCEEDED
    assert _started(third) <= _started(second)


def test_a_waiting_job_can_be_stopped(start: Start) -> None:
    first = start(steps=60, seconds=0.05)
    wait_for(first, lambda job: job.status().state is State.RUNNING)
    second = start()
    wait_for(second, lambda job: job.status().message.startswith("Waiting"))
    assert launcher.stop(second, wait_seconds=5) is State.STOPPED


def test_a_killed_holder_frees_the_machine(start: Start) -> None:
    first = start(steps=400, seconds=0.05)
    wait_for(first, lambda job: job.status().state is State.RUNNING)
    second = start()
    launcher.end_process_group(first)
    assert wait_until_over(second) is State.SUCCEEDED
    assert first.status().state is State.LOST


def _started(job) -> float:  # type: ignore[no-untyped-def]
    return float(job.resolved["start_time"]["value"])


def _finished(job) -> float:  # type: ignore[no-untyped-def]
    return float(job.manifest["finished"])
