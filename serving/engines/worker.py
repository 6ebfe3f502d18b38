"""The thread in which one load answers: it lets waiting rows join, writes a token of each, and hands text out.

Loads whose adapters PEFT can't mix (DoRA) keep a batch for each adapter, which take turns.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.incremental_text import IncrementalText
from serving.engines.batch import Batch, Row
from serving.engines.engine import End, EngineFailure, FailureKind, Part
from serving.engines.stopping import StopText

if TYPE_CHECKING:
    from evaluation.sharing import SharedLoad

Deliver = Callable[[Part | EngineFailure], None]
# So many tokens of prompts, padding included, are read between two steps: those who are being answered wait meanwhile.
READ_TOKENS = 4096


@dataclass(eq=False)
class Job:
    """One answer: its row, what ends it, and where its parts go (called in the worker's thread)."""

    row: Row
    stops: frozenset[int]
    text: IncrementalText
    stop_text: StopText
    most: int
    deliver: Deliver
    cancelled: bool = False

    def take(self) -> Part:
        """What the newest token adds; with `end` where it was the last."""
        token = self.row.tokens[-1]
        if token in self.stops:
            self.row.tokens.pop()
            return Part(self.stop_text.rest(), end=self._end("stop"))
        last = len(self.row.tokens) >= self.most
        text = self.stop_text.add(self.text.add(token, last=last))
        if self.stop_text.found:
            return Part(text, end=self._end("stop"))
        return Part(text + self.stop_text.rest(), end=self._end("length")) if last else Part(text)

    def _end(self, reason: str) -> End:
        return End(reason, len(self.row.prompt), len(self.row.tokens), self.row.confidence)


class Worker(threading.Thread):
    """Answers jobs until it is closed. `most_rows`: how many are answered at once."""

    def __init__(self, load: Callable[[], SharedLoad], most_rows: int) -> None:
        super().__init__(daemon=True, name="answers")
        self._load = load
        self._most_rows = most_rows
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._calls: deque[tuple[Callable[[SharedLoad], Any], Future[Any]]] = deque()
        self._closing = False
        self._running: dict[Row, Job] = {}
        self._batches: dict[str | None, Batch] = {}
        self.loaded: Future[SharedLoad] = Future()

    def submit(self, job: Job) -> None:
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def call(self, function: Callable[[SharedLoad], Any]) -> Future[Any]:
        """Have `function` called between two steps."""
        future: Future[Any] = Future()
        with self._changed:
            self._calls.append((function, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """End all answers with EngineFailure, and the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self.join()

    def run(self) -> None:
        try:
            shared = self._load()
        except BaseException as problem:  # noqa: BLE001 - handed to whoever waits for the load
            self.loaded.set_exception(problem)
            return
        self.loaded.set_result(shared)
        while self._wait():
            self._answer_calls(shared)
            try:
                self._work(shared)
            except Exception as problem:  # noqa: BLE001 - the thread has to live; whoever waits for an answer is told
                self._fail_all(problem)
        self._fail_all(None)

    def _wait(self) -> bool:
        """Whether there is more to do; waits while there is nothing to."""
        with self._changed:
            while not (self._closing or self._waiting or self._running or self._calls):
                self._changed.wait()
            return not self._closing

    def _answer_calls(self, shared: SharedLoad) -> None:
        while self._calls:
            function, future = self._calls.popleft()
            try:
                future.set_result(function(shared))
            except Exception as problem:  # noqa: BLE001 - handed to whoever called
                future.set_exception(problem)

    def _work(self, shared: SharedLoad) -> None:
        self._drop_cancelled()
        self._let_join(shared)
        for batch in self._batches.values():
            if batch.rows:
                batch.step()
                self._hand_out(batch, list(batch.rows))

    def _let_join(self, shared: SharedLoad) -> None:
        """Read prompts of those who wait, in the order in which they came, as far as there is room."""
        joining: dict[str | None, list[Job]] = {}
        with self._changed:
            longest, count = 0, 0
            while self._waiting and len(self._running) + count < self._most_rows:
                job = self._waiting[0]
                longest = max(longest, len(job.row.prompt))
                if count and longest * (count + 1) > READ_TOKENS:
                    break
                lane = self._lane(shared, job)
                if not self._batches.setdefault(lane, Batch(shared.loaded)).can_join():
                    break
                self._waiting.popleft()
                if not job.cancelled:
                    joining.setdefault(lane, []).append(job)
                    count += 1
        for lane, jobs in joining.items():
            self._running |= {job.row: job for job in jobs}
            self._batches[lane].join([job.row for job in jobs])
            self._hand_out(self._batches[lane], [job.row for job in jobs])

    def _lane(self, shared: SharedLoad, job: Job) -> str | None:
        from evaluation.streaming import can_mix

        return None if can_mix(shared.loaded) else job.row.adapter

    def _hand_out(self, batch: Batch, rows: Sequence[Row]) -> None:
        """Give every row's newest text to whoever waits for it; those that ended leave."""
        gone = []
        for row in rows:
            job = self._running[row]
            part = job.take()
            if part.text or part.end:
                job.deliver(part)
            if part.end:
                gone.append(row)
        self._leave(batch, gone)

    def _leave(self, batch: Batch, gone: Sequence[Row]) -> None:
        batch.leave(gone)
        for row in gone:
            del self._running[row]

    def _drop_cancelled(self) -> None:
        for batch in self._batches.values():
            self._leave(batch, [row for row in batch.rows if self._running[row].cancelled])

    def _fail_all(self, problem: Exception | None) -> None:
        """Tell everybody that no more comes: the engine was closed, or computing failed."""
        with self._changed:
            jobs = [*self._running.values(), *self._waiting]
            self._waiting.clear()
        self._running.clear()
        self._batches.clear()
        if problem is not None:
            import traceback

            traceback.print_exception(problem)
        said = "the model was closed" if problem is None else "computing the answer failed; the log has the reason"
        for job in jobs:
            job.deliver(EngineFailure(FailureKind.BROKEN_OFF, said))
