"""Columns of the log of requests as numpy arrays: a million rows in about a second.

SQLite hands over each column as one text of whole numbers; a million tuples would take four times as long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs.workspace import Workspace
from serving.tables import serving_database

# Times are read in tenths of a millisecond. What is not known is below zero.
TICKS = 10_000
UNKNOWN = -1
_SECONDS = ("seconds", "first_token_seconds", "queue_seconds")
_NUMBERS = ("status", "prompt_tokens", "answer_tokens")


@dataclass(frozen=True)
class Columns:
    """The requests of a window of time, in any order. `codes`: the place of each one's group in `groups`.

    `seconds`, `first_token_seconds`, `queue_seconds` in seconds; NaN where unknown; token counts -1 where unknown.
    `hours`: hours since 1970.
    """

    groups: list[tuple[str | None, ...]]
    codes: Any
    hours: Any
    status: Any
    seconds: Any
    first_token_seconds: Any
    queue_seconds: Any
    prompt_tokens: Any
    answer_tokens: Any


def read_columns(workspace: Workspace, since: float, until: float, by: Sequence[str]) -> Columns | None:
    """The requests from `since` up to, not including, `until` (seconds since 1970), by groups; None if none."""
    database = serving_database(workspace)
    if not database.path.exists():
        return None
    with database.reading() as connection:
        groups = _groups(connection, since, until, by)
        return _columns(connection, since, until, by, groups) if groups else None


def _groups(
    connection: sqlite3.Connection, since: float, until: float, by: Sequence[str]
) -> list[tuple[str | None, ...]]:
    sql = f"SELECT DISTINCT {', '.join(by)} FROM requests WHERE time >= ? AND time < ?"
    found = [tuple(row) for row in connection.execute(sql, (since, until))]
    return sorted(found, key=lambda group: tuple(part or "" for part in group))


def _columns(
    connection: sqlite3.Connection, since: float, until: float, by: Sequence[str], groups: list[tuple[str | None, ...]]
) -> Columns:
    import numpy as np

    # A table of the groups' numbers, so that the text of a million names need not be read.
    connection.execute(f"CREATE TEMP TABLE numbered ({', '.join(by)}, number, PRIMARY KEY ({', '.join(by)}))")
    rows = [(*group, number) for number, group in enumerate(groups)]
    connection.executemany(f"INSERT INTO numbered VALUES ({', '.join('?' * (len(by) + 1))})", rows)
    same = " AND ".join(f"numbered.{column} IS requests.{column}" for column in by)
    selected = [
        f"(SELECT number FROM numbered WHERE {same})",
        "cast(time / 3600 AS INTEGER)",
        *(f"ifnull(cast({column} * {TICKS} AS INTEGER), {UNKNOWN})" for column in _SECONDS),
        *(f"ifnull({column}, {UNKNOWN})" for column in _NUMBERS),
    ]
    columns = ", ".join(f"json_group_array({each})" for each in selected)
    texts = connection.execute(
        f"SELECT {columns} FROM requests WHERE time >= ? AND time < ?", (since, until)
    ).fetchone()
    codes, hours, *numbers = (np.fromstring(text[1:-1], dtype=np.int64, sep=",") for text in texts)
    seconds, first_token, queue = (np.where(each == UNKNOWN, np.nan, each / TICKS) for each in numbers[:3])
    status, prompt_tokens, answer_tokens = numbers[3:]
    return Columns(groups, codes, hours, status, seconds, first_token, queue, prompt_tokens, answer_tokens)
