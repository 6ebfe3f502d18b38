"""What is told while a model is fetched: bytes, speed and the time left, to a job or in a log."""

from __future__ import annotations

import time
from collections import deque

from jobs.context import JobContext

GB = 1e9
# Speed is what came in the last seconds: long enough not to flicker, short enough to follow a changed connection.
SPEED_SECONDS = 10.0
LOG_SECONDS = 15.0


class Speed:
    """Bytes per second over the last seconds."""

    def __init__(self) -> None:
        self._came: deque[tuple[float, int]] = deque()

    def came(self, count: int) -> None:
        now = time.monotonic()
        self._came.append((now, count))
        while self._came and now - self._came[0][0] > SPEED_SECONDS:
            self._came.popleft()

    @property
    def per_second(self) -> float:
        """0 until there is something to go by."""
        if len(self._came) < 2:
            return 0.0
        seconds = self._came[-1][0] - self._came[0][0]
        return sum(count for _, count in list(self._came)[1:]) / seconds if seconds > 0 else 0.0


class Telling:
    """Tells a job's status what comes. Bytes that were here before count as done, not as speed."""

    def __init__(self, context: JobContext) -> None:
        self.total = 0
        self.here = 0
        self.fetched = 0
        self._context = context
        self._speed = Speed()
        self._doing = ""

    def expects(self, total: int, here: int) -> None:
        self.total, self.here = total, here
        if here:
            self._context.log(f"{sized(here)} of {sized(total)} are here already.")

    def came(self, count: int) -> None:
        self.here = max(0, self.here + count)
        self.fetched += max(0, count)
        self._speed.came(max(0, count))
        self._tell()

    def says(self, message: str) -> None:
        self._doing = message
        self._context.log(message)
        self._tell()

    def check_stop(self) -> None:
        self._context.check_stop()

    def _tell(self) -> None:
        if not self.total:
            self._context.progress(None, self._doing)
            return
        speed = self._speed.per_second
        fast = f" · {sized(speed)} a second" if speed else ""
        left = (self.total - self.here) / speed if speed else None
        words = f"{self._doing} · {sized(self.here)} of {sized(self.total)}{fast}"
        self._context.progress(min(1.0, self.here / self.total), words, left)


class Printing:
    """Tells the log of a job that needs a model which isn't here yet."""

    def __init__(self) -> None:
        self._total = 0
        self._here = 0
        self._told = time.monotonic()

    def expects(self, total: int, here: int) -> None:
        self._total, self._here = total, here
        print(f"Downloading {sized(total - here)} of {sized(total)}", flush=True)

    def came(self, count: int) -> None:
        self._here += count
        if self._total and time.monotonic() - self._told > LOG_SECONDS:
            self._told = time.monotonic()
            print(f"{sized(self._here)} of {sized(self._total)}", flush=True)

    def says(self, message: str) -> None:
        print(message, flush=True)

    def check_stop(self) -> None:
        """Whoever resolves a model has no stop of its own; the job's grace period ends it, and a new start goes on."""


def sized(count: float) -> str:
    """Bytes as MB or GB."""
    return f"{count / GB:.2f} GB" if count >= GB else f"{count / 1e6:.1f} MB"
