"""What this task measures, in a sentence.

Run it:  python cli.py evaluate --models embedded --data my-data --task my-task
"""

from evaluation.metrics import contains, exact_match
from evaluation.tasks import Row, TaskItem, items_from_conversations

# Shown in reports.
NAME = "my task"
DESCRIPTION = "What is asked, and what counts as right."
# The score that verdicts are about: a key of what `score` returns.
METRIC = "right"
# Optional: the score used instead for an untrained model, which does not know the form of the answers yet.
LENIENT_METRIC = "found"


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 - every task is called so
    """One question per row that ends in an answer: everything before it is the prompt.

    Change `messages` here to ask in another way, or build each TaskItem(id, messages, reference, group) yourself. The
    columns of the dataset that Hearth does not use stand in `item.extra`.
    """
    return items_from_conversations(rows)


def score(answer: str, item: TaskItem) -> dict[str, float]:
    """How good an answer is, as numbers; the same keys for every item. Scores of 0 and 1 are compared with McNemar's
    test, others with a permutation test."""
    return {"right": exact_match(answer, item.reference), "found": contains(answer, item.reference)}
