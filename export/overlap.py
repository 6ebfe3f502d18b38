"""Several cores at one file: pieces are computed side by side, written in order, and taken by the disk meanwhile."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

_AHEAD = 8
_FLUSH_BYTES = 64 << 20


def in_order(function: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[tuple[Given, Made]]:
    """Each of `given` with what `function` makes of it, while the next ones are being made on other cores.

    Up to eight for each core wait to be taken, so that a slow disk stops none of them. Only what lets other threads
    run (numpy, reading files) gains.
    """
    waiting: deque[tuple[Given, Future[Made]]] = deque()
    workers = cores()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for one in given:
                waiting.append((one, pool.submit(function, one)))
                if len(waiting) > _AHEAD * workers:
                    first, result = waiting.popleft()
                    yield first, result.result()
            while waiting:
                first, result = waiting.popleft()
                yield first, result.result()
        finally:
            pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class EarlyFlush:
    """Has the disk take what was written to a file while more is being made: the flush at the end is short then.

    `with EarlyFlush(file) as flush: …; flush.wrote(count)` after each write. Raises OSError when the disk is full.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting = 0
        self._pool = ThreadPoolExecutor(1)
        self._running: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        if kind is None and self._running is not None:
            self._running.result()

    def wrote(self, count: int) -> None:
        """`count` more bytes were written."""
        self._waiting += count
        if self._waiting < _FLUSH_BYTES or (self._running is not None and not self._running.done()):
            return
        if self._running is not None:
            self._running.result()
        self._waiting = 0
        self._file.flush()
        self._running = self._pool.submit(os.fsync, self._file.fileno())
