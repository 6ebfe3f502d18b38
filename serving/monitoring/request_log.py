"""The log of requests: one row each in `serving.sqlite`, of figures and names, nothing of what was said or by whom."""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass, fields, replace
from types import TracebackType
from typing import Self

from jobs.workspace import Workspace
from serving.tables import serving_database
from serving.writer import Writer, WriterReport

# Clients choose tags and names; nobody needs longer ones.
LONGEST_TEXT = 200
LEFT = 499


@dataclass(frozen=True)
class RequestRecord:
    """What a request came to.

    `model` and `version`: as served; `key`: the name of an API key, never the key. `status`: HTTP's, 499 for a client
    that left. `seconds` until the end of the answer, of which `queue_seconds` waiting for a place;
    `first_token_seconds` until the first text. `error`: the kind of failure. `time`: seconds since 1970, None for now.
    """

    request: str
    model: str
    status: int
    seconds: float
    version: str | None = None
    key: str | None = None
    first_token_seconds: float | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    queue_seconds: float | None = None
    streamed: bool = False
    finish_reason: str | None = None
    tag: str | None = None
    reasoning_mode: str | None = None
    language: str | None = None
    arm: str | None = None
    error: str | None = None
    time: float | None = None


_COLUMNS = [field.name for field in fields(RequestRecord)]
_INSERT = f"INSERT INTO requests ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


class RequestLog:
    """Rows are on disk within half a second, also when several servers write; a request neither waits nor fails for it.

    Where the database can't be written, rows wait in memory and `report` says so. Give a server's own `writer` to share
    it; otherwise the log has one of its own, to be ended by `close`.
    """

    def __init__(self, workspace: Workspace, writer: Writer | None = None) -> None:
        self._own = writer is None
        self._writer = writer or Writer(serving_database(workspace))

    def record(self, record: RequestRecord) -> None:
        """Keep a row. Takes microseconds, and never raises for what the database does."""
        stamped = replace(record, time=time.time()) if record.time is None else record
        values = (value[:LONGEST_TEXT] if isinstance(value, str) else value for value in astuple(stamped))
        self._writer.put(_INSERT, tuple(values))

    def flush(self) -> bool:
        """Write what waits now; whether it is all on disk."""
        return self._writer.flush()

    def report(self) -> WriterReport:
        """How many rows are on disk, wait or were given up, and why."""
        return self._writer.report()

    def close(self) -> None:
        """Write the rest, where the log has a writer of its own."""
        if self._own:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def forget_before(workspace: Workspace, moment: float) -> int:
    """Delete the rows older than a time (seconds since 1970); how many that were."""
    database = serving_database(workspace)
    if not database.path.exists():
        return 0
    with database.writing() as connection:
        return connection.execute("DELETE FROM requests WHERE time < ?", (moment,)).rowcount
