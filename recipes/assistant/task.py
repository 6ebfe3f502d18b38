"""How well a model answers questions about fact sheets: right is an answer that ends in the right fact.

In agent mode right is the very call of the tool that was needed, and after the tool spoke the fact that it gave.
Answers are compared in small letters, without articles and punctuation. Slices are topics and modes, so that a model
that got better with shops alone, or in one mode alone, shows it.
"""

from __future__ import annotations

from dataclasses import replace

from evaluation.metrics import contains
from evaluation.tasks import Row, TaskItem, items_from_conversations
from recipes.assistant.questions import ANSWER, fact_in, names_the_same, normalised, read_question
from recipes.assistant.tools import is_call, same_calls

NAME = "Assistant"
DESCRIPTION = (
    "Questions about a fact sheet. Right is an answer whose last words, behind 'Answer:', are the sheet's fact; for an "
    "agent, who isn't shown the sheet, first the call of the tool that finds it."
)
METRIC = "accuracy"
LENIENT_METRIC = "lenient"


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 - every task is called so
    """One item per row, tagged with topic and mode. Raises BadInput for a row that isn't one of this recipe."""
    found = []
    for item in items_from_conversations(rows):
        question = read_question(item.messages)
        rivals = [] if is_call(item.reference) else question.rivals()
        tag = f"{question.sheet.topic.name}, {question.mode}"
        found.append(replace(item, tag=tag, extra={**item.extra, "mode": question.mode, "rivals": rivals}))
    return found


def score(answer: str, item: TaskItem) -> dict[str, float]:
    """`accuracy`: the answer ends in the right fact, or makes the right call. `lenient`: it names that fact anywhere
    and none of the sheet's other facts of its kind. `reasoned`: what stands before the fact is as it should be."""
    return {
        "accuracy": float(names_the_same(answer, item.reference)),
        "lenient": float(_lenient(answer, item)),
        "reasoned": float(_reasoning(answer) == _reasoning(item.reference)),
    }


def references(items: list[TaskItem], all_rows: list[Row], seed: int) -> dict[str, list[float]]:  # noqa: ARG001
    """How often a fact of the right kind, drawn from the sheet, is right."""
    return {"a fact of the sheet": [_by_chance(item) for item in items]}


def _by_chance(item: TaskItem) -> float:
    if is_call(item.reference) or len(item.messages) > 2:
        return float(not is_call(item.reference))  # the call has to be written; what the tool said is all there is
    return 1 / (1 + len(item.extra["rivals"]))


def _lenient(answer: str, item: TaskItem) -> bool:
    if is_call(item.reference):
        return same_calls(answer, item.reference)
    named = bool(contains(answer, fact_in(item.reference)))
    return named and not any(contains(answer, rival) for rival in item.extra["rivals"])


def _reasoning(answer: str) -> str:
    """What stands before the fact; of a call all of it."""
    return normalised(answer.rpartition(ANSWER)[0] if ANSWER in answer else answer)
