"""Launching toy jobs in real detached processes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import kinds, launcher
from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace

Start = Callable[..., JobDirectory]


@pytest.fixture
def start(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a toy job; what still runs at the end of the test is ended."""
    monkeypatch.setenv("HEARTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(launcher, "WORKER_COMMAND", [sys.executable, "-m", "tests.jobs.toy_worker"])
    monkeypatch.setitem(kinds.KINDS, "toy", kinds.Kind("tests.jobs.toy_worker:run", heavy=True, label="Toy"))
    started: list[JobDirectory] = []

    def begin(where: Workspace = workspace, **spec: Any) -> JobDirectory:
        job = launcher.start(where, "toy", {"steps": 3, **spec}, title=f"Toy {len(started) + 1}", resource="cpu")
        started.append(job)
        return job

    yield begin
    for job in started:
        launcher.end_process_group(job)


def wait_for(job: JobDirectory, condition: Callable[[JobDirectory], bool], seconds: float = 30.0) -> None:
    """Wait until `condition` holds; fail with the job's own words when it doesn't in time."""
    deadline = time.monotonic() + seconds
    while not condition(job):
        assert time.monotonic() < deadline, f"{job.status()}\n{job.log_tail()}"
        time.sleep(0.05)


def wait_until_over(job: JobDirectory, seconds: float = 30.0) -> State:
    wait_for(job, lambda job: not job.status().state.active, seconds)
    return job.status().state
