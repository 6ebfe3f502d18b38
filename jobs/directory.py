"""JobDirectory: the only code that knows how a job looks on disk. One writer per file; readers need no worker.

spec.json       launcher, once          log.txt        the worker's stdout and stderr
resolved.json   worker, at start        alive.lock     held by the worker for as long as it lives
changes.jsonl   worker, append only     STOP           whoever asks it to stop
status.json     worker, replaced        inbox/ outbox/ requests to a chat job and its streamed replies
events.jsonl    worker, append only     manifest.json  worker, last
notes.json      the person: tags and a note
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jobs.errors import Missing
from jobs.files import append_json_line, read_json_again, read_json_lines, write_json, write_text

SCHEMA_VERSION = 1
START_SECONDS = 30.0


class State(StrEnum):
    """Where a job stands. `LOST`: its worker was killed; derived by the reader, never written."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"

    @property
    def active(self) -> bool:
        """Whether a worker is alive for it."""
        return self in (State.QUEUED, State.RUNNING)

    @property
    def resumable(self) -> bool:
        """Whether Resume makes sense."""
        return self in (State.STOPPED, State.FAILED, State.LOST)


@dataclass(frozen=True)
class Status:
    """What a reader sees of a job. `progress` is 0 to 1, or None while unknown; times are seconds since 1970."""

    state: State
    progress: float | None = None
    message: str = ""
    error_kind: str | None = None
    error: str | None = None
    hint: str | None = None
    attempt: int = 1
    pid: int | None = None
    started: float | None = None
    updated: float | None = None
    eta_seconds: float | None = None


