"""Every request leaves one row, of figures and names alone, which is forgotten in time."""

from __future__ import annotations

from dataclasses import astuple, replace

from jobs.workspace import Workspace
from serving.monitoring import RequestLog, RequestRecord, forget_before
from serving.tables import serving_database

PLAIN = RequestRecord(
    request="r1",
    model="greeter",
    status=200,
    seconds=1.5,
    version="job:1",
    key="laptop",
    first_token_seconds=0.25,
    prompt_tokens=12,
    answer_tokens=40,
    queue_seconds=0.125,
    streamed=True,
    finish_reason="stop",
    tag="travel",
    reasoning_mode="standard",
    language="de",
    arm="B",
    error=None,
    time=1_700_000_000.0,
)


def rows(workspace: Workspace) -> list[tuple[object, ...]]:
    with serving_database(workspace).reading() as connection:
        return [tuple(row) for row in connection.execute("SELECT * FROM requests ORDER BY id")]


def test_a_row_holds_what_was_recorded(workspace: Workspace) -> None:
    with RequestLog(workspace) as log:
        log.record(PLAIN)
        log.record(replace(PLAIN, time=None))
        assert log.flush()
    names = [name for name in RequestRecord.__dataclass_fields__ if name != "time"]
    with serving_database(workspace).reading() as connection:
        first, second = connection.execute("SELECT * FROM requests ORDER BY id").fetchall()
    assert [first[name] for name in names] == [getattr(PLAIN, name) for name in names]
    assert first["time"] == PLAIN.time and second["time"] > 1_700_000_000


def test_names_that_clients_choose_are_cut_and_never_break_a_row(workspace: Workspace) -> None:
    with RequestLog(workspace) as log:
        log.record(replace(PLAIN, tag="x" * 10_000, language="half \ud83d", model="'; DROP TABLE requests; --"))
    (row,) = rows(workspace)
    assert "x" * 200 in row and "half ?" in row and len(row) == len(astuple(PLAIN)) + 1


def test_a_log_without_requests_writes_nothing(workspace: Workspace) -> None:
    with RequestLog(workspace):
        pass
    assert not serving_database(workspace).path.exists()
    assert forget_before(workspace, 2e9) == 0


def test_what_is_old_is_forgotten(workspace: Workspace) -> None:
    with RequestLog(workspace) as log:
        for number in range(5):
            log.record(replace(PLAIN, request=f"r{number}", time=1000.0 + number))
    assert forget_before(workspace, 1003) == 3
    assert len(rows(workspace)) == 2
