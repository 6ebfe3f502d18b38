"""Experiments in `serving.sqlite`: started, changed, stopped; who met which arm, and what came of it; forgotten."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import asdict, dataclass
from functools import lru_cache, partial

from jobs.errors import BadInput, Missing, OutOfRoom
from jobs.workspace import Workspace
from serving.experiments.assignment import Segment, resized, segments_of
from serving.experiments.experiment import Assignment, Experiment, Stop
from serving.experiments.outcomes import Outcome
from serving.experiments.spec import ExperimentSpec
from serving.tables import hashed_person, serving_database
from serving.writer import Writer

# What another process changed is known after so long, without looking it up for every request.
REMEMBERED_SECONDS = 1.0
REMEMBERED_PEOPLE = 4096
MORE_TO_SEE = 0.02
LOOK_AGAIN_SECONDS = 600.0
EXPOSE = "INSERT INTO exposures (experiment, revision, arm, unit, user, request, time) VALUES (?, ?, ?, ?, ?, ?, ?)"
RECORD = (
    "INSERT INTO outcomes (request, time, error, seconds, first_token_seconds, tokens, rating, edited, success)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True)
class _Remembered:
    """An experiment as it was read, and when (monotonic seconds)."""

    experiment: Experiment
    read: float


class Experiments:
    """The experiments of a workspace.

    With a `writer` (a running server has one) exposures and outcomes are handed to it and are on disk within a second;
    without, each is on disk when the call returns.
    """

    def __init__(self, workspace: Workspace, writer: Writer | None = None) -> None:
        self.workspace = workspace
        self.database = serving_database(workspace)
        self._writer = writer
        self._remembered: dict[str, _Remembered] = {}
        # The last outcome's number and the time of the last look, by experiment.
        self._looked: dict[str, tuple[int, float]] = {}
        # Reading the salt takes a lock on a file, too long for every request.
        self._hashed = lru_cache(REMEMBERED_PEOPLE)(partial(hashed_person, workspace))

    def start(self, spec: ExperimentSpec) -> Experiment:
        """Begin an experiment, or give one that runs other percentages. Raises BadInput for any other change."""
        with self.database.writing() as connection:
            known = _read(connection, spec.name)
            revision = known.revision + 1 if known else 1
            segments = resized(known.segments, _changed_shares(known, spec)) if known else segments_of(spec)
            if known:
                # The salt stays: with another one everybody would move.
                spec = spec.model_copy(update={"salt": known.spec.salt})
            places = json.dumps([[segment.arm, segment.width] for segment in segments])
            connection.execute(
                "INSERT INTO experiments VALUES (?, ?, ?, ?, ?)",
                (spec.name, revision, time.time(), spec.model_dump_json(), places),
            )
        return self._again(spec.name)

    def find(self, name: str) -> Experiment:
        """The experiment of that name. Raises Missing."""
        if self.database.path.exists():
            with self.database.reading() as connection:
                found = _read(connection, name)
            if found is not None:
                return found
        known = ", ".join(each.spec.name for each in self.list_all())
        raise Missing(
            f"There is no experiment '{name}'.",
            f"There are {known}." if known else "None was started in this workspace.",
            "Check the name, or start it: python cli.py experiments start SPEC.yaml",
        )

    def list_all(self) -> list[Experiment]:
        """All experiments, the newest first."""
        if not self.database.path.exists():
            return []
        with self.database.reading() as connection:
            names = connection.execute("SELECT name FROM experiments GROUP BY name ORDER BY min(time) DESC").fetchall()
            found = [_read(connection, row["name"]) for row in names]
        return [experiment for experiment in found if experiment is not None]

    def assign(self, name: str, user: str | None, conversation: str | None) -> Assignment:
        """Which arm answers a request; quick enough for each of them. Raises Missing.

        While the database can't be read, as was read last; BadInput or OutOfRoom where it never was.
        """
        remembered = self._remembered.get(name)
        if remembered is not None and time.monotonic() - remembered.read <= REMEMBERED_SECONDS:
            return remembered.experiment.assign(user, conversation)
        try:
            return self._again(name).assign(user, conversation)
        except (BadInput, OutOfRoom):
            # A database in trouble, which the writer reports, is no reason to answer nobody.
            if remembered is None:
                raise
            return remembered.experiment.assign(user, conversation)

    def stop(self, name: str, reason: str, arm: str | None = None) -> Experiment:
        """Stop an experiment, or one of its arms: from now on control's model answers. Raises Missing or BadInput."""
        with self.database.writing() as connection:
            known = _read(connection, name)
            if known is not None and _stoppable(known, arm):
                connection.execute(
                    "INSERT INTO stops (experiment, arm, time, reason) VALUES (?, ?, ?, ?)",
                    (name, arm, time.time(), reason),
                )
        return self._again(name)

    def expose(self, assignment: Assignment, request: str, now: float | None = None) -> None:
        """Keep that a request was given to an arm, before it is answered. Does nothing when it isn't counted."""
        if not assignment.counted or assignment.unit is None:
            return
        kind, _, given = assignment.unit.partition(" ")
        unit = f"{kind} {self._hashed(given)}"
        user = self._hashed(assignment.user) if assignment.user else None
        moment = time.time() if now is None else now
        values = (assignment.experiment, assignment.revision, assignment.arm, unit, user, request, moment)
        self._write(EXPOSE, values)

    def record(self, request: str, outcome: Outcome, now: float | None = None) -> None:
        """Keep what became known of a request. Say whether it failed (`error`) for every one, once it ended.

        Raises BadInput for a figure that can't be one.
        """
        outcome.check()
        self._write(RECORD, (request, time.time() if now is None else now, *asdict(outcome).values()))

    def worth_a_look(self, name: str, moment: float) -> bool:
        """Whether enough came in since this last said so: looking reads all of an experiment."""
        if not self.database.path.exists():
            return True
        with self.database.reading() as connection:
            outcomes = connection.execute("SELECT coalesce(max(id), 0) FROM outcomes").fetchone()[0]
        known, looked = self._looked.get(name, (0, -LOOK_AGAIN_SECONDS))
        if outcomes <= known * (1 + MORE_TO_SEE) and moment - looked < LOOK_AGAIN_SECONDS:
            return False
        self._looked[name] = (outcomes, moment)
        return True

    def require_exposed(self, request: str) -> None:
        """Raise Missing unless that request was part of an experiment."""
        if self.database.path.exists():
            with self.database.reading() as connection:
                if connection.execute("SELECT 1 FROM exposures WHERE request = ?", (request,)).fetchone():
                    return
        raise Missing(
            f"No experiment knows the request '{request}'.",
            "Outcomes are kept for requests that an arm of an experiment answered.",
            "Take the id from the answer's `id`, or its X-Request-Id header.",
        )

    def delete_user(self, user: str) -> int:
        """Delete what a user met and what came of it; how many requests that were."""
        self._hashed.cache_clear()
        return self._delete("user = ?", hashed_person(self.workspace, user)) if self.database.path.exists() else 0

    def forget_before(self, moment: float) -> int:
        """Delete what is older than a time (seconds since 1970); how many requests that were."""
        return self._delete("time < ?", moment) if self.database.path.exists() else 0

    def _delete(self, condition: str, value: str | float) -> int:
        if self._writer is not None:
            self._writer.flush()
        with self.database.writing() as connection:
            # Overwritten, not just unlinked.
            connection.execute("PRAGMA secure_delete = ON")
            theirs = f"SELECT request FROM exposures WHERE {condition}"
            connection.execute(f"DELETE FROM outcomes WHERE request IN ({theirs})", (value,))
            deleted = connection.execute(f"DELETE FROM exposures WHERE {condition}", (value,)).rowcount
        self.database.fold_in()
        return deleted

    def _write(self, sql: str, values: tuple[object, ...]) -> None:
        if self._writer is not None:
            self._writer.put(sql, values)
            return
        with self.database.writing() as connection:
            connection.execute(sql, values)

    def _again(self, name: str) -> Experiment:
        """The experiment as it is now, remembered for the requests that follow."""
        experiment = self.find(name)
        self._remembered[name] = _Remembered(experiment, time.monotonic())
        return experiment


