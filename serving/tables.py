"""The tables of `serving.sqlite` in the workspace: experiments, who met which arm, what came of it, every request.

Who asked is kept as the salted hash that the interactions use too, so that one deletion by user id reaches both.
"""

from __future__ import annotations

from datasets_src.interactions import Interactions
from jobs.database import Database
from jobs.workspace import Workspace

APPLICATION_ID = 0x48525456
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE experiments (
    name TEXT NOT NULL, revision INTEGER NOT NULL, time REAL NOT NULL, spec TEXT NOT NULL, segments TEXT NOT NULL,
    PRIMARY KEY (name, revision)
);
CREATE TABLE stops (
    id INTEGER PRIMARY KEY, experiment TEXT NOT NULL, arm TEXT, time REAL NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE exposures (
    id INTEGER PRIMARY KEY, experiment TEXT NOT NULL, revision INTEGER NOT NULL, arm TEXT NOT NULL,
    unit TEXT NOT NULL, user TEXT, request TEXT NOT NULL, time REAL NOT NULL
);
CREATE TABLE outcomes (
    id INTEGER PRIMARY KEY, request TEXT NOT NULL, time REAL NOT NULL, error INTEGER, seconds REAL,
    first_token_seconds REAL, tokens INTEGER, rating INTEGER, edited INTEGER, success REAL
);
CREATE TABLE requests (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, request TEXT NOT NULL, model TEXT NOT NULL, version TEXT, key TEXT,
    status INTEGER NOT NULL, seconds REAL NOT NULL, first_token_seconds REAL, prompt_tokens INTEGER,
    answer_tokens INTEGER, queue_seconds REAL, streamed INTEGER NOT NULL, finish_reason TEXT, tag TEXT,
    reasoning_mode TEXT, language TEXT, arm TEXT, error TEXT
);
CREATE INDEX exposures_unit ON exposures (experiment, unit);
CREATE INDEX exposures_user ON exposures (user);
CREATE INDEX exposures_request ON exposures (request);
CREATE INDEX exposures_time ON exposures (time);
CREATE INDEX outcomes_request ON outcomes (request);
CREATE INDEX requests_time ON requests (time);
"""


def serving_database(workspace: Workspace) -> Database:
    """The database; it is made when something is first written to it."""
    path = workspace.root / "serving.sqlite"
    return Database(path, "what was served", _SCHEMA, APPLICATION_ID, SCHEMA_VERSION)


def hashed_person(workspace: Workspace, person: str) -> str:
    """A user's (or conversation's) id as it is kept: the interactions' own salted hash, 32 hexadecimal digits."""
    hashed = Interactions(workspace).pseudonym(person.encode("utf-8", "replace").decode())
    assert hashed is not None
    return hashed
