"""Progress of an evaluation over stages of known sizes, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jobs.context import JobContext


class Meter:
    """Progress over stages of known sizes; notices a stop whenever it is told of progress.

    `stages`: weights in units of one answer. The time left is judged from the share done since the first stage began.
    """

    def __init__(self, context: JobContext, stages: Sequence[float]) -> None:
        self._context = context
        self._stages = list(stages)
        self._total = sum(stages) or 1.0
        self._finished = 0.0
        self._begun = time.monotonic()

    def done(self, share: float, message: str) -> None:
        """`share` of the current stage is done, 0 to 1. Raises Stopped when the user asked for it."""
        fraction = min(1.0, (self._finished + share * self._stages[0]) / self._total)
        elapsed = time.monotonic() - self._begun
        self._context.progress(fraction, message, elapsed / fraction - elapsed if fraction > 0 else None)
        self._context.check_stop()

    def next_stage(self) -> None:
        self._finished += self._stages.pop(0)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, time does not count (a model is loaded)."""
        paused = time.monotonic()
        yield
        self._begun += time.monotonic() - paused