def _read(connection: sqlite3.Connection, name: str) -> Experiment | None:
    rows = connection.execute("SELECT * FROM experiments WHERE name = ? ORDER BY revision", (name,)).fetchall()
    if not rows:
        return None
    specs = {row["revision"]: ExperimentSpec.parse(json.loads(row["spec"]), f"experiment {name}") for row in rows}
    stops = connection.execute("SELECT arm, time, reason FROM stops WHERE experiment = ? ORDER BY id", (name,))
    last = rows[-1]
    return Experiment(
        spec=specs[last["revision"]],
        revision=last["revision"],
        started=rows[0]["time"],
        segments=tuple(Segment(arm, width) for arm, width in json.loads(last["segments"])),
        shares={revision: spec.shares for revision, spec in specs.items()},
        stops=tuple(Stop(row["arm"], row["time"], row["reason"]) for row in stops),
    )


def _changed_shares(known: Experiment, spec: ExperimentSpec) -> dict[str, float]:
    """The new percentages. Raises BadInput when they are the old ones, or when something else changed too."""
    name = spec.name
    if not known.running:
        raise BadInput(
            f"The experiment '{name}' was stopped.", "What it found stays as it is.", "Start it under another name."
        )
    if _without_shares(known.spec) != _without_shares(spec):
        raise BadInput(
            f"The experiment '{name}' runs already, with other settings.",
            "Of a running experiment only the percentages can change: its results would mean two things.",
            f"Stop it (python cli.py experiments stop {name}), and start this one under another name.",
        )
    if known.spec.shares == spec.shares:
        raise BadInput(f"The experiment '{name}' runs already.", "Nothing in it changed.", "See it with `show`.")
    return spec.shares


def _without_shares(spec: ExperimentSpec) -> object:
    """What must not change: everything but percentages and the salt, which a file seldom names."""
    values = spec.model_dump(exclude={"salt"})
    return {**values, "arms": [{**arm, "percentage": None} for arm in values["arms"]]}


def _stoppable(known: Experiment, arm: str | None) -> bool:
    """Whether there is something left to stop. Raises BadInput for an arm that can't be."""
    if arm is not None and arm not in known.spec.others:
        raise BadInput(
            f"'{arm}' can't be stopped in '{known.spec.name}'.",
            f"Arms that can be: {', '.join(known.spec.others)}; control gets the users of those that are stopped.",
            "Name one of these, or none to stop the experiment.",
        )
    return known.running and (arm is None or arm not in known.stopped_arms)
