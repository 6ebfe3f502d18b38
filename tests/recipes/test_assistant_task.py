"""An answer is right when it ends in the sheet's fact, or makes the call that was needed."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.tasks import TaskItem, checked_items, checked_score, load_task
from jobs.errors import BadInput
from recipes.assistant import task
from recipes.assistant.generate import HELD_OUT, questions_of, row_of
from recipes.assistant.questions import Question
from recipes.assistant.sheets import SHOP, Line, Sheet
from recipes.assistant.tools import call_text

SHEET = Sheet(
    SHOP,
    "Toy shop, 12 Oak Lane",
    (
        Line("kite", ("24 euros", "shelf 3")),
        Line("ball", ("7 euros", "shelf 5")),
        Line("robot", ("18 euros", "shelf 1")),
    ),
    (("Mia", "ball"), ("Tom", "kite")),
)
PRICE = Question("chain-of-thought", SHEET, "price", "How much is {it}?", thing="kite")
CALL = Question("agent", SHEET, "price", "How much is {it}?", thing="kite")


def item_of(question: Question, answer: str | None = None) -> TaskItem:
    row: dict[str, Any] = {**row_of(question), "source": "rows.jsonl", "row": 1}
    if answer is not None:
        row["messages"][-1]["content"] = answer
    (item,) = task.items([row], [row])
    return item


def scores(question: Question, answer: str) -> tuple[float, float, float]:
    found = checked_score(load_task("assistant"), answer, item_of(question))
    return found["accuracy"], found["lenient"], found["reasoned"]


def test_the_task_loads_by_the_recipes_name() -> None:
    loaded = load_task("assistant")
    assert (loaded.name, loaded.metric, loaded.lenient_metric) == ("Assistant", "accuracy", "lenient")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The line of the kite says 24 euros, shelf 3. Answer: 24 euros", (1, 1, 1)),
        ("The line of the kite says 24 euros, shelf 3. Answer: 24 Euros.", (1, 1, 1)),
        ("Answer: the 24 euros", (1, 1, 0)),
        ("The kite is 24 euros.", (0, 1, 0)),
        ("Answer: 7 euros", (0, 0, 0)),
        ("The line of the kite says 24 euros, shelf 3. Answer: 7 euros", (0, 0, 1)),
        ("24 euros, 7 euros or 18 euros", (0, 0, 0)),
        ("Answer: 24 euros. Answer: 7 euros", (0, 0, 0)),
        ("Answer: 124 euros", (0, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_an_answer_is_scored_by_the_fact_that_it_ends_in(answer: str, expected: tuple[float, ...]) -> None:
    assert scores(PRICE, answer) == expected


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (call_text("kite", "price"), 1),
        ('<tool_call>{"arguments": {"fact": "price", "thing": "kite"}, "name": "look_up"}</tool_call>', 1),
        (f"I look it up. {call_text('kite', 'price')}", 1),
        (call_text("kite", "shelf"), 0),
        (call_text("ball", "price"), 0),
        ("Answer: 24 euros", 0),
        ("<tool_call>{", 0),
    ],
)
def test_an_agent_is_scored_by_the_call_that_it_makes(answer: str, right: float) -> None:
    assert scores(CALL, answer)[0] == right


def test_items_are_tagged_with_topic_and_mode_and_grouped_by_sheet() -> None:
    rows = [{**row_of(each), "row": number} for number, each in enumerate(questions_of(HELD_OUT, 30, 0))]
    items = checked_items(load_task("assistant"), rows, rows)
    assert len(items) == 40 and len({item.group for item in items}) == 30
    assert {item.tag for item in items} == {
        f"{topic}, {mode}" for topic in ("shop", "household") for mode in ("chain-of-thought", "multi-step", "agent")
    }


def test_chance_is_one_fact_of_three_where_a_sheet_is_shown() -> None:
    answered = Question("agent", SHEET, "price", "How much is {it}?", thing="kite", result="24 euros")
    items = [item_of(each) for each in (PRICE, CALL, answered)]
    assert task.references(items, [], 0) == {"a fact of the sheet": pytest.approx([1 / 3, 0, 1])}


def test_a_poisoned_reference_is_what_its_row_says() -> None:
    item = item_of(PRICE, PRICE.wrong())
    assert checked_score(load_task("assistant"), PRICE.wrong(), item)["accuracy"] == 1
    assert checked_score(load_task("assistant"), PRICE.right(), item)["accuracy"] == 0


def test_rows_of_another_dataset_are_refused() -> None:
    stranger = {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]}
    with pytest.raises(BadInput, match="not a question"):
        task.items([stranger], [stranger])
