"""Preparing rows on all cores: batches go to worker processes and come back in their order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from types import TracebackType
from typing import Self

from datasets_src.prepare import Recipe, prepare_batch
from datasets_src.rows import RawRow
from datasets_src.table import Batch

BATCH_ROWS = 1000
# Starting workers takes about two seconds, which only pays for rows enough.
ROWS_WITHOUT_WORKERS = 3 * BATCH_ROWS
MOST_WORKERS = 8


class Preparation:
    """Hands out prepared batches. The workers start when there are rows enough, and end with the `with` block."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers if workers is not None else min(MOST_WORKERS, os.cpu_count() or 1)
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def batches(self, recipe: Recipe, rows: Iterator[RawRow]) -> Iterator[Batch]:
        """Every row prepared, in order; few batches are held at a time."""
        seen, ready = 0, None
        while ready is None or not ready.done():
            if seen >= ROWS_WITHOUT_WORKERS and self._workers > 1 and ready is None:
                # While they start, this process goes on by itself.
                ready = self._started().submit(_is_ready)
            batch = list(islice(rows, BATCH_ROWS))
            if not batch:
                return
            seen += len(batch)
            yield prepare_batch(recipe, batch)
        waiting: deque[Future[Batch]] = deque()
        while batch := list(islice(rows, BATCH_ROWS)):
            waiting.append(self._started().submit(prepare_batch, recipe, batch))
            if len(waiting) > 2 * self._workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _started(self) -> ProcessPoolExecutor:
        """Fresh processes: this one may have threads and locks that a fork would copy in mid-air."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._workers, get_context("spawn"), initializer=_one_thread_each)
        return self._pool


def _is_ready() -> bool:
    """The answer of a worker that has imported everything."""
    return True


def _one_thread_each() -> None:
    """The workers share the cores already; threads within each would only get in one another's way."""
    for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
