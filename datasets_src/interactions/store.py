"""Interactions, ratings and votes in `interactions.sqlite` in the workspace, written by several processes at once.

Who said something is kept as a salted hash alone; the salt lies in a file of its own, `interactions.salt`, so that a
copy of the database tells no names. What is deleted is overwritten (`secure_delete`), not just unlinked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock

from datasets_src.interactions.records import (
    PREFERRED,
    Interaction,
    InteractionFilter,
    Vote,
    check_prompt,
    check_rating,
)
from jobs.errors import BadInput, Missing, OutOfRoom, UserError, disk_full
from jobs.workspace import Workspace

SCHEMA_VERSION = 2
APPLICATION_ID = 0x48525448
BUSY_SECONDS = 30.0
_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
CREATE TABLE interactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, conversation TEXT, user TEXT,
    prompt TEXT NOT NULL, answer TEXT NOT NULL, tools TEXT NOT NULL, tool_calls TEXT NOT NULL,
    model TEXT NOT NULL, model_version TEXT, tag TEXT, reasoning_mode TEXT,
    rating INTEGER CHECK (rating BETWEEN 1 AND 5), edit TEXT, comment TEXT,
    prompt_tokens INTEGER, answer_tokens INTEGER, sampling TEXT NOT NULL
);
CREATE TABLE votes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, conversation TEXT, user TEXT,
    prompt TEXT NOT NULL, answer_a TEXT NOT NULL, answer_b TEXT NOT NULL,
    preferred TEXT NOT NULL CHECK (preferred IN ('a', 'b', 'tie', 'bad')),
    model_a TEXT NOT NULL, model_b TEXT NOT NULL, tag TEXT, reasoning_mode TEXT,
    blind INTEGER NOT NULL, sampling TEXT NOT NULL, comment TEXT
);
CREATE INDEX interactions_time ON interactions (time);
CREATE INDEX interactions_user ON interactions (user);
CREATE INDEX votes_time ON votes (time);
CREATE INDEX votes_user ON votes (user);
"""
_JSON_COLUMNS = ("prompt", "tools", "tool_calls", "sampling")
USED_ANSWER = "coalesce(edit, answer)"
CHOSEN_ANSWER = "CASE preferred WHEN 'a' THEN answer_a ELSE answer_b END"


@dataclass(frozen=True)
class _Where:
    """A condition in SQL and the values of its question marks."""

    sql: str
    values: tuple[Any, ...]


