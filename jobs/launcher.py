"""Starting, stopping and resuming jobs, from the page and from the command line alike."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.kinds import KINDS
from jobs.workspace import Workspace

PROJECT = Path(__file__).resolve().parent.parent
JOB_VARIABLE = "HEARTH_JOB"
WORKER_COMMAND = [sys.executable, "-m", "jobs.worker"]


def start(workspace: Workspace, kind: str, spec: dict[str, Any], *, title: str, resource: str) -> JobDirectory:
    """Write the spec and run its worker detached. `resource` is what heavy kinds have to hold (`gpu0`, `cpu`)."""
    needed = resource if KINDS[kind].heavy else None
    job = JobDirectory.create(workspace.new_job_path(kind), kind=kind, title=title, spec=spec, resource=needed)
    _launch(job)
    return job


def resume(job: JobDirectory) -> None:
    """Go on with a stopped, failed or lost job from what it saved. Raises BadInput when it is not one."""
    # Two pages may be asked at the same moment: the second then sees that the first has started it.
    with FileLock(job.path / ".launch.lock"):
        state = job.status().state
        if not state.resumable:
            raise BadInput(
                f"{job.id} can't be resumed.", f"It is {state}.", "Only stopped, failed and lost jobs can be resumed."
            )
        end_process_group(job)
        job.clear_stop()
        _launch(job)


def stop(job: JobDirectory, *, wait_seconds: float = 0.0) -> State:
    """Ask a job to stop: it finishes its step and saves. After `wait_seconds` > 0 its process group is ended."""
    if not job.status().state.active:
        return job.status().state
    job.request_stop()
    deadline = time.monotonic() + wait_seconds
    while wait_seconds and job.status().state.active:
        if time.monotonic() > deadline:
            end_process_group(job)
            break
        time.sleep(0.1)
    return job.status().state


def observe(job: JobDirectory) -> Status:
    """The job's status; of a lost job, processes that its worker left behind are ended first."""
    status = job.status()
    if status.state is State.LOST:
        end_process_group(job)
    return status


def end_process_group(job: JobDirectory) -> None:
    """End the worker, or what it left behind when it was killed. The group is the one its status names."""
    group = job.status().pid
    if group is None:
        return
    for process in psutil.process_iter():
        if _belongs_to(process, group, job):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _belongs_to(process: psutil.Process, group: int, job: JobDirectory) -> bool:
    """Numbers are used again by the system, so the environment that every worker hands on has to name this job."""
    try:
        in_group = process.pid == group or (sys.platform != "win32" and os.getpgid(process.pid) == group)
        return in_group and process.environ().get(JOB_VARIABLE) == str(job.path.resolve())
    except (psutil.Error, OSError):
        return False


def _launch(job: JobDirectory) -> None:
    job.mark_launched()
    environment = {
        # Threads that wait for each other spin only briefly: no slower on idle cores, and kinder to whatever else runs.
        "GOMP_SPINCOUNT": "10000",
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(PROJECT),
        JOB_VARIABLE: str(job.path.resolve()),
        **_only_card(job),
    }
    detached: dict[str, Any] = (
        {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    with job.log_path.open("ab") as log:
        process = subprocess.Popen(
            [*WORKER_COMMAND, str(job.path.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            env=environment,
            **detached,
        )
    _reap_later(process)


def _only_card(job: JobDirectory) -> dict[str, str]:
    """The job sees the one card whose lease it holds: with several in sight, libraries would spread over all.

    A lease counts cards as NVML does, by their place on the bus; CUDA, unless told so, begins with the fastest.
    """
    resource = str(job.header["resource"] or "")
    if not resource.startswith("gpu"):
        return {}
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": resource.removeprefix("gpu")}


def _reap_later(process: subprocess.Popen[bytes]) -> None:
    """Collect the worker's exit status when it ends, so that it leaves no zombie under a long-lived page."""
    threading.Thread(target=process.wait, daemon=True).start()
