"""Kept chats: scrubbed, none lost, rated by the answer's id, gone with their user."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from datasets_src.interactions.records import Interaction
from datasets_src.interactions.store import Interactions
from jobs.errors import Missing
from jobs.workspace import Workspace
from serving import chats
from serving.chats import Chat, ChatLog, scrub
from serving.experiments import Experiments
from serving.forget import UNKEPT, forget_user

SECRET = "my own words 4711"


def chat(number: int = 1, text: str = "Hi") -> Chat:
    return Chat(f"chatcmpl-{number}", Interaction(prompt=[{"role": "user", "content": text}], answer=text, model="m"))


def open_log(workspace: Workspace, spill: Path, told: list[str] | None = None, **options: object) -> ChatLog:
    settings = {"scrub": True, **options}
    troubles = told if told is not None else []
    return ChatLog(workspace, spill, on_trouble=troubles.append, **settings)  # type: ignore[arg-type]


def test_private_data_is_replaced_before_anything_is_kept(workspace: Workspace, tmp_path: Path) -> None:
    private = "Write to ada.lovelace@lovelace-engines.co.uk or +44 20 7946 0958, card 4111 1111 1111 1111."
    log = open_log(workspace, tmp_path / UNKEPT)
    log.keep(chat(text=private), "ada")
    log.rate("chatcmpl-1", rating=5, edit=f"Better: {private}", comment=private)
    (kept,) = Interactions(workspace).find()
    for text in (kept.prompt[0]["content"], kept.answer, kept.edit, kept.comment):
        assert text is not None
        assert "[email]" in text and "[phone]" in text and "[card_number]" in text
        assert "ada" not in text and "4111" not in text
    assert kept.user not in (None, "ada")


def test_text_without_private_data_stays_as_it_is() -> None:
    text = "Version 2.4.1 costs 3,000 in 2026; call me maybe."
    assert scrub(text) == text


def test_chats_wait_for_a_locked_database_and_are_then_kept_in_order(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chats, "BUSY_SECONDS", 0.05)
    told: list[str] = []
    log = open_log(workspace, tmp_path / UNKEPT, told)
    log.keep(chat(1, "first"), None)
    with closing(sqlite3.connect(Interactions(workspace).path, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        log.keep(chat(2, "second"), None)
        log.keep(chat(3, "third"), None)
        assert log.waiting == 2
        assert "locked" in told[0]
        locker.execute("ROLLBACK")
    log.write_waiting()
    assert log.waiting == 0
    assert [each.answer for each in Interactions(workspace).find()] == ["first", "second", "third"]


def test_what_could_not_be_kept_at_the_end_is_kept_by_the_next_start(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chats, "BUSY_SECONDS", 0.05)
    log = open_log(workspace, tmp_path / UNKEPT)
    log.keep(chat(1, "first"), "ada")
    with closing(sqlite3.connect(Interactions(workspace).path, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        log.keep(chat(2, "second"), "ada")
        log.close()
        locker.execute("ROLLBACK")
    assert (tmp_path / UNKEPT).exists()
    assert "ada" not in (tmp_path / UNKEPT).read_text()
    open_log(workspace, tmp_path / UNKEPT)
    first, second = Interactions(workspace).find()
    assert (first.answer, second.answer) == ("first", "second")
    assert first.user == second.user
    assert not (tmp_path / UNKEPT).exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from jobs.workspace import Workspace
from tests.serving.test_chats import chat, open_log
log = open_log(Workspace(Path(sys.argv[1])), Path(sys.argv[2]))
for number in (2, 3):
    log.keep(chat(number, f"answer {number}"), "ada")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_server_killed_while_the_database_is_locked_loses_no_chat_and_keeps_none_twice(
    workspace: Workspace, tmp_path: Path
) -> None:
    log = open_log(workspace, tmp_path / UNKEPT)
    log.keep(chat(1, "answer 1"), "ada")
    with closing(sqlite3.connect(Interactions(workspace).path, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        code = [sys.executable, "-c", KILLED, str(workspace.root), str(tmp_path / UNKEPT)]
        assert subprocess.run(code, env={**os.environ, "PYTHONPATH": str(Path.cwd())}).returncode == -signal.SIGKILL
        locker.execute("ROLLBACK")
    aside = (tmp_path / UNKEPT).read_bytes()
    open_log(workspace, tmp_path / "of another server").adopt(tmp_path / UNKEPT)
    assert not (tmp_path / UNKEPT).exists()
    # As if it had been killed again, after writing them and before removing the file.
    (tmp_path / UNKEPT).write_bytes(aside)
    again = open_log(workspace, tmp_path / UNKEPT)
    again.rate("chatcmpl-3", rating=4, edit=None, comment=None)
    kept = [(each.answer, each.rating) for each in Interactions(workspace).find()]
    assert kept == [("answer 1", None), ("answer 2", None), ("answer 3", 4)]


def test_what_waits_is_forgotten_with_its_user_though_the_server_goes_on(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.directory import JobDirectory

    monkeypatch.setattr(chats, "BUSY_SECONDS", 0.05)
    job = JobDirectory.create(workspace.new_job_path("serve"), kind="serve", title="s", spec={}, resource=None)
    log = open_log(workspace, job.path / UNKEPT)
    log.keep(chat(1, "first"), None)
    with closing(sqlite3.connect(Interactions(workspace).path, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        log.keep(chat(2, SECRET), "ada")
        locker.execute("ROLLBACK")
    assert forget_user(workspace, "ada").waiting == 1
    log.write_waiting()
    assert [each.answer for each in Interactions(workspace).find()] == ["first"]


def test_chats_wait_in_memory_where_nothing_can_be_written(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _value: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(chats, "BUSY_SECONDS", 0.05)
    told: list[str] = []
    log = open_log(workspace, tmp_path / UNKEPT, told)
    log.keep(chat(1, "first"), None)
    with closing(sqlite3.connect(Interactions(workspace).path, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        with monkeypatch.context() as patch:
            patch.setattr(chats, "append_json_line", full)
            log.keep(chat(2, "second"), None)
        assert "No space left" in told[-1]
        log.keep(chat(3, "third"), None)
        log.close()
        locker.execute("ROLLBACK")
    log = open_log(workspace, tmp_path / UNKEPT)
    assert sorted(each.answer for each in Interactions(workspace).find()) == ["first", "second", "third"]
    assert log.waiting == 0


def test_an_answer_that_is_not_kept_can_t_be_rated(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(Missing):
        open_log(workspace, tmp_path / UNKEPT).rate("chatcmpl-9", rating=5, edit=None, comment=None)


def test_nothing_of_a_deleted_user_is_left_in_any_file_and_nothing_of_others_is_lost(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.directory import JobDirectory
    from serving.experiments import ExperimentSpec, Outcome

    monkeypatch.setattr(chats, "BUSY_SECONDS", 0.05)
    job = JobDirectory.create(workspace.new_job_path("serve"), kind="serve", title="s", spec={}, resource=None)
    log = open_log(workspace, job.path / UNKEPT, scrub=False)
    log.keep(chat(1, SECRET), "ada")
    log.keep(chat(2, "of another"), "bob")
    experiments = Experiments(workspace)
    arms = [{"model": "a", "percentage": 50}, {"model": "b", "percentage": 50}]
    experiments.start(ExperimentSpec.parse({"name": "x", "arms": arms, "outcome": "rating"}))
    experiments.expose(experiments.assign("x", "ada", None), "chatcmpl-1")
    experiments.record("chatcmpl-1", Outcome(rating=5))
    with closing(sqlite3.connect(Interactions(workspace).path, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        log.keep(chat(3, SECRET), "ada")
        log.close()
        locker.execute("ROLLBACK")
    pseudonym = Interactions(workspace).pseudonym("ada")
    assert pseudonym is not None
    forgotten = forget_user(workspace, "ada")
    assert (forgotten.kept, forgotten.waiting, forgotten.experiments) == (1, 1, 1)
    for path in (each for each in workspace.root.rglob("*") if each.is_file()):
        content = path.read_bytes()
        assert SECRET.encode() not in content, path
        assert pseudonym.encode() not in content, path
    Interactions(workspace).export(tmp_path / "later.jsonl")
    assert SECRET not in (tmp_path / "later.jsonl").read_text()
    assert [each.answer for each in Interactions(workspace).find()] == ["of another"]
