"""Interactions are kept by several processes at once, found by a filter, and forgotten when asked."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from datasets_src.interactions import THUMB_DOWN, THUMB_UP, Interaction, InteractionFilter, Interactions, Vote
from jobs.errors import BadInput, Missing, OutOfRoom
from jobs.workspace import Workspace

PROJECT = Path(__file__).resolve().parents[3]
ASKED = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Où est-ce?"}]
PLAIN = Interaction(prompt=ASKED, answer="Là-bas.", model="job:1234")
VOTE = Vote(prompt=ASKED, answer_a="Là.", answer_b="Ici.", preferred="b", model_a="one", model_b="two")


@pytest.fixture
def store(workspace: Workspace) -> Interactions:
    return Interactions(workspace)


def answers(store: Interactions, **options: Any) -> list[str]:
    return [found.answer for found in store.find(InteractionFilter(**options))]


def date_back(store: Interactions, table: str, row: int, day: str) -> None:
    """Pretend that a row was recorded at noon (UTC) of another day."""
    moment = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC).timestamp()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute(f"UPDATE {table} SET time = ? WHERE id = ?", (moment, row))


def test_what_was_recorded_is_found_as_it_was(store: Interactions) -> None:
    given = Interaction(
        prompt=ASKED,
        answer="Là-bas.",
        model="job:1234",
        model_version="abc",
        conversation="c1",
        tag="travel",
        reasoning_mode="standard",
        tools=[{"type": "function", "function": {"name": "map"}}],
        tool_calls=[{"type": "function", "function": {"name": "map", "arguments": {"q": "ici"}}}],
        prompt_tokens=12,
        answer_tokens=4,
        sampling={"temperature": 0.7, "stop": ["\n"]},
    )
    number = store.record(given)
    found = list(store.find())
    assert found == [replace(given, id=number, time=found[0].time)]
    assert abs(found[0].time - datetime.now(UTC).timestamp()) < 60


def test_a_rating_is_given_changed_and_taken_back(store: Interactions) -> None:
    number = store.record(PLAIN)
    store.rate(number, THUMB_UP, "helpful")
    store.rate(number, THUMB_DOWN)
    assert [(found.rating, found.comment) for found in store.find()] == [(1, None)]
    store.rate(number, None)
    assert [found.rating for found in store.find()] == [None]


@pytest.mark.parametrize("rating", [0, 6, -1, 2.5, "5"])
def test_a_rating_off_the_scale_is_refused(store: Interactions, rating: Any) -> None:
    number = store.record(PLAIN)
    with pytest.raises(BadInput, match="is no rating"):
        store.rate(number, rating)
    assert [found.rating for found in store.find()] == [None]


def test_a_correction_is_kept_beside_the_answer(store: Interactions) -> None:
    number = store.record(PLAIN)
    store.correct(number, "C'est là-bas.")
    assert [(found.answer, found.edit) for found in store.find()] == [("Là-bas.", "C'est là-bas.")]
    store.correct(number, PLAIN.answer)
    assert [found.edit for found in store.find()] == [None]
    with pytest.raises(BadInput, match="corrected answer is empty"):
        store.correct(number, " \n")


def test_what_is_not_there_cannot_be_rated_or_corrected(store: Interactions) -> None:
    store.record(PLAIN)
    with pytest.raises(Missing, match="no interaction 99"):
        store.rate(99, 5)
    with pytest.raises(Missing, match="no interaction 99"):
        store.correct(99, "x")


@pytest.mark.parametrize("prompt", [[], "hi", [{"content": "no role"}], ["hi"]])
def test_a_prompt_that_is_none_is_refused(store: Interactions, prompt: Any) -> None:
    with pytest.raises(BadInput, match="has no prompt"):
        store.record(replace(PLAIN, prompt=prompt))
    with pytest.raises(BadInput, match="has no prompt"):
        store.vote(replace(VOTE, prompt=prompt))


def test_half_a_surrogate_pair_loses_no_answer(store: Interactions) -> None:
    store.record(Interaction([{"role": "user", "content": "\ud83d"}], "half \ud83d", "m"))
    assert answers(store) == ["half ?"]


def test_a_filter_by_rating_length_tag_model_mode_and_correction(store: Interactions) -> None:
    for rating in (None, 1, 3, 5):
        store.record(replace(PLAIN, answer=f"rated {rating}", rating=rating))
    store.record(replace(PLAIN, answer="bad", rating=1, edit="corrected"))
    store.record(replace(PLAIN, answer="x" * 100, tag="long", model="other", reasoning_mode="agent"))
    # A corrected answer is taken whatever the rating of what it corrects.
    assert answers(store, min_rating=3) == ["rated 3", "rated 5", "bad"]
    assert answers(store, min_rating=5) == ["rated 5", "bad"]
    assert answers(store, min_length=100) == ["x" * 100]
    # Lengths are those of the answer that is used: "corrected" has 9 characters, "bad" 3.
    assert answers(store, max_length=8) == ["rated 1", "rated 3", "rated 5"]
    assert answers(store, min_length=9, max_length=9) == ["bad"]
    assert answers(store, tag="long") == answers(store, model="other") == ["x" * 100]
    assert answers(store, reasoning_mode="agent") == ["x" * 100]
    assert answers(store, only_edited=True) == ["bad"]
    assert answers(store, tag="long", only_edited=True) == []
    assert store.count(InteractionFilter(min_rating=3)) == 3


def test_a_filter_by_days_includes_the_first_and_the_last(store: Interactions) -> None:
    for number, day in enumerate(("2026-01-30", "2026-01-31", "2026-02-01"), start=1):
        store.record(replace(PLAIN, answer=day))
        store.vote(VOTE)
        date_back(store, "interactions", number, day)
        date_back(store, "votes", number, day)
    assert answers(store, date_from="2026-01-31") == ["2026-01-31", "2026-02-01"]
    assert answers(store, date_to="2026-01-31") == ["2026-01-30", "2026-01-31"]
    assert answers(store, date_from="2026-01-31", date_to="2026-01-31") == ["2026-01-31"]
    assert store.count_votes(InteractionFilter(date_to="2026-01-30")) == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"min_rating": 0}, "greater than or equal to 1"),
        ({"min_length": 10, "max_length": 5}, "max_length 5 is less than min_length 10"),
        ({"date_from": "2026-02-01", "date_to": "2026-01-01"}, "is before date_from"),
        ({"date_from": "yesterday"}, "date_from"),
        ({"raiting": 3}, "unknown option"),
    ],
)
def test_a_filter_that_nothing_can_meet_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        InteractionFilter.parse(options)


def test_votes_are_kept_and_filtered(store: Interactions) -> None:
    store.vote(VOTE)
    store.vote(replace(VOTE, preferred="tie", tag="travel", model_a="three"))
    assert [(vote.preferred, vote.prompt) for vote in store.find_votes()] == [("b", ASKED), ("tie", ASKED)]
    assert [vote.id for vote in store.find_votes(InteractionFilter(model="two"))] == [1, 2]
    assert [vote.id for vote in store.find_votes(InteractionFilter(model="three"))] == [2]
    assert store.count_votes(InteractionFilter(tag="travel")) == 1
    with pytest.raises(BadInput, match="is no vote"):
        store.vote(replace(VOTE, preferred="c"))  # type: ignore[arg-type]


def test_a_user_is_known_by_a_salted_hash_alone(store: Interactions, tmp_path: Path) -> None:
    store.record(PLAIN, user="alice@example.org")
    store.record(PLAIN, user="alice@example.org")
    store.record(PLAIN, user="bob")
    one, same, other = (found.user for found in store.find())
    assert one == same != other
    assert b"alice" not in b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    elsewhere = Interactions(Workspace(tmp_path / "elsewhere"))
    elsewhere.record(PLAIN, user="bob")
    assert next(elsewhere.find()).user != other
    assert stat.S_IMODE((store.path.parent / "interactions.salt").stat().st_mode) == 0o600


def test_deleting_a_user_leaves_no_trace_of_what_was_said(store: Interactions) -> None:
    store.record(replace(PLAIN, answer="SECRET-ANSWER"), user="alice")
    store.vote(replace(VOTE, answer_a="SECRET-VOTE"), user="alice")
    number = store.record(replace(PLAIN, answer="bob's"), user="bob")
    # While another process has it open, SQLite keeps its log of changes.
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("SELECT count(*) FROM interactions").fetchall()
        assert store.delete_user("alice") == 2
        files = [path for path in store.path.parent.iterdir() if path.name.startswith("interactions.sqlite")]
        assert len(files) > 1
        assert b"SECRET" not in b"".join(path.read_bytes() for path in files)
    assert answers(store) == ["bob's"]
    assert store.count_votes() == 0
    assert store.delete_user("nobody") == 0
    # Numbers are never given twice, so that an old row of a dataset can't seem to come from a new interaction.
    store.delete_user("bob")
    assert store.record(PLAIN) > number


def test_what_is_old_is_forgotten(store: Interactions) -> None:
    for number, day in enumerate(("2025-12-31", "2026-01-02"), start=1):
        store.record(replace(PLAIN, answer=day))
        store.vote(VOTE)
        date_back(store, "interactions", number, day)
        date_back(store, "votes", number, day)
    assert store.forget_before(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) == 2
    assert answers(store) == ["2026-01-02"]
    assert store.count_votes() == 1


def test_an_export_holds_all_that_fits_and_no_user(store: Interactions, tmp_path: Path) -> None:
    store.record(replace(PLAIN, tag="travel"), user="alice")
    store.record(PLAIN)
    store.vote(replace(VOTE, tag="travel"), user="alice")
    path = tmp_path / "said.jsonl"
    assert store.export(path, InteractionFilter(tag="travel")) == 2
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(line["kind"], line["prompt"]) for line in lines] == [("interaction", ASKED), ("vote", ASKED)]
    assert not any("user" in line for line in lines)
    assert list(tmp_path.glob(".said*")) == []


def test_an_empty_workspace_has_none_and_reading_writes_nothing(store: Interactions) -> None:
    assert list(store.find()) == list(store.find_votes()) == []
    assert store.count() == store.delete_user("x") == 0
    assert not store.path.exists()


WRITER = """
import pathlib, sys
from datasets_src.interactions import Interaction, Interactions
from jobs.workspace import Workspace
store = Interactions(Workspace(pathlib.Path(sys.argv[1])))
name = sys.argv[2]
for number in range(25):
    row = store.record(Interaction([{"role": "user", "content": "?"}], f"{name}/{number}", "m"), user=name)
    store.rate(row, 4)
