"""Versions, stages, the history and its way back, and what may be a name; from several processes too."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jobs import database
from jobs.errors import BadInput, Missing, OutOfRoom
from jobs.workspace import Workspace
from serving.registry import Registry, resolve_registered
from tests.serving.registry.conftest import MakeAdapter, stages

PROJECT = Path(__file__).resolve().parents[3]


def test_versions_are_numbered_and_begin_as_candidates(bot: Registry, adapter: MakeAdapter) -> None:
    assert stages(bot) == {1: "candidate", 2: "candidate", 3: "candidate"}
    other = bot.register("other", f"adapter:{adapter('x')}", tags=["#chat", " chat ", "short"], note="the  first\none")
    assert (other.label, other.tags, other.note) == ("other@1", ("chat", "short"), "the first one")
    assert [version.label for version in bot.find()] == ["bot@3", "bot@2", "bot@1", "other@1"]
    assert [version.label for version in bot.find(tag="short")] == ["other@1"]


def test_promotion_retires_the_one_before_and_both_stand_in_the_history(bot: Registry) -> None:
    bot.promote("bot", 1, "the first")
    bot.promote("bot", 3, "better by 12 points")
    assert stages(bot) == {1: "retired", 2: "candidate", 3: "production"}
    told = [(change.action, change.before, change.after, change.reason) for change in bot.history("bot")[-2:]]
    assert told == [("promote", None, 1, "the first"), ("promote", 1, 3, "better by 12 points")]
    with pytest.raises(BadInput, match="in production already"):
        bot.promote("bot", 3, "again")


def test_rolling_back_twice_goes_back_two_versions_and_no_further(bot: Registry) -> None:
    for number in (1, 2, 3):
        bot.promote("bot", number, "next")
    assert bot.roll_back("bot", "it answers in verse").number == 2
    assert bot.roll_back("bot", "so does this").number == 1
    assert stages(bot) == {1: "production", 2: "retired", 3: "retired"}
    with pytest.raises(BadInput, match="No version was in production before"):
        bot.roll_back("bot", "further")
    bot.promote("bot", 3, "mended")
    assert bot.roll_back("bot", "not mended").number == 1


def test_a_roll_back_passes_over_versions_that_were_deleted(bot: Registry) -> None:
    for number in (1, 2, 3):
        bot.promote("bot", number, "next")
    bot.delete("bot", 2)
    assert bot.roll_back("bot", "bad").number == 1


def test_a_retired_production_version_comes_back_by_rolling_back(bot: Registry) -> None:
    bot.promote("bot", 1, "first")
    bot.promote("bot", 2, "second")
    bot.retire("bot", 2, "it leaks")
    with pytest.raises(Missing, match="registry has no bot"):
        bot.resolve("bot")
    assert bot.roll_back("bot", "it doesn't").number == 2
    assert bot.roll_back("bot", "it does").number == 1


def test_production_is_not_deleted_and_no_number_is_given_twice(bot: Registry, adapter: MakeAdapter) -> None:
    bot.promote("bot", 1, "first")
    with pytest.raises(BadInput, match="in production"):
        bot.delete("bot", 1)
    bot.delete("bot", 3, "never used")
    assert bot.register("bot", f"adapter:{adapter('adapter-4')}").number == 4
    assert [change.action for change in bot.history("bot")][-2:] == ["delete", "register"]


def test_a_name_stands_for_production_a_number_or_the_newest_candidate(bot: Registry, workspace: Workspace) -> None:
    with pytest.raises(Missing, match=r"bot@3 \(candidate\)"):
        bot.resolve("bot")
    bot.promote("bot", 2, "best")
    assert bot.resolve("registry:bot").label == "bot@2"
    assert bot.resolve("bot@1").label == "bot@1"
    assert bot.resolve("bot:candidate").label == "bot@3"
    assert resolve_registered(workspace, "registry:bot@3").endswith("adapter-3")
    with pytest.raises(Missing, match="no bot@9"):
        bot.resolve("bot@9")
    with pytest.raises(Missing, match="It holds bot"):
        bot.resolve("nobody")


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "../up", "a b", "a@1", "a:b", "a\n", "a\x00", "a\x1b[2J", ".hidden", "-x", "é", "a" * 81, "a\\b"],
)
def test_names_that_could_mislead_are_refused(registry: Registry, adapter: MakeAdapter, name: str) -> None:
    folder = adapter("fine")
    with pytest.raises(BadInput, match="can't be a model's name"):
        registry.register(name, f"adapter:{folder}")
    assert registry.find() == []


@pytest.mark.parametrize("text", ["", "bot@", "bot@x", "bot@1@2", "bot:retired", "bot@1:candidate", "a b", "@1"])
def test_texts_that_name_no_version_are_refused(bot: Registry, text: str) -> None:
    with pytest.raises(BadInput, match="names no registered model"):
        bot.resolve(text)


def test_reasons_tags_and_notes_stay_on_one_line(bot: Registry) -> None:
    bot.promote("bot", 1, "good\x1b[31m\r\nfake line")
    assert bot.history("bot")[-1].reason == "good [31m fake line"
    with pytest.raises(BadInput, match="No reason"):
        bot.promote("bot", 2, " \n")
    for tag in ("a,b", "x\ny", "t" * 41):
        with pytest.raises(BadInput, match="can't be a tag"):
            bot.tag("bot", 1, add=[tag])
    with pytest.raises(BadInput, match="holds 4,000 at most"):
        bot.note("bot", 1, "x" * 4001)
    assert bot.tag("bot", 1, add=["b", "a"]).tags == ("b", "a")
    assert bot.tag("bot", 1, remove=["b"], add=["c"]).tags == ("a", "c")
    assert bot.note("bot", 1, "fine").note == "fine"


def test_the_same_model_is_not_registered_twice_under_a_name(bot: Registry, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is bot@1 already"):
        bot.register("bot", f"adapter:{tmp_path / 'adapter-1'}")
    assert bot.register("other", f"adapter:{tmp_path / 'adapter-1'}").label == "other@1"


PROMOTER = """
import pathlib, sys
from jobs.errors import BadInput
from jobs.workspace import Workspace
from serving.registry import Registry
registry = Registry(Workspace(pathlib.Path(sys.argv[1])))
done = 0
for turn in range(15):
    try:
        registry.promote("bot", int(sys.argv[2]), f"turn {turn}")
    except BadInput:
        continue
    done += 1
