"""What a kind of job is handed while it runs: its spec, and the ways to say what it does and to notice a stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.directory import JobDirectory, State, Status
from jobs.errors import Stopped
from jobs.workspace import Workspace

# Held back while a job runs, so that on a full disk there is room to say so.
RESERVE = ".reserve"


class JobContext:
    """Handed to a job's function `run(context) -> figures`. The figures go into the manifest.

    Register what is worth keeping with `artifact`; report with `progress`, `metric` and `log`; record every value
    that was decided on the way with `resolve`; call `check_stop` between units of work.
    """

    def __init__(self, directory: JobDirectory, attempt: int, started: float) -> None:
        header = directory.header
        self.directory = directory
        self.path: Path = directory.path
        self.workspace = Workspace.of_job(directory.path)
        self.spec: dict[str, Any] = header["spec"]
        self.attempt = attempt
        self.artifacts: list[Path] = []
        self.resource_wanted: Callable[[], str | None] = lambda: None
        self._resolved: dict[str, Any] = directory.resolved or {}
        self._status = Status(State.RUNNING, attempt=attempt, started=started)
        self._written = 0.0

    def progress(self, fraction: float | None, message: str, eta_seconds: float | None = None) -> None:
        """Say how far it is (0 to 1, None when unknown) and what it does now. Written at most 5 times a second."""
        changed = message.split(" ")[0] != self._status.message.split(" ")[0]
        self._status = replace(self._status, progress=fraction, message=message, eta_seconds=eta_seconds)
        if changed or time.time() - self._written > 0.2:
            self.write_status(self._status)

    def write_status(self, status: Status) -> None:
        self._status = replace(status, updated=time.time())
        self._written = time.time()
        self.directory.write_status(self._status)

    @property
    def status(self) -> Status:
        return self._status

    def metric(self, step: int, **values: float) -> None:
        """Figures of one step for the charts, such as loss or tokens per second."""
        self.directory.append_event(
            {"type": "metric", "attempt": self.attempt, "step": step, "time": time.time(), **values}
        )

    def event(self, kind: str, step: int, **values: Any) -> None:
        """Something else than figures that belongs to a step, such as a sample answer."""
        self.directory.append_event(
            {"type": kind, "attempt": self.attempt, "step": step, "time": time.time(), **values}
        )

    def log(self, message: str) -> None:
        """A line for the person who watches; also goes to log.txt."""
        print(message, flush=True)
        self.directory.append_event({"type": "log", "attempt": self.attempt, "time": time.time(), "message": message})

    def resolve(self, name: str, value: Any, origin: str) -> Any:
        """Record a value actually used and where it came from; a resumed attempt gets the recorded one back."""
        known = self.decided(name)
        if known is not None:
            return known
        self._resolved[name] = {"value": value, "origin": origin}
        self.directory.write_resolved(self._resolved)
        return value

    def decided(self, name: str) -> Any | None:
        """What an earlier attempt resolved `name` to, None in a first one: a resumed job decides nothing anew."""
        known = self._resolved.get(name)
        return known["value"] if known is not None and self.attempt > 1 else None

    def change(self, what: str, why: str, **values: Any) -> None:
        """Record something that was changed on the way, and tell the person."""
        self.directory.append_change({"attempt": self.attempt, "time": time.time(), "what": what, "why": why, **values})
        self.log(f"{what} ({why})")

    def begin_again(self) -> None:
        """A new attempt within the same worker: what it does again replaces what the one before did."""
        self.attempt += 1
        self.write_status(replace(self._status, attempt=self.attempt))

    def release_reserve(self) -> None:
        """Give up the room that is held back on the disk, so that a full one can be told of."""
        (self.path / RESERVE).unlink(missing_ok=True)

    def artifact(self, path: Path) -> Path:
        """Register a file or folder inside the job's directory; its hashes go into the manifest."""
        if path not in self.artifacts:
            self.artifacts.append(path)
        return path

    def should_stop(self) -> bool:
        return self.directory.stop_requested

    def check_stop(self) -> None:
        """Raise Stopped when the user asked for it. Call where what was done so far is safe."""
        if self.should_stop():
            raise Stopped
