"""The list of tasks, the templates to start one from, and the built-in check of general abilities."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation import job
from evaluation.builtin import general
from evaluation.task_list import known_tasks, own_task_path
from evaluation.task_template import KINDS, Kind, new_task
from evaluation.tasks import checked_items, checked_score, load_task
from jobs.context import JobContext
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace

MakeContext = Callable[..., JobContext]


def test_tasks_are_listed_wherever_they_come_from(workspace: Workspace) -> None:
    new_task(own_task_path(workspace, "my-task"), "game")
    found = {task.name: task for task in known_tasks(workspace)}
    assert {"exact_match", "perplexity", "general", "snake", "my-task"} <= found.keys()
    assert [found[name].origin for name in ("general", "snake", "my-task")] == ["built in", "recipe", "yours"]
    assert found["snake"].plays and found["snake"].asks_data
    assert not found["general"].asks_data and not found["my-task"].asks_data
    assert all(task.title and task.description and task.metric and task.problem is None for task in found.values())
    assert load_task("snake", workspace).name == found["snake"].title == "Snake"
    assert load_task("my-task", workspace).name == "my game"
    with pytest.raises(Missing, match="no task 'my-task'"):
        load_task("my-task")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("NAME = 3\n", "is not a task"),
        ("def f(:\n", "is not Python"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_that_is_no_task_is_listed_with_what_is_wrong(workspace: Workspace, text: str, problem: str) -> None:
    path = own_task_path(workspace, "broken")
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    found = {task.name: task for task in known_tasks(workspace)}
    assert problem in (found["broken"].problem or "")
    assert found["snake"].problem is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_runs_as_it_is(
    kind: Kind, context_of: MakeContext, workspace: Workspace, balls: str, lively_model: Path
) -> None:
    path = new_task(own_task_path(workspace, "first"), kind)
    assert "--task first" in path.read_text(encoding="utf-8")
    data = {"data": balls} if kind == "questions" else {}
    limits = {"max_new_tokens": 3, "games": 2, "game_steps": 3, "precision": "fp32"}
    context = context_of("evaluate", models=[str(lively_model)], task="first", **data, **limits)
    figures = job.run(context)
    assert figures["items"] == {"questions": 12, "choice": 2, "game": 9}[kind]
    assert bool(figures["games"]) == (kind == "game")
    report = json.loads((context.path / "report.json").read_text(encoding="utf-8"))
    assert report["data"].startswith("balls@" if data else "the task's own questions")


def test_a_template_writes_over_nothing(tmp_path: Path) -> None:
    path = new_task(tmp_path / "mine.py")
    before = path.read_text(encoding="utf-8")
    with pytest.raises(BadInput, match="exists already"):
        new_task(path, "game")
    assert path.read_text(encoding="utf-8") == before
    for name in ("mine.txt", "2nd.py", "a b.py"):
        with pytest.raises(BadInput, match="can't be a task's file"):
            new_task(tmp_path / name)


def test_a_task_without_questions_of_its_own_needs_a_dataset(context_of: MakeContext, lively_model: Path) -> None:
    with pytest.raises(BadInput, match="No dataset is named"):
        job.run(context_of("evaluate", models=[str(lively_model)], task="snake"))


def test_the_general_questions_are_answered_by_their_own_answers_and_by_no_empty_one() -> None:
    task = load_task("general")
    items = checked_items(task, general.rows(), general.rows())
    assert len(items) == 60
    assert {item.tag for item in items} == {"arithmetic", "facts", "instructions", "logic", "choice"}
    assert all(checked_score(task, item.reference, item) == {"right": 1.0} for item in items)
    assert all(checked_score(task, "", item) == {"right": 0.0} for item in items)


@pytest.mark.parametrize(
    ("question", "answer", "right"),
    [
        ("7 plus 5", "7 + 5 = 12.", 1.0),
        ("7 plus 5", "It is 13", 0.0),
        ("What do bees make", "B", 1.0),
        ("What do bees make", "(B) honey", 1.0),
        ("What do bees make", "The answer is B.", 1.0),
        ("What do bees make", "Honey.", 1.0),
        ("What do bees make", "Bees make honey, so A", 0.0),
        ("Is Tom an animal", "Yes, he is.", 1.0),
        ("Is Tom an animal", "I would say yes", 0.0),
        ('key "city"', '```json\n{"city":"Rome"}\n```', 1.0),
        ("Name exactly three", "1. red\n2. green", 0.0),
        ("Write the word 'banana'", "banana", 0.0),
    ],
)
def test_general_answers_are_judged_by_the_kind_of_question(question: str, answer: str, right: float) -> None:
    task = load_task("general")
    item = next(item for item in task.items(general.rows(), []) if question in item.messages[0]["content"])
    assert checked_score(task, answer, item) == {"right": right}
