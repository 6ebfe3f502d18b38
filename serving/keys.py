"""API keys of a workspace's servers: made once, shown once, kept as hashes, each with limits of its own.

A key is 256 random bits, so that a plain SHA-256 of it can't be turned back by guessing; nothing slower is needed
(https://cheatsheetseries.owasp.org: work factors are for passwords, which people choose).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
import time
from dataclasses import asdict, dataclass

from jobs.database import Database
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace

PREFIX = "hearth-"
SCHEMA_VERSION = 1
APPLICATION_ID = 0x48524B59
NAME = re.compile(r"[\w .@-]{1,60}")
_SCHEMA = """
CREATE TABLE keys (
    name TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, ending TEXT NOT NULL, created REAL NOT NULL, revoked REAL,
    requests_per_minute INTEGER, tokens_per_day INTEGER
);
"""


@dataclass(frozen=True)
class Key:
    """A key without the key itself: `ending` is its last four characters. Times are seconds since 1970; limits that are
    None are none."""

    name: str
    ending: str
    created: float
    revoked: float | None
    requests_per_minute: int | None
    tokens_per_day: int | None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


class Keys:
    """The keys of a workspace, in `keys.sqlite`. Each call opens the file for itself, so any thread may use it."""

    def __init__(self, workspace: Workspace) -> None:
        path = workspace.root / "keys.sqlite"
        self._database = Database(path, "API keys", _SCHEMA, APPLICATION_ID, SCHEMA_VERSION)

    def create(self, name: str, *, requests_per_minute: int | None = None, tokens_per_day: int | None = None) -> str:
        """Make a key; it can't be read again. Raises BadInput for a name that is taken or can't be one."""
        if not NAME.fullmatch(name):
            raise BadInput(f"{name!r} can't name a key.", "Letters, digits, spaces and . @ - _ can.", "Change it.")
        key = PREFIX + secrets.token_urlsafe(32)
        values = (name, _hash(key), key[-4:], time.time(), requests_per_minute, tokens_per_day)
        try:
            with self._database.writing() as connection:
                connection.execute(
                    "INSERT INTO keys (name, hash, ending, created, requests_per_minute, tokens_per_day) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    values,
                )
        except sqlite3.IntegrityError as error:
            raise BadInput(f"There is a key '{name}'.", "Names are given once.", "Choose another name.") from error
        return key

    def find(self, key: str) -> Key | None:
        """The key that was presented, None where it isn't one or was revoked."""
        found = self._rows("WHERE hash = ? AND revoked IS NULL", (_hash(key),))
        return found[0] if found else None

    def all(self) -> list[Key]:
        """All keys, oldest first, the revoked ones included."""
        return self._rows("ORDER BY created", ())

    def revoke(self, name: str) -> None:
        """From now on the key is refused. Raises Missing where there is none that counts."""
        with self._database.writing() as connection:
            changed = connection.execute(
                "UPDATE keys SET revoked = ? WHERE name = ? AND revoked IS NULL", (time.time(), name)
            ).rowcount
        if not changed:
            raise Missing(f"There is no key '{name}' in use.", "It was revoked, or never made.", "List the keys.")

    def _rows(self, where: str, values: tuple[object, ...]) -> list[Key]:
        if not self._database.path.exists():
            return []
        columns = "name, ending, created, revoked, requests_per_minute, tokens_per_day"
        with self._database.reading() as connection:
            return [Key(*row) for row in connection.execute(f"SELECT {columns} FROM keys {where}", values)]


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
