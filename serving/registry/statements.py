"""The registry's statements in SQL, each for a connection that is inside a transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, replace

from jobs.errors import BadInput
from serving.registry.records import Change, Stage, Version


def insert(connection: sqlite3.Connection, version: Version) -> Version:
    """Give the version its number and keep it; the same model twice under one name is refused."""
    known = connection.execute(
        "SELECT number FROM versions WHERE name = ? AND ref = ? AND sha256 = ?",
        (version.name, version.ref, version.sha256),
    ).fetchone()
    if known is not None:
        raise BadInput(
            f"{version.ref} is {version.name}@{known[0]} already.", "Its files are the same.", "Use that version."
        )
    (number,) = connection.execute(
        "INSERT INTO names VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET last = last + 1 RETURNING last",
        (version.name,),
    ).fetchone()
    kept = replace(version, number=number)
    values = asdict(kept)
    stored = [json.dumps(value) if isinstance(value, dict | tuple | list) else value for value in values.values()]
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO versions ({', '.join(values)}) VALUES ({marks})", stored)
    now = production_of(connection, version.name)
    note_change(connection, Change(kept.created, kept.name, number, "register", now, now, "registered"))
    return kept


def production_of(connection: sqlite3.Connection, name: str) -> int | None:
    """The number of the version in production, None where there is none."""
    row = connection.execute("SELECT number FROM versions WHERE name = ? AND stage = 'production'", (name,)).fetchone()
    return int(row[0]) if row else None


def set_stage(connection: sqlite3.Connection, name: str, number: int, stage: Stage) -> bool:
    """Whether there is such a version, which then has that stage."""
    changed = connection.execute("UPDATE versions SET stage = ? WHERE name = ? AND number = ?", (stage, name, number))
    return changed.rowcount == 1


def note_change(connection: sqlite3.Connection, change: Change) -> None:
    """Add a line to the history."""
    values = asdict(change)
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO history ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))


def changes_of(connection: sqlite3.Connection, name: str) -> list[Change]:
    """The history of a name, oldest first."""
    columns = "time, name, number, action, before, after, reason"
    rows = connection.execute(f"SELECT {columns} FROM history WHERE name = ? ORDER BY id", (name,))
    return [Change(**dict(row)) for row in rows]


def roll_back_target(connection: sqlite3.Connection, name: str) -> int | None:
    """The version that a roll back goes to: the last one in production before the present one that is still there."""
    there = {int(row[0]) for row in connection.execute("SELECT number FROM versions WHERE name = ?", (name,))}
    now = production_of(connection, name)
    earlier = _in_production_in_turn(changes_of(connection, name))[:-1]
    return next((number for number in reversed(earlier) if number in there and number != now), None)


def _in_production_in_turn(changes: Sequence[Change]) -> list[int | None]:
    """Which versions led to the present one, that last; a roll back takes back what it undid. None: there was none."""
    turns: list[int | None] = []
    for change in changes:
        if change.action == "promote" or (change.action == "retire" and change.before != change.after):
            turns.append(change.after)
        elif change.action == "roll back":
            turns.pop()
            while turns and turns[-1] != change.after:
                turns.pop()
    return turns


def set_column(connection: sqlite3.Connection, version: Version, column: str, value: str) -> None:
    """Replace what a person said of a version, or its evidence."""
    connection.execute(
        f"UPDATE versions SET {column} = ? WHERE name = ? AND number = ?", (value, version.name, version.number)
    )


def tags_of(connection: sqlite3.Connection, name: str, number: int) -> list[str]:
    """The tags of a version; none where there is no such version."""
    row = connection.execute("SELECT tags FROM versions WHERE name = ? AND number = ?", (name, number)).fetchone()
    return list(json.loads(row[0])) if row else []