class JobDirectory:
    """One job on disk, read by anyone, written by its launcher and its worker."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"JobDirectory({str(self.path)!r})"

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def log_path(self) -> Path:
        return self.path / "log.txt"

    @property
    def lock_path(self) -> Path:
        return self.path / "alive.lock"

    @property
    def events_path(self) -> Path:
        return self.path / "events.jsonl"

    # What the launcher writes

    @classmethod
    def create(cls, path: Path, *, kind: str, title: str, spec: dict[str, Any], resource: str | None) -> JobDirectory:
        """Write a new job. `resource` names the lease it has to hold while it runs, None for light work."""
        path.mkdir(parents=True)
        header = {
            "schema_version": SCHEMA_VERSION,
            "kind": kind,
            "title": title,
            "created": time.time(),
            "resource": resource,
            "spec": spec,
        }
        write_json(path / "spec.json", header)
        return cls(path)

    def request_stop(self) -> None:
        """Ask the worker to stop; it polls for this."""
        write_text(self.path / "STOP", "stop\n")

    def clear_stop(self) -> None:
        (self.path / "STOP").unlink(missing_ok=True)

    @property
    def stop_requested(self) -> bool:
        return (self.path / "STOP").exists()

    # What readers ask

    @property
    def header(self) -> dict[str, Any]:
        """kind, title, created, resource and spec, as the launcher wrote them. Raises Missing for no job."""
        header = read_json_again(self.path / "spec.json")
        if header is None:
            raise Missing(f"There is no job {self.id}.", f"{self.path} holds no spec.json.", "List the jobs there are.")
        return dict(header)

    def status(self) -> Status:
        """The state as it really is: `lost` when the written state says alive but nobody holds the lock."""
        written = read_json_again(self.path / "status.json") or {"state": State.QUEUED}
        status = Status(**{**written, "state": State(written["state"])})
        if self._just_launched(status):
            return replace(status, state=State.QUEUED, message="Starting", error=None, hint=None)
        if status.state.active and not self.alive():
            message = "The worker was killed. What it saved is there; resume continues from it."
            return replace(status, state=State.LOST, message=message, eta_seconds=None)
        return status

    def alive(self) -> bool:
        """Whether a worker holds this job's lock. Liveness is this lock, never a process id."""
        if not self.lock_path.exists():
            return False
        lock = FileLock(self.lock_path)
        try:
            with lock.acquire(blocking=False):
                return False
        except Timeout:
            return True

    def _just_launched(self, status: Status) -> bool:
        """A launched worker needs a moment until it writes its first status; until then the job counts as queued."""
        launched = read_json_again(self.path / "launched.json")
        if launched is None:
            return False
        newer_than_status = status.updated is None or launched["time"] > status.updated
        return bool(newer_than_status) and time.time() - launched["time"] < START_SECONDS

    def mark_launched(self) -> None:
        write_json(self.path / "launched.json", {"time": time.time()})

    def events(self) -> list[dict[str, Any]]:
        """Metrics and log lines in order. Steps that a resumed attempt did again replace the earlier ones."""
        events = [event for event in read_json_lines(self.events_path) if isinstance(event, dict)]
        return list(_without_repeated_steps(events))

    def metrics(self) -> list[dict[str, Any]]:
        """The metric events alone, each with `step`, `time`, `attempt` and its figures."""
        return [event for event in self.events() if event.get("type") == "metric"]

    @property
    def resolved(self) -> dict[str, Any] | None:
        resolved = read_json_again(self.path / "resolved.json")
        return None if resolved is None else dict(resolved)

    @property
    def results_stamp(self) -> str:
        """Changes whenever the job wrote anything but its status, events, log and requests; one look at the folder."""
        moving = ("status.json", "events.jsonl", "log.txt", "alive.lock")
        found = []
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.is_file() and entry.name not in moving and not entry.name.startswith("."):
                    status = entry.stat()
                    found.append(f"{entry.name} {status.st_size} {status.st_mtime_ns}")
        return hashlib.sha256("|".join(sorted(found)).encode()).hexdigest()[:12]

    @property
    def changes(self) -> list[dict[str, Any]]:
        return list(read_json_lines(self.path / "changes.jsonl"))

    @property
    def manifest(self) -> dict[str, Any] | None:
        """Artifact hashes and final figures; None means the work is unfinished."""
        manifest = read_json_again(self.path / "manifest.json")
        return None if manifest is None else dict(manifest)

    @property
    def notes(self) -> dict[str, Any] | None:
        """Tags and a note, as the person wrote them on the page or the command line."""
        notes = read_json_again(self.path / "notes.json")
        return None if notes is None else dict(notes)

    def write_notes(self, notes: dict[str, Any]) -> None:
        write_json(self.path / "notes.json", notes)

    def log_tail(self, characters: int = 20_000) -> str:
        """The end of the worker's output; progress bars that redraw a line keep only their last state."""
        try:
            with self.log_path.open("rb") as file:
                file.seek(max(0, self.log_path.stat().st_size - characters))
                text = file.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n"))

    # What the worker writes

    def write_status(self, status: Status) -> None:
        write_json(self.path / "status.json", status.__dict__)

    def append_event(self, event: dict[str, Any]) -> None:
        append_json_line(self.events_path, event)

    def append_change(self, change: dict[str, Any]) -> None:
        append_json_line(self.path / "changes.jsonl", change)

    def write_resolved(self, resolved: dict[str, Any]) -> None:
        write_json(self.path / "resolved.json", resolved)

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        write_json(self.path / "manifest.json", manifest)

    # Requests to a chat or serve job, and its streamed replies

    def ask(self, request_id: str, request: dict[str, Any]) -> None:
        """Leave a request for the worker."""
        write_json(self.path / "inbox" / f"{request_id}.json", request)

    def next_request(self) -> tuple[str, dict[str, Any]] | None:
        """The oldest request that has no reply yet (worker's side). Request ids sort by time."""
        for path in sorted((self.path / "inbox").glob("*.json")):
            if not (self.path / "outbox" / f"{path.stem}.jsonl").exists():
                return path.stem, json.loads(path.read_text(encoding="utf-8"))
        return None

    def reply(self, request_id: str, part: dict[str, Any]) -> None:
        """Append a part of the reply."""
        (self.path / "outbox").mkdir(exist_ok=True)
        append_json_line(self.path / "outbox" / f"{request_id}.jsonl", part)

    def replies(self, request_id: str) -> list[dict[str, Any]]:
        """The parts of the reply so far."""
        return list(read_json_lines(self.path / "outbox" / f"{request_id}.jsonl"))


def _without_repeated_steps(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Drop metrics of an earlier attempt from the step on at which a later attempt began again."""
    first_step: dict[int, int] = {}
    for event in events:
        if event.get("type") == "metric":
            attempt, step = event["attempt"], event["step"]
            first_step[attempt] = min(step, first_step.get(attempt, step))
    for event in events:
        if event.get("type") == "metric":
            later = [step for attempt, step in first_step.items() if attempt > event["attempt"]]
            if later and event["step"] >= min(later):
                continue
        yield event
