"""Which chats earlier rounds used, by id and time, in `loops.sqlite` in the workspace.

A chat is taken for good once its round was promoted, waits, was rejected or measured worse. Of a round that showed no
difference it is taken again, with the new ones. Those of a round whose job was deleted before it ended are free.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from jobs.database import Database
from jobs.workspace import Workspace

Key = tuple[int, float]
Settled = Literal["taken", "again"]

APPLICATION_ID = 0x48524C50
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE used (
    plan TEXT NOT NULL, chat INTEGER NOT NULL, time REAL NOT NULL, round TEXT NOT NULL,
    settled TEXT CHECK (settled IN ('taken', 'again')),
    PRIMARY KEY (plan, chat, time)
);
"""


@dataclass(frozen=True)
class Used:
    """The chats that a plan's earlier rounds used, by what became of these."""

    for_good: frozenset[Key]
    once_more: frozenset[Key]

    def taken(self, chat: Key) -> bool:
        return chat in self.for_good

    def again(self, chat: Key) -> bool:
        return chat in self.once_more


class Memory:
    """What rounds used. Each call opens the database for itself, so any thread may use it."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        path = workspace.root / "loops.sqlite"
        self._database = Database(path, "the loops", _SCHEMA, APPLICATION_ID, SCHEMA_VERSION)

    def of(self, plan: str, *, but: str | None = None) -> Used:
        """What the rounds of a plan used, those of the round `but` left out."""
        if not self._database.path.exists():
            return Used(frozenset(), frozenset())
        with self._database.reading() as connection:
            rows = connection.execute("SELECT chat, time, round, settled FROM used WHERE plan = ?", (plan,)).fetchall()
        others = [row for row in rows if row["round"] != but]
        there = {name for name in {row["round"] for row in others} if (self._workspace.jobs / name).is_dir()}
        taken = [row for row in others if row["settled"] == "taken" or (not row["settled"] and row["round"] in there)]
        again = [row for row in others if row["settled"] == "again"]
        return Used(_keys(taken), _keys(again))

    def use(self, plan: str, round_id: str, chats: Iterable[Key]) -> None:
        """Note the chats of a round that begins; what was noted for it before is replaced."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM used WHERE plan = ? AND round = ?", (plan, round_id))
            connection.executemany(
                "INSERT OR REPLACE INTO used VALUES (?, ?, ?, ?, NULL)",
                [(plan, chat, moment, round_id) for chat, moment in chats],
            )

    def settle(self, plan: str, round_id: str, settled: Settled) -> None:
        """Say what became of a round's chats."""
        with self._database.writing() as connection:
            connection.execute("UPDATE used SET settled = ? WHERE plan = ? AND round = ?", (settled, plan, round_id))


def _keys(rows: Iterable[sqlite3.Row]) -> frozenset[Key]:
    return frozenset((int(row["chat"]), float(row["time"])) for row in rows)
