"""The server's right to the machine: taken before its models are loaded, given back when it rests.

The lease's lock belongs to the thread that took it, so a thread of its own takes, holds and releases it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from jobs.directory import JobDirectory
from jobs.lease import Lease


class Tenancy:
    """Used inside one event loop."""

    def __init__(self, resource: str, job: JobDirectory, title: str) -> None:
        self._lease = Lease(resource)
        self._job = job
        self._title = title
        self._holder: threading.Thread | None = None
        self._release = threading.Event()

    @property
    def held(self) -> bool:
        return self._holder is not None

    def wanted_by(self) -> str | None:
        """Who else waits for the machine."""
        others = [each for each in self._lease.queue() if each.path != str(self._job.path)]
        return others[0].describe() if others else None

    async def take(self, on_wait: Callable[[str], None]) -> None:
        """Wait for the machine, first come first served. Raises Stopped when the job is stopped meanwhile."""
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[None] = loop.create_future()

        def settle(problem: BaseException | None) -> None:
            if not taken.done():
                taken.set_exception(problem) if problem else taken.set_result(None)

        def hold() -> None:
            try:
                with self._lease.held(self._job, self._title, on_wait):
                    loop.call_soon_threadsafe(settle, None)
                    self._release.wait()
            except BaseException as problem:  # noqa: BLE001 - handed to the loop that waits
                loop.call_soon_threadsafe(settle, problem)

        self._release.clear()
        holder = threading.Thread(target=hold, daemon=True, name="lease")
        holder.start()
        await taken
        self._holder = holder

    async def give_back(self) -> None:
        """Let others have the machine; nothing happens where it isn't held."""
        if self._holder is not None:
            self._release.set()
            await asyncio.to_thread(self._holder.join)
            self._holder = None