print(done)
"""


def test_processes_that_promote_at_once_leave_one_in_production_and_a_whole_history(
    bot: Registry, workspace: Workspace
) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTER, str(workspace.root), str(number)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2, 3)
    ]
    done = sum(int(writer.communicate(timeout=60)[0]) for writer in writers)
    assert sum(stage == "production" for stage in stages(bot).values()) == 1
    changes = [change for change in bot.history("bot") if change.action == "promote"]
    assert len(changes) == done >= 3
    assert [change.before for change in changes[1:]] == [change.after for change in changes[:-1]]
    assert changes[-1].after == bot.resolve("bot").number


def test_the_database_itself_holds_to_one_in_production(bot: Registry, workspace: Workspace) -> None:
    bot.promote("bot", 1, "first")
    with (
        closing(sqlite3.connect(workspace.root / "registry.sqlite")) as connection,
        pytest.raises(sqlite3.IntegrityError),
    ):
        connection.execute("UPDATE versions SET stage = 'production'")
    assert bot.resolve("bot").number == 1


def test_reading_an_empty_workspace_writes_nothing(registry: Registry, workspace: Workspace) -> None:
    assert registry.find() == []
    with pytest.raises(Missing, match="Nothing was registered"):
        registry.resolve("bot")
    with pytest.raises(Missing, match="Nothing was registered"):
        registry.history("bot")
    assert not workspace.root.exists()


def test_a_file_that_is_no_database_is_named_and_left_alone(registry: Registry, workspace: Workspace) -> None:
    workspace.root.mkdir()
    path = workspace.root / "registry.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(BadInput, match=r"registry\.sqlite can't be read"):
        registry.find()
    assert path.read_bytes() == b"no database at all" * 100


def test_a_damaged_database_is_explained(bot: Registry, workspace: Workspace) -> None:
    path = workspace.root / "registry.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(BadInput, match="damaged"):
        bot.find()


def test_damaged_values_another_database_and_another_version_are_told(bot: Registry, workspace: Workspace) -> None:
    path = workspace.root / "registry.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE versions SET lineage = '{' WHERE number = 2")
    with pytest.raises(BadInput, match="bot@2 can't be read"):
        bot.find()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(BadInput, match="schema version 99"):
        bot.find()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 1")
    with pytest.raises(BadInput, match="not that of the registry"):
        bot.find()


def test_a_locked_and_a_full_database_are_told_and_lose_nothing(
    bot: Registry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(workspace.root / "registry.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BadInput, match="is locked"):
            bot.promote("bot", 1, "first")
        assert stages(bot)[1] == "candidate", "others read meanwhile"
        other.execute("ROLLBACK")
    connect = sqlite3.connect

    def connect_with_little_room(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        # SQLite reports its own page limit as it does a full disk.
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", connect_with_little_room)
        with pytest.raises(OutOfRoom, match="disk is full"):
            for turn in range(40):
                bot.promote("bot", 2 + turn % 2, f"{turn} " * 1000)
    assert bot.promote("bot", 1, "first").stage == "production"
    assert sum(stage == "production" for stage in stages(bot).values()) == 1
