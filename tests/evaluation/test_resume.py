"""An evaluation that was stopped or killed goes on where it was, and ends with the scores of an uninterrupted one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation import job
from evaluation.costs import Reading
from evaluation.item_log import FILE, ItemLog, Loss, Reply, answer_line, cost_line, games_line, loss_line
from evaluation.store import load_scores
from evaluation.tasks import TaskItem
from jobs.context import JobContext
from jobs.directory import JobDirectory
from jobs.errors import Stopped
from jobs.workspace import Workspace

MakeContext = Callable[..., JobContext]
ITEM = TaskItem("1", [{"role": "user", "content": "?"}], "red", "g")
OTHER = TaskItem("2", [{"role": "user", "content": "??"}], "blue", "g")

GAMES = '''
"""Answers, losses and games; stops being alive at the {deadly}th answer where it is told to."""
import os, signal
from pathlib import Path
from evaluation.tasks import items_from_conversations
NAME, DESCRIPTION, METRIC = "games", "A toy.", "length"
seen = 0
def items(rows, all_rows):
    return items_from_conversations(rows)
def score(answer, item):
    global seen
    seen += 1
    once = Path(__file__).with_suffix(".once")
    if seen == {deadly} and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {{"length": float(len(answer))}}
def play(choose, options):
    prompts = [[{{"role": "user", "content": "Move?"}}]] * 2
    return [{{"score": len("".join(choose(prompts)))}} for _ in range(options.games)]
'''


class StoppingContext(JobContext):
    """A context whose person asks for a stop at the nth look."""

    looks = 0

    def check_stop(self) -> None:
        self.looks -= 1
        if self.looks == 0:
            raise Stopped


def scores_of(folder: Path) -> list[dict[str, Any]]:
    """The stored rows without their times."""
    return [{**vars(row), "seconds": None} for row in load_scores(folder / "scores.parquet")]


def spec_of(workspace: Workspace, balls: str, models: list[str], deadly: int = -1) -> dict[str, Any]:
    path = workspace.root / "games_task.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(GAMES.format(deadly=deadly), encoding="utf-8")
    limits = {"max_new_tokens": 4, "batch_size": 5, "games": 2, "game_steps": 4, "precision": "fp32"}
    return {"models": models, "data": balls, "task": str(path), "metrics": ["perplexity", "f1"], **limits}


@pytest.mark.slow
def test_wherever_it_is_stopped_the_scores_are_those_of_an_uninterrupted_run(
    context_of: MakeContext, workspace: Workspace, balls: str, lively_model: Path, tiny_adapter: Path
) -> None:
    spec = spec_of(workspace, balls, [str(lively_model), f"adapter:{tiny_adapter}"])
    whole = context_of("evaluate", **spec)
    job.run(whole)
    expected, games = scores_of(whole.path), (whole.path / "games.jsonl").read_text(encoding="utf-8")
    stops = 0
    for looks in (3, 6, 9):
        first = context_of("evaluate", **spec)
        stopping = StoppingContext(first.directory, attempt=1, started=time.time())
        stopping.looks = looks
        with pytest.raises(Stopped):
            job.run(stopping)
        before = len((first.path / FILE).read_text(encoding="utf-8").splitlines())
        job.run(JobContext(first.directory, attempt=2, started=time.time()))
        lines = [json.loads(line) for line in (first.path / FILE).read_text(encoding="utf-8").splitlines()]
        assert len(lines) > before > 0
        asked = [(line["model"], line["what"], line["item"]) for line in lines if line["what"] in ("answer", "loss")]
        assert len(asked) == len(set(asked)), "nothing that was stored is asked again"
        assert scores_of(first.path) == expected
        assert (first.path / "games.jsonl").read_text(encoding="utf-8") == games
        stops += 1
    assert stops == 3


@pytest.mark.slow
def test_a_killed_worker_loses_no_more_than_its_last_batch(
    context_of: MakeContext, workspace: Workspace, balls: str, lively_model: Path
) -> None:
    spec = spec_of(workspace, balls, [str(lively_model)], deadly=8)
    killed = context_of("evaluate", **spec)
    done = subprocess.run([sys.executable, "-m", "jobs.worker", str(killed.path)], capture_output=True, check=False)
    assert done.returncode == -9
    log = ItemLog(killed.path)
    kept = sum(json.loads(line)["what"] == "answer" for line in (killed.path / FILE).open(encoding="utf-8"))
    assert kept == 5, "the first batch of five is there, the second was being scored"
    assert log.first_tokens(str(lively_model))
    job.run(JobContext(JobDirectory(killed.path), attempt=2, started=time.time()))
    whole = context_of("evaluate", **spec_of(workspace, balls, [str(lively_model)]))
    job.run(whole)
    assert scores_of(killed.path) == scores_of(whole.path)


def a_reply(text: str = "red", tokens: int | None = 1) -> Reply:
    return Reply(text, tokens, 7, 0.5, ended=True)


def test_everything_that_was_written_is_read_again(tmp_path: Path) -> None:
    log = ItemLog(tmp_path)
    log.write([answer_line("m", ITEM, 0, a_reply(), {"f1": 1.0}, "scorer"), cost_line("m", Reading(10, None))])
    log.write([loss_line("m", ITEM, Loss(0.25, 3)), games_line("m", [{"won": True}])])
    again = ItemLog(tmp_path)
    assert again.answer("m", ITEM) == a_reply()
    assert again.scores("m", ITEM, "scorer") == {"f1": 1.0}
    assert again.loss("m", ITEM) == Loss(0.25, 3)
    assert again.readings("m") == [Reading(10, None)]
    assert again.games("m") == [{"won": True}]
    assert again.answer("m", OTHER) is None and again.answer("n", ITEM) is None and again.answer("m", ITEM, 1) is None


def test_a_line_cut_short_is_passed_over_and_swallows_nothing(tmp_path: Path) -> None:
    log = ItemLog(tmp_path)
    log.write([answer_line("m", ITEM, 0, a_reply(), None, "x")])
    with (tmp_path / FILE).open("a", encoding="utf-8") as file:
        file.write('{"what": "answer", "model": "m", "item": "2", "samp')
    resumed = ItemLog(tmp_path)
    assert resumed.answer("m", OTHER) is None
    resumed.write([answer_line("m", OTHER, 0, a_reply("blue"), None, "x")])
    again = ItemLog(tmp_path)
    assert again.answer("m", ITEM) == a_reply() and again.answer("m", OTHER) == a_reply("blue")


def test_a_changed_question_is_asked_again_and_a_changed_scorer_scores_again(tmp_path: Path) -> None:
    log = ItemLog(tmp_path)
    log.write([answer_line("m", ITEM, 0, a_reply(), {"f1": 1.0}, "old scorer")])
    changed = TaskItem(ITEM.id, [{"role": "user", "content": "Which colour?"}], "red", "g")
    assert log.answer("m", changed) is None
    assert log.answer("m", ITEM) is not None and log.scores("m", ITEM, "new scorer") is None


def test_answers_that_no_file_can_hold_are_kept_as_far_as_they_can_be(tmp_path: Path) -> None:
    ItemLog(tmp_path).write([answer_line("m", ITEM, 0, a_reply("half a character: \ud83d\nnext\u2028line"), None, "x")])
    kept = ItemLog(tmp_path).answer("m", ITEM)
    assert kept is not None and kept.text == "half a character: ?\nnext\u2028line"
