"""One heavy job at a time per GPU (or machine), across workspaces, in an order that the user can change.

Beside the lease of a resource, in the user's cache folder, stand `<resource>.queue.json` (the jobs that wait, in
order) and `<resource>.holder.json` (who has it). A worker waits in the queue itself: nothing else has to be running.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jobs.directory import JobDirectory
from jobs.errors import Missing, Stopped
from jobs.files import read_json, write_json
from jobs.workspace import cache_folder

POLL_SECONDS = 0.3
LONGEST_POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Waiting:
    """A job in the queue or holding the lease."""

    path: str
    title: str

    @property
    def directory(self) -> JobDirectory:
        return JobDirectory(Path(self.path))

    def describe(self) -> str:
        """For the person who waits: which job, and in which workspace."""
        return f"{self.title} ({self.directory.id}, workspace {Path(self.path).parent.parent})"


@dataclass(frozen=True)
class _Ahead:
    """Who of those that wait before a job runs first, None when it is its turn; and how many entries are before it."""

    first: Waiting | None
    place: int


class Lease:
    """The right to use one resource, such as `gpu0` or `cpu`."""

    def __init__(self, resource: str, folder: Path | None = None) -> None:
        self.resource = resource
        self.folder = folder or cache_folder() / "leases"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / f"{resource}.lock")
        self._queue_lock = FileLock(self.folder / f"{resource}.queue.lock")
        self._queue_path = self.folder / f"{resource}.queue.json"
        self._holder_path = self.folder / f"{resource}.holder.json"

    def queue(self) -> list[Waiting]:
        """The jobs that wait, first to run first; those whose worker is gone are left out."""
        return [entry for entry in self._entries() if entry.directory.alive()]

    def _entries(self) -> list[Waiting]:
        """All that stands in the queue, also of workers that are gone."""
        return [Waiting(**entry) for entry in read_json(self._queue_path) or []]

    def holder(self) -> Waiting | None:
        """Who has the resource now."""
        written = read_json(self._holder_path)
        holder = Waiting(**written) if written else None
        return holder if holder and holder.directory.alive() else None

    def move(self, path: Path, position: int) -> None:
        """As `reorder`, for a person. Raises Missing when the job doesn't wait any more."""
        if str(path) not in [entry.path for entry in self.queue()]:
            raise Missing(
                f"{path.name} doesn't wait.",
                "It has begun, was stopped, or never was queued.",
                "Nothing has to be done.",
            )
        self.reorder(path, max(0, position))

    def reorder(self, path: Path, position: int) -> None:
        """Move a waiting job to `position` (0 runs next)."""
        with self._changing_queue() as entries:
            moved = [entry for entry in entries if entry.path == str(path)]
            rest = [entry for entry in entries if entry.path != str(path)]
            entries[:] = [*rest[:position], *moved, *rest[position:]]

    @contextmanager
    def held(self, job: JobDirectory, title: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Wait for the turn of `job`, hold the lease inside the block. Raises Stopped when asked to stop meanwhile."""
        me = Waiting(str(job.path), title)
        with self._changing_queue() as entries:
            entries.append(me)
        try:
            self._wait(me, job, on_wait)
        except BaseException:
            self._leave(me)
            raise
        write_json(self._holder_path, asdict(me))
        self._leave(me)
        try:
            yield
        finally:
            self._holder_path.unlink(missing_ok=True)
            self._lock.release()

    def _wait(self, me: Waiting, job: JobDirectory, on_wait: Callable[[str], None]) -> None:
        said = ""
        while (ahead := self._ahead_of(me)).first or not self._try_lock():
            if job.stop_requested:
                raise Stopped
            blocker = self.holder() or ahead.first
            message = f"Waiting for {blocker.describe()}" if blocker else "Waiting for the machine to be free"
            if message != said:
                on_wait(message)
                said = message
            # Whoever stands far back in a long queue has time: hundreds that ask often would starve the one that works.
            time.sleep(min(LONGEST_POLL_SECONDS, POLL_SECONDS * (1 + ahead.place / 4)))

    def _ahead_of(self, me: Waiting) -> _Ahead:
        """Who of those before `me` is alive, the first of them, and how many entries stand before it."""
        before = []
        for entry in self._entries():
            if entry.path == me.path:
                break
            before.append(entry)
        return _Ahead(next((entry for entry in before if entry.directory.alive()), None), len(before))

    def _try_lock(self) -> bool:
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        return True

    def _leave(self, me: Waiting) -> None:
        with self._changing_queue() as entries:
            entries[:] = [entry for entry in entries if entry.path != me.path]

    @contextmanager
    def _changing_queue(self) -> Iterator[list[Waiting]]:
        with self._queue_lock:
            entries = self.queue()
            yield entries
            values: list[dict[str, Any]] = [asdict(entry) for entry in entries]
            write_json(self._queue_path, values)
