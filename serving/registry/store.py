"""The registry's SQLite file: versions of models, which is in production, and the history of who replaced whom.

`registry.sqlite` in the workspace. Every change is one transaction, so that two processes can't both put a version
into production; the database itself holds to at most one a name.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from jobs.database import Database
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from serving.registry.evidence import evidence_of, merged
from serving.registry.fingerprint import Check, check, files_of, fingerprint
from serving.registry.lineage import full_reference, licences_of, lineage_of, require_servable
from serving.registry.records import (
    STAGES,
    Action,
    Change,
    Evidence,
    Licences,
    Lineage,
    Stage,
    Version,
    check_name,
    check_tags,
    check_text,
    parse_named,
)
from serving.registry.statements import (
    changes_of,
    insert,
    note_change,
    production_of,
    roll_back_target,
    set_column,
    set_stage,
    tags_of,
)

SCHEMA_VERSION = 1
APPLICATION_ID = 0x48525247
_SCHEMA = """
CREATE TABLE names (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE versions (
    name TEXT NOT NULL, number INTEGER NOT NULL, ref TEXT NOT NULL, created REAL NOT NULL, sha256 TEXT,
    stage TEXT NOT NULL CHECK (stage IN ('candidate', 'production', 'retired')),
    lineage TEXT NOT NULL, evidence TEXT NOT NULL, licences TEXT NOT NULL, tags TEXT NOT NULL, note TEXT NOT NULL,
    PRIMARY KEY (name, number)
);
CREATE UNIQUE INDEX one_in_production ON versions (name) WHERE stage = 'production';
CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
    action TEXT NOT NULL, before INTEGER, after INTEGER, reason TEXT NOT NULL
);
CREATE INDEX history_name ON history (name);
"""


class Registry:
    """The tuned models of a workspace. Each call opens the database for itself, so any thread may use it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        path = workspace.root / "registry.sqlite"
        self._database = Database(path, "the registry", _SCHEMA, APPLICATION_ID, SCHEMA_VERSION)

    # Versions

    def register(
        self,
        name: str,
        ref: str,
        *,
        tags: Iterable[str] = (),
        note: str = "",
        base_licence: str | None = None,
        data_licence: str | None = None,
    ) -> Version:
        """Keep a model as the next version of `name`, as a candidate. `ref` is a model text as ModelRef has it.

        Raises BadInput for what can't be a name or model, or is a version already; Missing for what isn't there.
        """
        check_name(name)
        full = full_reference(ref, self.workspace)
        require_servable(full, self.workspace)
        lineage = lineage_of(full, self.workspace)
        known = licences_of(lineage, self.workspace)
        files = files_of(full, self.workspace)
        version = Version(
            name=name,
            number=0,
            ref=full,
            stage="candidate",
            created=time.time(),
            sha256=fingerprint(files) if files is not None else None,
            lineage=lineage,
            evidence=evidence_of(full, lineage, self.workspace),
            licences=Licences(base_licence or known.base, data_licence or known.data),
            tags=check_tags(tags),
            note=check_text(note, "note"),
        )
        with self._database.writing() as connection:
            return insert(connection, version)

    def get(self, name: str, number: int) -> Version:
        """The version. Raises Missing, with the numbers that there are."""
        return self.resolve(f"{name}@{number}")

    def resolve(self, text: str) -> Version:
        """What `name` (production), `name@3` or `name:candidate` (the newest one) stands for, with or without
        `registry:` before it. Raises BadInput for another text, Missing with what there is."""
        named = parse_named(text)
        versions = self.find(name=named.name)
        if named.number is not None:
            found = [version for version in versions if version.number == named.number]
        else:
            found = [version for version in versions if version.stage == named.stage]
        if found:
            return found[0]
        raise self._missing(text, named.name, versions)

    def find(self, *, name: str | None = None, tag: str | None = None, stage: Stage | None = None) -> list[Version]:
        """The versions that fit all that is given, by name and the newest first."""
        if stage is not None and stage not in STAGES:
            raise BadInput(f"'{stage}' is no stage.", f"Stages are {', '.join(STAGES)}.", "Name one of these.")
        if not self._database.path.exists():
            return []
        terms = {
            "name = ?": name,
            "stage = ?": stage,
            "EXISTS (SELECT 1 FROM json_each(tags) WHERE json_each.value = ?)": tag,
        }
        given = {term: value for term, value in terms.items() if value is not None}
        where = " AND ".join(given) or "TRUE"
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT * FROM versions WHERE {where} ORDER BY name, number DESC", tuple(given.values())
            ).fetchall()
        return [self._version(row) for row in rows]

    def history(self, name: str) -> list[Change]:
        """What was done to the versions of a name, oldest first. Raises Missing for a name that never was."""
        check_name(name)
        changes = self._changes(name)
        if not changes:
            raise self._missing(name, name, [])
        return changes

    def check(self, version: Version) -> Check:
        """Whether the version's files are there and as they were registered."""
        return check(version, self.workspace)

    def refresh(self, name: str, number: int) -> Version:
        """The version with what evaluations have said since; what deleted ones said is kept."""
        version = self.get(name, number)
        found = merged(version.evidence, evidence_of(version.ref, version.lineage, self.workspace))
        if found != version.evidence:
            self._set(version, "evidence", json.dumps([asdict(each) for each in found]))
        return replace(version, evidence=found)

    # Stages

    def promote(self, name: str, number: int, reason: str) -> Version:
        """Put a version into production; the one before is retired in the same step.

        Raises Missing for no such version, BadInput where it is in production already or its files were changed or
        deleted since it was registered.
        """
        why = _reason(reason)
        self._require_intact(self.refresh(name, number))
        with self._database.writing() as connection:
            if production_of(connection, name) == number:
                raise BadInput(f"{name}@{number} is in production already.", "Nothing would change.", "Leave it.")
            self._replace(connection, name, number, "promote", why)
        return self.get(name, number)

    def roll_back(self, name: str, reason: str) -> Version:
        """Put back the version that was in production before, and retire the present one. Twice goes back two.

        Raises BadInput where there is none to go back to, or another process changed production meanwhile.
        """
        why = _reason(reason)
        target = self._before(name)
        self._require_intact(self.get(name, target))
        with self._database.writing() as connection:
            if roll_back_target(connection, name) != target:
                raise BadInput(
                    f"{name} was not rolled back.",
                    "Another process changed what is in production at the same moment.",
                    f"Look at `python cli.py registry history {name}`, and repeat it if it is still wanted.",
                )
            self._replace(connection, name, target, "roll back", why)
        return self.get(name, target)

    def retire(self, name: str, number: int, reason: str) -> Version:
        """Take a version out of use. Of the one in production nothing takes the place; `roll_back` brings it back."""
        why = _reason(reason)
        self.get(name, number)
        with self._database.writing() as connection:
            before = production_of(connection, name)
            if not set_stage(connection, name, number, "retired"):
                raise self._missing(f"{name}@{number}", name, [])
            after = None if before == number else before
            note_change(connection, Change(time.time(), name, number, "retire", before, after, why))
        return self.get(name, number)

    def delete(self, name: str, number: int, reason: str = "deleted") -> None:
        """Forget a version; its files stay, and its number is not given again. Raises BadInput for production's."""
        why = _reason(reason)
        self.get(name, number)
        with self._database.writing() as connection:
            before = production_of(connection, name)
            if before == number:
                raise BadInput(
                    f"{name}@{number} can't be deleted.",
                    "It is in production.",
                    "Promote another version, roll back, or retire it first.",
                )
            connection.execute("DELETE FROM versions WHERE name = ? AND number = ?", (name, number))
            note_change(connection, Change(time.time(), name, number, "delete", before, before, why))

    # What people say of a version

    def tag(self, name: str, number: int, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Version:
        """Add and remove tags. Raises Missing, or BadInput for what can't be a tag."""
        version, gone, new = self.get(name, number), set(check_tags(remove)), check_tags(add)
        with self._database.writing() as connection:
            kept = [each for each in tags_of(connection, name, number) if each not in gone]
            set_column(connection, version, "tags", json.dumps(check_tags([*kept, *new])))
        return self.get(name, number)

    def note(self, name: str, number: int, text: str) -> Version:
        """Replace the note. Raises Missing, or BadInput for a text that is too long."""
        return self._set(self.get(name, number), "note", check_text(text, "note"))

    # Inside

    def _set(self, version: Version, column: str, value: str) -> Version:
        with self._database.writing() as connection:
            set_column(connection, version, column, value)
        return self.get(version.name, version.number)

    def _replace(self, connection: sqlite3.Connection, name: str, number: int, action: Action, why: str) -> None:
        before = production_of(connection, name)
        if before is not None:
            set_stage(connection, name, before, "retired")
        if not set_stage(connection, name, number, "production"):
            raise self._missing(f"{name}@{number}", name, [])
        note_change(connection, Change(time.time(), name, number, action, before, number, why))

    def _before(self, name: str) -> int:
        """The number that `roll_back` goes to."""
        self.history(name)
        with self._database.reading() as connection:
            found = roll_back_target(connection, name)
        if found is None:
            raise BadInput(
                f"{name} can't be rolled back.",
                "No version was in production before the present one, or it was deleted.",
                f"`python cli.py registry history {name}` shows what was; promote a version instead.",
            )
        return found

    def _changes(self, name: str) -> list[Change]:
        if not self._database.path.exists():
            return []
        with self._database.reading() as connection:
            return changes_of(connection, name)

    def _require_intact(self, version: Version) -> None:
        found = self.check(version)
        if found.usable:
            return
        kind = Missing if found.state == "gone" else BadInput
        raise kind(
            f"{version.label} can't go into production.",
            found.sentence,
            "Bring its files back as they were, or register what is there now as a new version.",
        )

    def _version(self, row: sqlite3.Row) -> Version:
        values: dict[str, Any] = dict(row)
        try:
            return Version(
                **{
                    **values,
                    "lineage": Lineage(**json.loads(values["lineage"])),
                    "evidence": tuple(Evidence(**each) for each in json.loads(values["evidence"])),
                    "licences": Licences(**json.loads(values["licences"])),
                    "tags": tuple(json.loads(values["tags"])),
                }
            )
        except (ValueError, TypeError) as error:
            raise self._database.damaged(f"{values['name']}@{values['number']} can't be read: {error}") from error

    def _missing(self, text: str, name: str, versions: Sequence[Version]) -> Missing:
        if versions:
            there = ", ".join(f"{version.label} ({version.stage})" for version in versions[:10])
            fix = f"Promote one (`python cli.py registry promote {name}@N`), or name one as {name}@N."
            return Missing(f"The registry has no {text}.", f"Of {name} there is {there}.", fix)
        names = sorted({version.name for version in self.find()})
        return Missing(
            f"The registry has no {text}.",
            f"It holds {', '.join(names[:20])}." if names else "Nothing was registered in this workspace yet.",
            "Register one (`python cli.py registry add NAME MODEL`), or choose another --workspace.",
        )


def resolve_registered(workspace: Workspace, text: str) -> str:
    """The model text that `registry:name`, `name@3` or `name:candidate` stands for now. Raises as `resolve` does."""
    return Registry(workspace).resolve(text).ref


def _reason(text: str) -> str:
    reason = check_text(text, "reason")
    if not reason:
        raise BadInput("No reason is given.", "The history is to tell why it was done.", "Say it in a few words.")
    return reason
