"""A thread that writes rows into a database in batches, so that a request never waits for the disk nor fails by it."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from dataclasses import dataclass
from itertools import groupby
from types import TracebackType
from typing import Any, Self

from jobs.database import Database
from jobs.errors import UserError

# What SQLite raises for a row's values rather than for the state of the disk.
UNSTORABLE = (sqlite3.IntegrityError, sqlite3.ProgrammingError, OverflowError)
FLUSH_SECONDS = 0.4
MOST_WAITING = 100_000


@dataclass(frozen=True)
class WriterReport:
    """How the writing stands: rows on disk, rows that wait, rows given up (too many waited, or they can't be stored),
    and what the trouble is."""

    written: int
    waiting: int
    lost: int
    problem: str | None


@dataclass(frozen=True)
class _Row:
    sql: str
    values: tuple[Any, ...]


class Writer:
    """Rows handed over are on disk within half a second, unless the database can't be written.

    Then they wait in memory, at most `MOST_WAITING`, of which the oldest are given up and counted; every later batch
    tries again, and `report` says so. Safe from any thread; a context manager that writes the rest when it closes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: deque[_Row] = deque()
        self._state = threading.Lock()
        self._flushing = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._written = self._lost = 0
        self._problem: str | None = None
        self._given_up: str | None = None
        self._thread = threading.Thread(target=self._run, name="serving-writer", daemon=True)
        self._thread.start()

    def put(self, sql: str, values: tuple[Any, ...]) -> None:
        """Hand a row over: one statement and its values. Never blocks on the disk, never raises for it."""
        storable = tuple(_storable(value) for value in values)
        with self._state:
            self._rows.append(_Row(sql, storable))
            if len(self._rows) > MOST_WAITING:
                self._rows.popleft()
                self._lost += 1
        self._wake.set()

    def flush(self) -> bool:
        """Write what waits now; whether it is all on disk."""
        with self._flushing:
            with self._state:
                batch = list(self._rows)
                self._rows.clear()
            try:
                self._write(batch)
            except (UserError, OSError, sqlite3.Error) as error:
                self._put_back(batch, f"{error.what} {error.why}" if isinstance(error, UserError) else str(error))
                return False
            if batch:
                with self._state:
                    self._problem = None
            return True

    def report(self) -> WriterReport:
        """How the writing stands."""
        with self._state:
            return WriterReport(self._written, len(self._rows), self._lost, self._problem or self._given_up)

    def close(self) -> None:
        """Write the rest and end the thread. What can't be written then is counted as lost."""
        self._closing.set()
        self._wake.set()
        self._thread.join()
        if not self.flush():
            with self._state:
                self._lost += len(self._rows)
                self._rows.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            # Rows that come in the meantime go into the same transaction.
            self._closing.wait(FLUSH_SECONDS)
            self._wake.clear()
            if not self.flush():
                self._wake.set()

    def _write(self, batch: list[_Row]) -> None:
        """One transaction for all, unless one of them can't be stored whatever the disk says."""
        if not batch:
            return
        try:
            with self._database.writing() as connection:
                for sql, rows in groupby(batch, key=lambda row: row.sql):
                    connection.executemany(sql, [row.values for row in rows])
        except UNSTORABLE as error:
            if len(batch) > 1:
                # Halving finds those that are to blame; the others are kept.
                middle = len(batch) // 2
                self._write(batch[:middle])
                self._write(batch[middle:])
                return
            with self._state:
                self._lost += 1
                self._given_up = f"a row could not be stored: {error}"
            return
        with self._state:
            self._written += len(batch)

    def _put_back(self, batch: list[_Row], problem: str) -> None:
        with self._state:
            self._rows.extendleft(reversed(batch))
            excess = len(self._rows) - MOST_WAITING
            for _ in range(excess):
                self._rows.popleft()
            self._lost += max(0, excess)
            self._problem = problem


def _storable(value: Any) -> Any:
    """Half of a surrogate pair becomes a question mark: a row that can't be stored would hold up all others."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