class Interactions:
    """The interactions of a workspace. Each call opens the database for itself, so any thread may use it."""

    def __init__(self, workspace: Workspace) -> None:
        self.path = workspace.root / "interactions.sqlite"
        self._salt_path = workspace.root / "interactions.salt"
        self._lock_path = workspace.root / ".interactions.lock"

    def record(self, interaction: Interaction, user: str | None = None) -> int:
        """Keep an interaction, at this time; its id. `user` is kept as a salted hash."""
        return self.record_later(replace(interaction, time=time.time(), user=self.pseudonym(user)))

    def record_later(self, interaction: Interaction) -> int:
        """Keep one that has its time and its user's pseudonym already, because it could not be kept at once; its id."""
        check_prompt(interaction.prompt)
        check_rating(interaction.rating)
        return self._insert("interactions", asdict(interaction))

    def rate(self, interaction_id: int, rating: int | None, comment: str | None = None) -> None:
        """Give, change or (None) take back the rating of an interaction and its comment. Raises Missing or BadInput."""
        check_rating(rating)
        self._update(interaction_id, "rating = ?, comment = ?", (rating, _clean(comment)))

    def comment(self, interaction_id: int, comment: str | None) -> None:
        """Give, change or (None) take back the comment alone. Raises Missing."""
        self._update(interaction_id, "comment = ?", (_clean(comment),))

    def correct(self, interaction_id: int, edit: str | None) -> None:
        """Keep the answer as it should have been, or (None) take the correction back. Raises Missing or BadInput."""
        if edit is not None and not edit.strip():
            raise BadInput(
                "The corrected answer is empty.",
                "It would be trained on instead of the one given.",
                "Write the answer as it should have been, or rate it low to leave it out.",
            )
        # One that was not changed is no correction.
        self._update(interaction_id, "edit = nullif(?, answer)", (_clean(edit),))

    def vote(self, vote: Vote, user: str | None = None) -> int:
        """Keep which of two answers was preferred, at this time; its id."""
        check_prompt(vote.prompt)
        if vote.preferred not in PREFERRED:
            raise BadInput(
                f"{vote.preferred!r} is no vote.", "One of two answers is preferred.", "Give a, b, tie or bad."
            )
        return self._insert("votes", {**asdict(vote), "time": time.time(), "user": self.pseudonym(user)})

    def find(self, chosen: InteractionFilter | None = None) -> Iterator[Interaction]:
        """The interactions that fit, oldest first, as they were when reading began. Nothing is held in memory."""
        for values in self._rows("interactions", interaction_where(chosen or InteractionFilter())):
            yield Interaction(**values)

    def find_votes(self, chosen: InteractionFilter | None = None) -> Iterator[Vote]:
        """The votes that fit, oldest first. What the filter says of ratings and corrections has no meaning here."""
        for values in self._rows("votes", vote_where(chosen or InteractionFilter())):
            yield Vote(**values)

    def count(self, chosen: InteractionFilter | None = None) -> int:
        """How many interactions fit."""
        return self._count("interactions", interaction_where(chosen or InteractionFilter()))

    def count_votes(self, chosen: InteractionFilter | None = None) -> int:
        """How many votes fit."""
        return self._count("votes", vote_where(chosen or InteractionFilter()))

    def delete_user(self, user: str) -> int:
        """Delete everything of a user; how many rows that were."""
        return self._delete("user = ?", self.pseudonym(user))

    def forget_before(self, moment: float) -> int:
        """Delete what is older than a time (seconds since 1970); how many rows that were."""
        return self._delete("time < ?", moment)

    def export(self, path: Path, chosen: InteractionFilter | None = None) -> int:
        """Write what fits as JSONL, interactions and then votes, without who said it; how many lines.

        An earlier file of that name is replaced only by a complete one.
        """
        lines = 0
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                for kind, records in (("interaction", self.find(chosen)), ("vote", self.find_votes(chosen))):
                    for record in records:
                        values = {name: value for name, value in asdict(record).items() if name != "user"}
                        file.write(json.dumps({"kind": kind, **values}, ensure_ascii=False) + "\n")
                        lines += 1
            os.replace(temporary, path)
        except OSError as error:
            full = disk_full(error, str(path))
            if full is None:
                raise
            raise full from error
        finally:
            temporary.unlink(missing_ok=True)
        return lines

    def _insert(self, table: str, values: dict[str, Any]) -> int:
        del values["id"]
        stored = [
            json.dumps(value, default=str) if name in _JSON_COLUMNS else _clean(value) for name, value in values.items()
        ]
        marks = ", ".join("?" * len(values))
        with self._writing() as connection:
            cursor = connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", stored)
            return int(cursor.lastrowid or 0)

    def _update(self, interaction_id: int, change: str, values: Sequence[Any]) -> None:
        with self._writing() as connection:
            cursor = connection.execute(f"UPDATE interactions SET {change} WHERE id = ?", (*values, interaction_id))
            if cursor.rowcount == 0:
                raise Missing(
                    f"There is no interaction {interaction_id}.",
                    "It was never recorded in this workspace, or was deleted.",
                    "Rate one that is there.",
                )

    def _delete(self, condition: str, value: Any) -> int:
        if not self.path.exists():
            return 0
        with self._writing() as connection:
            deleted = sum(
                connection.execute(f"DELETE FROM {table} WHERE {condition}", (value,)).rowcount
                for table in ("interactions", "votes")
            )
        with self._connection() as connection:
            # What was deleted also stands in the log of changes until that is folded in.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted

    def _rows(self, table: str, where: _Where) -> Iterator[dict[str, Any]]:
        if not self.path.exists():
            return
        with self._connection() as connection:
            connection.row_factory = sqlite3.Row
            for row in connection.execute(f"SELECT * FROM {table} WHERE {where.sql} ORDER BY id", where.values):
                yield self._decoded(table, dict(row))

    def _decoded(self, table: str, values: dict[str, Any]) -> dict[str, Any]:
        try:
            found = {name: json.loads(value) if name in _JSON_COLUMNS else value for name, value in values.items()}
            return {**found, "blind": bool(found["blind"])} if "blind" in found else found
        except ValueError as error:
            raise self._damaged(f"row {values['id']} of {table} holds no JSON: {error}") from error

    def _count(self, table: str, where: _Where) -> int:
        if not self.path.exists():
            return 0
        with self._connection() as connection:
            found = connection.execute(f"SELECT count(*) FROM {table} WHERE {where.sql}", where.values).fetchone()
            return int(found[0])

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a transaction, which is kept when the block ends and undone when it fails."""
        self._create()
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            # Generators that read may be continued by another thread than the one that began them.
            opened = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            with closing(opened) as connection:
                self._check_version(connection)
                connection.execute("PRAGMA secure_delete = ON")
                # With a log of changes a crash can't damage the file; a power cut may cost the last few rows.
                connection.execute("PRAGMA synchronous = NORMAL")
                yield connection
        except sqlite3.Error as error:
            explained = self._explained(error)
            if explained is None:
                raise
            raise explained from error

    def _check_version(self, connection: sqlite3.Connection) -> None:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION_ID:
            raise self._damaged("it is an SQLite database, but not one of interactions")
        if version != SCHEMA_VERSION:
            raise BadInput(
                f"{self.path} has the schema version {version}.",
                f"This version of Hearth reads and writes version {SCHEMA_VERSION}.",
                "Use the version of Hearth that wrote it, or move the file away to begin a new one.",
            )

    def _create(self) -> None:
        """Make an empty database, complete before it appears under its name."""
        if self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._lock_path):
            if self.path.exists():
                return
            temporary = self.path.with_name(f".{self.path.name}.part")
            temporary.unlink(missing_ok=True)
            with closing(sqlite3.connect(temporary)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_SCHEMA)
            os.replace(temporary, self.path)

    def pseudonym(self, user: str | None) -> str | None:
        """What stands for a user everywhere: HMAC-SHA-256 with the workspace's own salt, 32 hexadecimal digits."""
        if user is None:
            return None
        return hmac.new(self._salt(), user.encode(), hashlib.sha256).hexdigest()[:32]

    def _salt(self) -> bytes:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._lock_path):
            if not self._salt_path.exists():
                descriptor = os.open(self._salt_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(secrets.token_hex(32))
            return bytes.fromhex(self._salt_path.read_text())

    def _damaged(self, why: str) -> BadInput:
        return BadInput(
            f"{self.path} can't be read.",
            f"The database of interactions is damaged or is something else: {why}.",
            "Put back a copy of it, or try `sqlite3 interactions.sqlite .recover`; moved away, a new one is begun.",
        )

    def _explained(self, error: sqlite3.Error) -> UserError | None:
        """The error in people's words, None for one that is a defect of ours."""
        # The extended codes hold the plain one in their last byte.
        code = getattr(error, "sqlite_errorcode", -1) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return self._damaged(str(error))
        if code == sqlite3.SQLITE_FULL:
            return OutOfRoom(
                f"The disk is full: writing {self.path} failed.", "What was said just now is not kept.", "Free space."
            )
        if code == sqlite3.SQLITE_BUSY:
            return BadInput(
                f"{self.path} is locked.",
                f"Another program has held it for more than {BUSY_SECONDS:.0f} seconds.",
                "Close programs that have the database open.",
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return BadInput(f"{self.path} can't be opened or written.", str(error), "Change the file's permissions.")
        return None


def interaction_where(chosen: InteractionFilter) -> _Where:
    """The condition of a filter on interactions."""
    terms = _common_terms(chosen, USED_ANSWER)
    if chosen.model is not None:
        terms.append(("model = ?", (chosen.model,)))
    if chosen.min_rating is not None:
        terms.append(("(rating >= ? OR edit IS NOT NULL)", (chosen.min_rating,)))
    if chosen.only_edited:
        terms.append(("edit IS NOT NULL", ()))
    return _joined(terms)


def vote_where(chosen: InteractionFilter) -> _Where:
    """The condition of a filter on votes."""
    terms = _common_terms(chosen, CHOSEN_ANSWER)
    if chosen.model is not None:
        terms.append(("(model_a = ? OR model_b = ?)", (chosen.model, chosen.model)))
    return _joined(terms)


def _common_terms(chosen: InteractionFilter, answer: str) -> list[tuple[str, tuple[Any, ...]]]:
    day = timedelta(days=1)
    given: list[tuple[str, Any]] = [
        (f"length({answer}) >= ?", chosen.min_length),
        (f"length({answer}) <= ?", chosen.max_length),
        ("tag = ?", chosen.tag),
        ("reasoning_mode = ?", chosen.reasoning_mode),
        ("time >= ?", _midnight(chosen.date_from) if chosen.date_from else None),
        ("time < ?", _midnight(chosen.date_to + day) if chosen.date_to else None),
    ]
    return [(term, (value,)) for term, value in given if value is not None]


def _joined(terms: Sequence[tuple[str, tuple[Any, ...]]]) -> _Where:
    sql = " AND ".join(term for term, _ in terms) or "TRUE"
    return _Where(sql, tuple(value for _, values in terms for value in values))


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _clean(value: Any) -> Any:
    """Text that can be stored: half of a surrogate pair, which models' tokens can leave, becomes a question mark."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
