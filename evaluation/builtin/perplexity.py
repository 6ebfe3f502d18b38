"""Task: how well a model predicts the dataset's own answers. Generates nothing."""

from __future__ import annotations

from evaluation.tasks import NLL, Row, TaskItem, items_from_conversations

NAME = "perplexity"
DESCRIPTION = "How surprised the model is by the dataset's own answers, per token; lower is better."
METRIC = NLL
HIGHER_IS_BETTER = False


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 - every task is called so
    """One conversation per row of the eval part."""
    return items_from_conversations(rows)
