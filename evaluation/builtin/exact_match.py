"""Task: the answer equals the row's last assistant turn."""

from __future__ import annotations

from evaluation.metrics import contains, exact_match
from evaluation.tasks import Row, TaskItem, items_from_conversations

NAME = "exact match"
DESCRIPTION = "The answer must equal the dataset's own answer; spaces around it do not matter."
METRIC = "exact_match"
LENIENT_METRIC = "contains"


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 - every task is called so
    """One question per row of the eval part."""
    return items_from_conversations(rows)


def score(answer: str, item: TaskItem) -> dict[str, float]:
    """1 when equal, else 0; `contains` also accepts an answer that has the expected words in it."""
    return {METRIC: exact_match(answer, item.reference), LENIENT_METRIC: contains(answer, item.reference)}
