"""Task: how well a model predicts the dataset's own answers, or its plain texts. Generates nothing."""

from __future__ import annotations

from evaluation.tasks import NLL, Row, TaskItem, items_from_conversations

NAME = "perplexity"
DESCRIPTION = "How surprised the model is by the dataset's own answers or texts, per token; lower is better."
METRIC = NLL
HIGHER_IS_BETTER = False


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 - every task is called so
    """One conversation per row of the eval part; of plain text each row is an item without a question."""
    texts = [(number, row) for number, row in enumerate(rows, start=1) if isinstance(row.get("text"), str)]
    return [*items_from_conversations(rows), *(_text_item(number, row) for number, row in texts)]


def _text_item(number: int, row: Row) -> TaskItem:
    name = f"{row.get('source', 'eval')}:{row.get('row', number)}"
    group, tag = str(row.get("group", name)), str(row.get("tag") or "")
    return TaskItem(f"{number:06d} {name}", [], row["text"], group, tag)
