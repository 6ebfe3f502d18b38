"""Task: sixty short questions of its own, to notice when training on something narrow made a model forget the rest.

Arithmetic, common facts, simple instructions, simple logic and multiple choice (general.yaml). It is a smoke alarm,
not a benchmark: standard ones are run with `lm_eval:<name>`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evaluation.metrics import contains, exact_match
from evaluation.metrics.structured import NOTHING, json_in
from evaluation.tasks import Row, TaskItem, items_from_conversations
from jobs.spec import read_yaml

NAME = "general abilities"
DESCRIPTION = (
    "Sixty short questions that have nothing to do with the training data. A tuned model that falls behind its base "
    "here has forgotten something."
)
METRIC = "right"
FILE = Path(__file__).with_name("general.yaml")


def rows() -> list[Row]:
    """The questions as rows: the kind is the tag, and how each is judged stands in its extra."""
    return [_row(number, **values) for number, values in enumerate(read_yaml(FILE), start=1)]


def _row(number: int, kind: str, question: str, answer: str, **extra: Any) -> Row:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "tag": kind, "extra": extra, "source": FILE.name, "row": number}


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 - every task is called so
    """One item per question."""
    return items_from_conversations(rows)


def score(answer: str, item: TaskItem) -> dict[str, float]:
    """1 when right, as the item's `how` judges it; else 0."""
    return {METRIC: float(JUDGES[item.extra["how"]](answer, item))}


def _number(answer: str, item: TaskItem) -> float:
    """The last number in the answer: models like to work towards it."""
    found = re.findall(r"-?\d+(?:\.\d+)?", answer.replace(",", ""))
    return float(bool(found) and float(found[-1]) == float(item.reference))


def _first_word(answer: str, item: TaskItem) -> float:
    words = re.findall(r"\w+", answer.casefold())
    return float(words[:1] == [item.reference.casefold()])


def _json(answer: str, item: TaskItem) -> float:
    value = json_in(answer)
    return float(value is not NOTHING and value == json.loads(item.reference))


def _choice(answer: str, item: TaskItem) -> float:
    """The letter the answer begins with (`B`, `(B)`, `B. honey`, `The answer is B`), or the option's words alone."""
    words = answer.strip().strip(".").casefold()
    if words == item.extra["options"]["ABCD".index(item.reference)].casefold():
        return 1.0
    letter = re.match(r"\W*(?:the (?:correct )?answer is\W*)?([a-d])\b", words)
    return float(letter is not None and letter.group(1) == item.reference.casefold())


JUDGES: dict[str, Callable[[str, TaskItem], float]] = {
    "contains": lambda answer, item: contains(answer, item.reference),
    "exact": lambda answer, item: exact_match(answer, item.reference),
    "exact_any_case": lambda answer, item: exact_match(answer.strip().strip(".").casefold(), item.reference.casefold()),
    "number": _number,
    "first_word": _first_word,
    "json": _json,
    "choice": _choice,
    "pattern": lambda answer, item: float(re.search(item.extra["regex"], answer) is not None),
}
