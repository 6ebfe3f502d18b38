"""Task files: found by path, module or name; what is wrong with one is said whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.tasks import TaskItem, checked_items, checked_score, items_from_conversations, load_task
from jobs.errors import BadInput, Missing
from tests.evaluation.conftest import conversation

GOOD = """
from evaluation.tasks import items_from_conversations
NAME, DESCRIPTION, METRIC = "toy", "A toy.", "length"
def items(rows, all_rows):
    return items_from_conversations(rows)
def score(answer, item):
    return {"length": len(answer)}
"""
ITEM = TaskItem("1", [{"role": "user", "content": "?"}], "red", "g")


def write(folder: Path, text: str) -> str:
    path = folder / "toy_task.py"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_task_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    task = load_task(write(tmp_path, GOOD))
    assert (task.name, task.metric, task.play, task.lenient_metric) == ("toy", "length", None, None)
    assert checked_score(task, "four", ITEM) == {"length": 4.0}


@pytest.mark.parametrize(("name", "metric"), [("exact_match", "exact_match"), ("perplexity", "nll")])
def test_built_in_tasks_are_loaded_by_name(name: str, metric: str) -> None:
    assert load_task(name).metric == metric


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"no task file .*nowhere\.py"):
        load_task(str(tmp_path / "nowhere.py"))


@pytest.mark.parametrize("name", ["no_such_task", "evaluation.no_such_task"])
def test_a_missing_module_lists_what_is_built_in(name: str) -> None:
    with pytest.raises(Missing, match="exact_match, perplexity"):
        load_task(name)


def test_a_module_that_a_task_misses_is_not_mistaken_for_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text("import not_installed_anywhere\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        load_task("needs_more")


def test_all_that_a_task_file_lacks_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_task(write(tmp_path, "NAME = 'x'\nplay = 3\n"))
    for word in ("DESCRIPTION", "METRIC", "items", "score", "play"):
        assert word in caught.value.what


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"toy_task\.py, line 2"):
        load_task(write(tmp_path, "NAME = 'x'\ndef items(:\n"))


def test_a_score_without_the_main_metric_names_the_item(tmp_path: Path) -> None:
    task = load_task(write(tmp_path, GOOD.replace('{"length"', '{"width"')))
    with pytest.raises(BadInput, match="no length for item '1'"):
        checked_score(task, "x", ITEM)


def test_a_score_that_is_no_number_is_refused(tmp_path: Path) -> None:
    task = load_task(write(tmp_path, GOOD.replace("len(answer)", "answer")))
    with pytest.raises(BadInput, match="has to be a number"):
        checked_score(task, "x", ITEM)


def test_items_need_ids_of_their_own(tmp_path: Path) -> None:
    task = load_task(
        write(tmp_path, GOOD.replace("items_from_conversations(rows)\n", "items_from_conversations(rows) * 2\n"))
    )
    with pytest.raises(BadInput, match="two items the id"):
        checked_items(task, [conversation(1)], [])


def test_a_dataset_without_questions_is_refused() -> None:
    unanswered = {"messages": [{"role": "user", "content": "?"}], "group": "a"}
    with pytest.raises(BadInput, match="found nothing to ask"):
        checked_items(load_task("exact_match"), [unanswered], [])


def test_a_conversation_becomes_its_prompt_and_its_last_answer() -> None:
    item = items_from_conversations([conversation(3)])[0]
    assert item.messages == conversation(3)["messages"][:1]
    assert (item.reference, item.group, item.tag) == ("yellow", "pair 1", "odd")
