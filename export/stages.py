"""The stages of an export: how long each should take, what is told meanwhile, and how one is skipped.

A stage's expected time is its size times a rate. Rates begin as rough guesses for a CPU or a card and are replaced by
those that the newest finished export in the workspace measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal

from jobs.context import JobContext
from jobs.directory import JobDirectory
from jobs.workspace import Workspace

StageKind = Literal["merge", "convert", "quantise", "importance", "rendering", "answers", "behaviour", "task", "copy"]
CHECKS: tuple[StageKind, ...] = ("rendering", "answers", "behaviour", "task")
# Seconds for a billion of a stage's units, until an export was measured: rough guesses for two CPU cores, a tenth of
# them for checks with a card; nobody measured these. Units: bytes written (merge, copy), parameters (convert,
# quantise, importance), parameters × tokens (the checks; see export/plan.py).
GUESSES: dict[StageKind, float] = {
    "merge": 7.0,
    "copy": 1.0,
    "convert": 45.0,
    "quantise": 20.0,
    "importance": 400.0,
    "rendering": 15.0,
    "answers": 0.06,
    "behaviour": 0.02,
    "task": 0.03,
}
CARD_SHARE = 0.1


@dataclass(frozen=True)
class Stage:
    """`size` in the units of its kind; `expected` in seconds. `name` is unique: a kind, or a kind and a file."""

    name: str
    kind: StageKind
    label: str
    size: float
    expected: float

    @property
    def skippable(self) -> bool:
        return self.kind in CHECKS


class SkippedError(Exception):
    """Asked for by the user: the running check ends, and what it would have shown is unverified."""


def rates(workspace: Workspace, *, card: bool) -> dict[StageKind, float]:
    """Seconds for a billion units, by kind."""
    guesses = {kind: rate * (CARD_SHARE if card and kind in CHECKS else 1.0) for kind, rate in GUESSES.items()}
    return guesses | _measured(workspace)


def _measured(workspace: Workspace) -> dict[StageKind, float]:
    """What the newest finished export took."""
    for job in workspace.list_jobs("export"):
        if manifest := job.manifest:
            found = manifest["figures"].get("stage_rates")
            if isinstance(found, dict):
                return {kind: float(found[kind]) for kind in GUESSES if kind in found}
    return {}


def request_skip(job: JobDirectory) -> None:
    """Ask a running export to leave out the rest of the check that it is at."""
    job.ask(f"{time.time_ns():020d}", {"skip": True})


class Stages:
    """Goes through the planned stages. `measured` are the seconds for a billion units of those that ran."""

    def __init__(self, context: JobContext, planned: Sequence[Stage]) -> None:
        self._context = context
        self._planned = {stage.name: stage for stage in planned}
        self._total = sum(stage.expected for stage in planned) or 1.0
        self._before = 0.0
        self._now: Stage | None = None
        self._seconds: dict[StageKind, tuple[float, float]] = {}
        context.event("plan", 0, stages=[asdict(stage) for stage in planned])

    @property
    def measured(self) -> dict[str, float]:
        return {kind: 1e9 * seconds / size for kind, (seconds, size) in self._seconds.items() if size > 0}

    @contextmanager
    def stage(self, name: str, *, begun_before: bool = False) -> Iterator[None]:
        """One planned stage. Raises SkippedError out of `done` where the user wants no more of it.

        `begun_before`: an earlier attempt did it or a part of it, so that its time tells nothing.
        """
        stage = self._now = self._planned.pop(name)
        self._drop_requests()
        started = time.monotonic()
        self.done(0.0)
        yield
        if not begun_before:
            seconds, size = self._seconds.get(stage.kind, (0.0, 0.0))
            self._seconds[stage.kind] = (seconds + time.monotonic() - started, size + stage.size)
        self.leave_out(stage)

    def leave_out(self, stage: Stage) -> None:
        """Count a stage as passed."""
        self._planned.pop(stage.name, None)
        self._before += stage.expected

    def done(self, share: float, detail: str = "") -> None:
        """`share` of the stage is done, 0 to 1. Raises Stopped or SkippedError when the user asked for it."""
        stage = self._now
        assert stage is not None, "no stage is running"
        fraction = min(1.0, (self._before + share * stage.expected) / self._total)
        about = f" (about {told_seconds(stage.expected)})" if share == 0 else ""
        left = self._total * (1 - fraction)
        self._context.progress(fraction, stage.label + about + (f": {detail}" if detail else ""), left)
        self._context.check_stop()
        if stage.skippable and self._drop_requests():
            self._context.log(f"Skipped: {stage.label}")
            self.leave_out(stage)
            raise SkippedError

    def _drop_requests(self) -> bool:
        """Whether there was one."""
        found = False
        while (request := self._context.directory.next_request()) is not None:
            self._context.directory.reply(request[0], {"finished": True})
            found = True
        return found


def told_seconds(seconds: float) -> str:
    """A rough length of time in words."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
