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
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from datasets_src.interactions.filters import Where, interaction_where, vote_where
from datasets_src.interactions.records import (
    PREFERRED,
    Interaction,
    InteractionFilter,
    Vote,
    check_prompt,
    check_rating,
)
from jobs.database import Database
from jobs.errors import BadInput, Missing, disk_full
from jobs.workspace import Workspace

SCHEMA_VERSION = 2
APPLICATION_ID = 0x48525448
# Deleted rows are overwritten. With a log of changes a crash can't damage the file; a power cut may cost the last rows.
PRAGMAS = "PRAGMA secure_delete = ON; PRAGMA synchronous = NORMAL;"
_SCHEMA = """
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


class Interactions:
    """The interactions of a workspace. Each call opens the database for itself, so any thread may use it.

    `busy_seconds`: how long a database that others have locked is waited for.
    """

    def __init__(self, workspace: Workspace, busy_seconds: float | None = None) -> None:
        self.path = workspace.root / "interactions.sqlite"
        self._salt_path = workspace.root / "interactions.salt"
        self._database = Database(
            self.path, "interactions", _SCHEMA, APPLICATION_ID, SCHEMA_VERSION, PRAGMAS, busy_seconds
        )

    def record(self, interaction: Interaction, user: str | None = None) -> int:
        """Keep an interaction, at this time; its id. `user` is kept as a salted hash."""
        return self.record_later(replace(interaction, time=time.time(), user=self.pseudonym(user)))

    def record_later(self, interaction: Interaction) -> int:
        """Keep one that has its time and its user's pseudonym already, because it could not be kept at once; its id."""
        check_prompt(interaction.prompt)
        check_rating(interaction.rating)
        return self._insert("interactions", asdict(interaction))

    def number_of(self, interaction: Interaction) -> int | None:
        """The id under which the very same interaction is kept, of the same time; None where it is not."""
        if not self.path.exists():
            return None
        values = self._stored(asdict(interaction))
        same = ("time", "prompt", "answer", "model")
        with self._database.reading() as connection:
            sql = f"SELECT id FROM interactions WHERE {' AND '.join(f'{name} = ?' for name in same)}"
            found = connection.execute(sql, [values[name] for name in same]).fetchone()
        return None if found is None else int(found["id"])

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
        stored = list(self._stored(values).values())
        marks = ", ".join("?" * len(values))
        with self._database.writing() as connection:
            cursor = connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", stored)
            return int(cursor.lastrowid or 0)

    @staticmethod
    def _stored(values: dict[str, Any]) -> dict[str, Any]:
        """The values as columns hold them."""
        return {
            name: json.dumps(value, default=str) if name in _JSON_COLUMNS else _clean(value)
            for name, value in values.items()
        }

    def _update(self, interaction_id: int, change: str, values: Sequence[Any]) -> None:
        with self._database.writing() as connection:
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
        with self._database.writing() as connection:
            deleted = sum(
                connection.execute(f"DELETE FROM {table} WHERE {condition}", (value,)).rowcount
                for table in ("interactions", "votes")
            )
        self._database.fold_in()
        return deleted

    def _rows(self, table: str, where: Where) -> Iterator[dict[str, Any]]:
        if not self.path.exists():
            return
        with self._database.reading() as connection:
            for row in connection.execute(f"SELECT * FROM {table} WHERE {where.sql} ORDER BY id", where.values):
                yield self._decoded(table, dict(row))

    def _decoded(self, table: str, values: dict[str, Any]) -> dict[str, Any]:
        try:
            found = {name: json.loads(value) if name in _JSON_COLUMNS else value for name, value in values.items()}
            return {**found, "blind": bool(found["blind"])} if "blind" in found else found
        except ValueError as error:
            raise self._database.damaged(f"row {values['id']} of {table} holds no JSON: {error}") from error

    def _count(self, table: str, where: Where) -> int:
        if not self.path.exists():
            return 0
        with self._database.reading() as connection:
            found = connection.execute(f"SELECT count(*) FROM {table} WHERE {where.sql}", where.values).fetchone()
            return int(found[0])

    def pseudonym(self, user: str | None) -> str | None:
        """What stands for a user everywhere: HMAC-SHA-256 with the workspace's own salt, 32 hexadecimal digits."""
        if user is None:
            return None
        return hmac.new(self._salt(), user.encode(), hashlib.sha256).hexdigest()[:32]

    def _salt(self) -> bytes:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._salt_path.with_name(".interactions.salt.lock")):
            if not self._salt_path.exists():
                descriptor = os.open(self._salt_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(secrets.token_hex(32))
            return bytes.fromhex(self._salt_path.read_text())


def _clean(value: Any) -> Any:
    """Text that can be stored: half of a surrogate pair, which models' tokens can leave, becomes a question mark."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
