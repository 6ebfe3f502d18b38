"""Jobs that a job starts, one after the other: each is noted before it is written, so that none is started twice."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import Any, Protocol

from jobs import launcher
from jobs.context import JobContext
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing, OutOfRoom, Stopped, UserError
from jobs.kinds import KINDS

POLL_SECONDS = 0.3
# How long a step that was asked to stop may take to save.
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Step:
    """One step: its key in the notes, the kind of its job, what people call it, and the job's spec."""

    key: str
    kind: str
    title: str
    spec: dict[str, Any]


class Notes(Protocol):
    """Which job does which step, on the disk of the job that starts them."""

    def child(self, key: str) -> str | None:
        """The id of a step's job, None while that wasn't begun."""

    def note_child(self, key: str, job_id: str) -> None:
        """Keep it, before anything else is done."""


def run_step(
    context: JobContext, notes: Notes, step: Step, resource: str, fraction: float | None = None
) -> dict[str, Any]:
    """The figures of the step's job, which is started, resumed or only waited for, as far as it is already.

    `resource`: what heavy jobs hold the lease on; `fraction`: how far this makes the job that starts it, which else
    shows how far the step is. Raises the job's own error when it fails, and Stopped once the job has stopped too.
    """
    job = _job_of(context, notes, step, resource)
    state_now = launcher.observe(job).state
    if state_now.resumable:
        # A job that was written and never launched counts as lost as well: this launches it.
        launcher.resume(job)
    if state_now is not State.SUCCEEDED:
        context.log(f"{step.title}: job {job.id}")
    status = _follow(context, job, step, fraction)
    if status.state is State.SUCCEEDED and job.manifest is not None:
        return dict(job.manifest["figures"])
    raise _failure(job, step, status)


def _job_of(context: JobContext, notes: Notes, step: Step, resource: str) -> JobDirectory:
    """The step's job, written where it isn't yet. Its id stands in the notes first."""
    known = notes.child(step.key)
    path = context.workspace.jobs / known if known else context.workspace.new_job_path(step.kind)
    if not known:
        notes.note_child(step.key, path.name)
    if not (path / "spec.json").is_file():
        shutil.rmtree(path, ignore_errors=True)  # a kill between making the folder and writing the spec into it
        lease = resource if KINDS[step.kind].heavy else None
        return JobDirectory.create(path, kind=step.kind, title=step.title, spec=step.spec, resource=lease)
    return JobDirectory(path)


def _follow(context: JobContext, job: JobDirectory, step: Step, fraction: float | None) -> Status:
    """Wait for the job's end, telling how it stands. Asked to stop, it stops the job first."""
    while (status := launcher.observe(job)).state.active:
        if context.should_stop():
            launcher.stop(job, wait_seconds=STOP_SECONDS)
            raise Stopped
        far, left = (status.progress, status.eta_seconds) if fraction is None else (fraction, None)
        context.progress(far, f"{step.title}: {status.message or status.state}", left)
        time.sleep(POLL_SECONDS)
    return status


def _failure(job: JobDirectory, step: Step, status: Status) -> UserError:
    """What is raised for a job that did not end well, of the kind that its own error was."""
    kinds: dict[str | None, type[UserError]] = {kind.kind: kind for kind in (BadInput, Missing, OutOfRoom)}
    what = f"{step.title} did not end well: {status.error or status.message}"
    fix = status.hint or "The end of that job's log tells more."
    why = f"It is job {job.id}, and nothing after it can begin without it."
    return kinds.get(status.error_kind, UserError)(what, why, f"{fix} Then resume this job: it goes on with this step.")
