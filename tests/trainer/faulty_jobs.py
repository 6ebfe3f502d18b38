"""Jobs of the tiny model whose workers start at once and have the faults that a test asks for: see faulty_worker.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jobs import launcher
from jobs.directory import JobDirectory, State, Status
from jobs.workspace import Workspace
from tests.trainer.conftest import wait_for

PROGRAM = Path(__file__).with_name("faulty_worker.py")
START_SECONDS = 180


class FaultyJobs:
    """Starts and resumes train jobs. Each has a resource of its own, so that none waits for another."""

    def __init__(self, socket: Path, workspace: Workspace, model: Path) -> None:
        self._socket = socket
        self._workspace = workspace
        self._model = model
        self._started: list[JobDirectory] = []

    def command(self, faults: dict[str, Any]) -> list[str]:
        """What a launcher runs as worker; the job's folder is to be added."""
        return [sys.executable, "-S", "-E", str(PROGRAM), str(self._socket), json.dumps(faults)]

    def start(
        self, options: dict[str, Any], faults: dict[str, Any] | None = None, workspace: Workspace | None = None
    ) -> JobDirectory:
        spec = {"model": str(self._model), "data": "sums", "backend": "peft", **options}
        with self._launching(faults or {}):
            resource = f"faulty{len(self._started)}"
            job = launcher.start(workspace or self._workspace, "train", spec, title="sums", resource=resource)
        self._started.append(job)
        return job

    def resume(self, job: JobDirectory, faults: dict[str, Any] | None = None) -> None:
        with self._launching(faults or {}):
            launcher.resume(job)

    @contextmanager
    def _launching(self, faults: dict[str, Any]) -> Iterator[None]:
        usual = launcher.WORKER_COMMAND
        launcher.WORKER_COMMAND = self.command(faults)
        try:
            yield
        finally:
            launcher.WORKER_COMMAND = usual

    def end(self) -> None:
        for job in self._started:
            if job.status().state.active:
                kill(job)


def kill(job: JobDirectory) -> None:
    """`kill -9` its worker."""
    pid = job.status().pid
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def faulty_jobs(folder: Path, workspace: Workspace, model: Path) -> Iterator[FaultyJobs]:
    """The process that forks workers, and what starts jobs with it. One thread computes the tiny model soonest."""
    socket = folder / "workers"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.trainer.faulty_worker", str(socket)], cwd=PROGRAM.parents[2], env=environment
    )
    jobs = FaultyJobs(socket, workspace, model)
    deadline = time.monotonic() + START_SECONDS
    try:
        while not socket.exists():
            assert server.poll() is None and time.monotonic() < deadline, "the process that forks workers didn't start"
            time.sleep(0.05)
        yield jobs
    finally:
        jobs.end()
        server.kill()
        server.wait()


def wait_until_lost(job: JobDirectory) -> None:
    """Wait until its worker was killed; fail when it ends in another way."""
    wait_for(job, lambda job: not job.status().state.active)
    assert job.status().state is State.LOST, job.log_tail()


def failed(job: JobDirectory) -> Status:
    """Wait for the end of a job that has to fail; return its status."""
    wait_for(job, lambda job: not job.status().state.active)
    status = job.status()
    assert status.state is State.FAILED, job.log_tail()
    return status


def weights(job: JobDirectory) -> bytes:
    """The trained adapter, byte for byte."""
    return (job.path / "adapter" / "adapter_model.safetensors").read_bytes()


def losses(job: JobDirectory) -> list[float]:
    """Of all steps in order; fails where a step is missing or there twice."""
    metrics = [event for event in job.metrics() if "loss" in event]
    assert [event["step"] for event in metrics] == list(range(1, len(metrics) + 1))
    return [event["loss"] for event in metrics]