"""


def test_several_processes_write_at_once_from_the_first_moment(workspace: Workspace) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(workspace.root), str(name)], cwd=PROJECT)
        for name in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    found = list(Interactions(workspace).find())
    assert sorted(interaction.answer for interaction in found) == sorted(
        f"{name}/{number}" for name in range(4) for number in range(25)
    )
    assert {interaction.rating for interaction in found} == {4}
    assert len({interaction.user for interaction in found}) == 4


def test_reading_sees_one_moment_while_others_write(store: Interactions) -> None:
    for number in range(3):
        store.record(replace(PLAIN, answer=str(number)))
    reading = store.find()
    first = next(reading)
    store.record(replace(PLAIN, answer="later"))
    assert [first.answer, *(found.answer for found in reading)] == ["0", "1", "2"]
    assert store.count() == 4


def test_a_change_that_fails_leaves_everything_as_it_was(store: Interactions) -> None:
    store.record(PLAIN)
    with pytest.raises(sqlite3.IntegrityError):
        store.record(replace(PLAIN, answer=None))  # type: ignore[arg-type]
    assert store.count() == 1
    assert store.record(PLAIN) > 0


def test_a_file_that_is_no_database_is_named_and_left_alone(store: Interactions) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.write_bytes(b"no database at all" * 100)
    for attempt in (lambda: list(store.find()), lambda: store.record(PLAIN), store.count):
        with pytest.raises(BadInput, match=r"interactions\.sqlite can't be read"):
            attempt()
    assert store.path.read_bytes() == b"no database at all" * 100


def test_a_damaged_database_is_named(store: Interactions) -> None:
    for number in range(20):
        store.record(replace(PLAIN, answer=f"{number} " * 2000))
    with store.path.open("r+b") as file:
        file.seek(40_000)
        file.write(b"\xff" * 40_000)
    with pytest.raises(BadInput, match="damaged"):
        list(store.find())


def test_a_row_whose_json_was_damaged_is_named(store: Interactions) -> None:
    number = store.record(PLAIN)
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE interactions SET prompt = '[{'")
    with pytest.raises(BadInput, match=f"row {number} of interactions holds no JSON"):
        list(store.find())


def test_another_database_and_another_version_are_refused(store: Interactions) -> None:
    store.record(PLAIN)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(BadInput, match="schema version 99"):
        store.count()
    store.path.unlink()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("CREATE TABLE other (x)")
    with pytest.raises(BadInput, match="not that of interactions"):
        store.record(PLAIN)


def test_a_full_disk_is_said_to_be_full(store: Interactions, monkeypatch: pytest.MonkeyPatch) -> None:
    store.record(PLAIN)
    connect = sqlite3.connect

    def connect_with_little_room(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        # SQLite reports its own page limit as it does a full disk.
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_with_little_room)
    with pytest.raises(OutOfRoom, match="disk is full"):
        store.record(replace(PLAIN, answer="x" * 100_000))
    monkeypatch.undo()
    assert store.count() == 1
