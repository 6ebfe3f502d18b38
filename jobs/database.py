"""An SQLite file of a workspace, made whole or not at all, whose errors are told in people's words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from jobs.errors import BadInput, OutOfRoom, UserError

BUSY_SECONDS = 30.0


@dataclass(frozen=True)
class Database:
    """`schema`: the statements that make it; `holds`: what is in it, for messages, such as "the registry"; `pragmas`:
    statements for every connection; `busy_seconds`: how long a lock of others is waited for, None for BUSY_SECONDS.

    `application_id` and `version` stand in the file, so that another program's file, or one of another version of
    Hearth, is never written to. Each use opens the file for itself, so any thread may.
    """

    path: Path
    holds: str
    schema: str
    application_id: int
    version: int
    pragmas: str = ""
    busy_seconds: float | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection on which everything that is read is of one moment. The file has to exist."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a transaction, which is kept when the block ends and undone when it fails."""
        self._create()
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @property
    def _patience(self) -> float:
        return BUSY_SECONDS if self.busy_seconds is None else self.busy_seconds

    def fold_in(self) -> None:
        """Fold the log of changes into the file: what was deleted stands in it until then."""
        with self._connection() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            # Generators that read may be continued by another thread than the one that began them.
            opened = sqlite3.connect(self.path, timeout=self._patience, isolation_level=None, check_same_thread=False)
            with closing(opened) as connection:
                connection.row_factory = sqlite3.Row
                self._check_version(connection)
                connection.executescript(self.pragmas)
                yield connection
        except sqlite3.Error as error:
            explained = self._explained(error)
            if explained is None:
                raise
            raise explained from error

    def _check_version(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA application_id").fetchone()[0] != self.application_id:
            raise self.damaged(f"it is an SQLite database, but not that of {self.holds}")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found != self.version:
            raise BadInput(
                f"{self.path} has the schema version {found}.",
                f"This version of Hearth reads and writes version {self.version}.",
                "Use the version of Hearth that wrote it, or move the file away to begin a new one.",
            )

    def _create(self) -> None:
        """Make an empty database, complete before it appears under its name."""
        if self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_name(f".{self.path.name}.lock")):
            if self.path.exists():
                return
            temporary = self.path.with_name(f".{self.path.name}.part")
            temporary.unlink(missing_ok=True)
            with closing(sqlite3.connect(temporary)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(
                    f"PRAGMA application_id = {self.application_id};"
                    f"PRAGMA user_version = {self.version};\n{self.schema}"
                )
            os.replace(temporary, self.path)

    def damaged(self, why: str) -> BadInput:
        """What is raised when the file can't be read."""
        return BadInput(
            f"{self.path} can't be read.",
            f"The database of {self.holds} is damaged or is something else: {why}.",
            f"Put back a copy of it, or try `sqlite3 {self.path.name} .recover`; moved away, a new one is begun.",
        )

    def _explained(self, error: sqlite3.Error) -> UserError | None:
        """The error in people's words, None for one that is a defect of ours."""
        # The extended codes hold the plain one in their last byte.
        code = getattr(error, "sqlite_errorcode", -1) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return self.damaged(str(error))
        if code == sqlite3.SQLITE_FULL:
            return OutOfRoom(
                f"The disk is full: writing {self.path} failed.", "This change is not kept.", "Free some space."
            )
        if code == sqlite3.SQLITE_BUSY:
            return BadInput(
                f"{self.path} is locked.",
                f"Another program has held it for more than {self._patience:.0f} seconds.",
                "Close programs that have the database open.",
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return BadInput(f"{self.path} can't be opened or written.", str(error), "Change the file's permissions.")
        return None
