"""The ledger of a synthesis: a line for every answer that came, on the disk before anything is made of it.

A job that was killed reads it and goes on as if it had never stopped: nothing that was answered is asked again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jobs.files import read_json_lines

WRITE = "write"


@dataclass(frozen=True)
class Call:
    """One question to a teacher: the `index`-th request of a domain; `step` is `write`, or `judge.N` for its N-th row.

    `attempt` counts from 0 the answers to it that were of no use.
    """

    domain: str
    index: int
    step: str
    attempt: int

    def identity(self, work: str) -> str:
        """The same for the same call of the same `work` (a digest of spec and input), in whichever process."""
        key = json.dumps([work, self.domain, self.index, self.step, self.attempt])
        return hashlib.sha256(key.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Received:
    """An answer that came. `estimated`: the endpoint told no token counts. `cost` is None where prices aren't known."""

    call: Call
    teacher: str
    text: str
    finish_reason: str | None
    tokens_in: int
    tokens_out: int
    estimated: bool
    cost: float | None
    seconds: float


@dataclass(frozen=True)
class Failed:
    """A request that brought no answer."""

    call: Call
    teacher: str
    kind: str
    message: str


class Ledger:
    """The append-only file of one job. One writer."""

    def __init__(self, path: Path, work: str) -> None:
        self.path = path
        self._work = work
        self._file = path.open("ab+")
        self._end_partial_line()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def entries(self) -> Iterator[Received | Failed]:
        """What was written so far, in order; a line cut short by a kill is passed over, an answer is told once."""
        told: set[str] = set()
        for line in read_json_lines(self.path):
            call = Call(**line.pop("call"))
            identity = line.pop("id")
            if identity != call.identity(self._work):
                continue  # of another spec or input
            if "kind" in line:
                yield Failed(call, **line)
            elif identity not in told:
                told.add(identity)
                yield Received(call, **line)

    def record(self, received: Received) -> None:
        """Write an answer. When this returns, it is on the disk."""
        self._append(received.call, asdict(received))
        os.fsync(self._file.fileno())

    def note(self, failed: Failed) -> None:
        """Write a failure, which only counts are made of: it may be lost with the machine."""
        self._append(failed.call, asdict(failed))

    def _append(self, call: Call, line: dict[str, Any]) -> None:
        self._file.write((json.dumps({"id": call.identity(self._work), **line}, ensure_ascii=False) + "\n").encode())
        self._file.flush()

    def _end_partial_line(self) -> None:
        if self._file.tell() > 0:
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")
                self._file.flush()
