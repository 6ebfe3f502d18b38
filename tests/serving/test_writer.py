"""Rows handed to the writer reach the disk within a second, or are counted; whoever hands them over never waits."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jobs import database as database_module
from jobs.database import Database
from jobs.workspace import Workspace
from serving import writer as writer_module
from serving.tables import serving_database
from serving.writer import Writer

PROJECT = Path(__file__).resolve().parents[2]
INSERT = "INSERT INTO outcomes (request, time, rating) VALUES (?, ?, ?)"


@pytest.fixture
def database(workspace: Workspace) -> Database:
    return serving_database(workspace)


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    with Writer(database) as made:
        yield made


def stored(database: Database) -> list[str]:
    with database.reading() as connection:
        return [row["request"] for row in connection.execute("SELECT request FROM outcomes ORDER BY id")]


def test_rows_are_written_in_their_order_and_the_rest_at_the_end(database: Database) -> None:
    with Writer(database) as writer:
        for number in range(1000):
            writer.put(INSERT, (f"r{number}", 0.0, None))
    assert stored(database) == [f"r{number}" for number in range(1000)]
    assert (writer.report().written, writer.report().waiting, writer.report().lost) == (1000, 0, 0)


CHILD = """
import pathlib, sys, time
from jobs.workspace import Workspace
from serving.tables import serving_database
from serving.writer import Writer
writer = Writer(serving_database(Workspace(pathlib.Path(sys.argv[1]))))
number = 0
while True:
    writer.put("INSERT INTO outcomes (request, time) VALUES (?, ?)", (str(number), time.time()))
    print(number, time.time(), flush=True)
    number += 1
    time.sleep(0.002)
"""


def test_a_kill_loses_nothing_that_is_older_than_a_second(database: Database) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(database.path.parent)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    said = []
    assert child.stdout is not None
    for line in child.stdout:
        said.append(line.split())
        if float(said[-1][1]) > float(said[0][1]) + 2.5:
            break
    os.kill(child.pid, signal.SIGKILL)
    killed = time.time()
    child.wait()
    kept = set(stored(database))
    old = {number for number, moment in said if float(moment) < killed - 1}
    assert len(old) > 100 and old <= kept


def test_several_writers_of_several_processes_lose_nothing(database: Database) -> None:
    code = CHILD.replace("while True", "while number < 300").replace("time.sleep(0.002)", "") + "\nwriter.close()"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(database.path.parent)], cwd=PROJECT, stdout=subprocess.DEVNULL
        )
        for _ in range(3)
    ]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert sorted(stored(database)) == sorted(3 * [str(number) for number in range(300)])


def test_a_locked_database_is_reported_and_loses_nothing(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.1)
    writer.put(INSERT, ("before", 0.0, None))
    assert writer.flush()
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer.put(INSERT, ("meanwhile", 0.0, None))
        assert not writer.flush()
        report = writer.report()
        assert report.waiting == 1 and report.problem is not None and "is locked" in report.problem
        other.execute("COMMIT")
    assert writer.flush()
    assert stored(database) == ["before", "meanwhile"]
    assert writer.report().problem is None


def test_a_full_disk_is_reported_and_the_oldest_rows_are_given_up(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.put(INSERT, ("before", 0.0, None))
    assert writer.flush()
    monkeypatch.setattr(writer_module, "MOST_WAITING", 10)
    connect = sqlite3.connect

    def connect_with_little_room(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        # SQLite reports its own page limit as it does a full disk.
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_with_little_room)
    for number in range(15):
        writer.put(INSERT, (f"{number} " * 2000, 0.0, None))
    assert not writer.flush()
    report = writer.report()
    assert (report.waiting, report.lost) == (10, 5)
    assert report.problem is not None and "disk is full" in report.problem
    monkeypatch.undo()
    assert writer.flush()
    assert [text.split()[0] for text in stored(database)] == ["before", *map(str, range(5, 15))]


@pytest.mark.parametrize("bad", [None, 2**70, object()])
def test_a_row_that_cannot_be_stored_holds_up_no_other(database: Database, writer: Writer, bad: Any) -> None:
    for number in range(9):
        writer.put(INSERT, (f"r{number}", 0.0, None) if number != 4 else (bad, bad, None))
    assert writer.flush()
    assert stored(database) == [f"r{number}" for number in range(9) if number != 4]
    report = writer.report()
    assert (report.written, report.waiting, report.lost) == (8, 0, 1)
    assert report.problem is not None and "could not be stored" in report.problem


def test_half_a_surrogate_pair_is_stored_as_a_question_mark(database: Database, writer: Writer) -> None:
    writer.put(INSERT, ("half \ud83d", 0.0, None))
    assert writer.flush()
    assert stored(database) == ["half ?"]


def test_a_file_that_is_no_database_stops_no_request(database: Database, writer: Writer) -> None:
    database.path.parent.mkdir(parents=True, exist_ok=True)
    database.path.write_bytes(b"no database at all" * 100)
    writer.put(INSERT, ("r", 0.0, None))
    assert not writer.flush()
    problem = writer.report().problem
    assert problem is not None and "can't be read" in problem
    assert database.path.read_bytes() == b"no database at all" * 100
