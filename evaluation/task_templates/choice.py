"""Multiple choice with questions of the task's own: no dataset is needed.

Run it:  python cli.py evaluate --models embedded --task my-task
"""

import re

from evaluation.tasks import Row, TaskItem

NAME = "my multiple choice"
DESCRIPTION = "The letter of the right option."
METRIC = "right"

# (question, options, letter of the right one)
QUESTIONS = [
    ("Which of these is a fruit?", ["hammer", "apple", "cloud"], "B"),
    ("Which of these can fly?", ["sparrow", "snake", "whale"], "A"),
]


def rows() -> list[Row]:
    """Questions of the task's own. Without this function the task asks about a dataset's rows."""
    return [{"question": question, "options": options, "letter": letter} for question, options, letter in QUESTIONS]


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 - every task is called so
    """`group`: items that are not independent of each other share one, such as questions about the same text."""
    return [
        TaskItem(
            id=f"{number:04d}",
            messages=[{"role": "user", "content": _prompt(row)}],
            reference=row["letter"],
            group=f"question {number}",
        )
        for number, row in enumerate(rows, start=1)
    ]


def _prompt(row: Row) -> str:
    lines = [f"{letter}. {option}" for letter, option in zip("ABCDEFGH", row["options"], strict=False)]
    return "\n".join([row["question"], *lines, "Answer with the letter alone."])


def score(answer: str, item: TaskItem) -> dict[str, float]:
    """The first letter that stands alone counts."""
    letter = re.search(r"\b([A-H])\b", answer)
    return {"right": float(letter is not None and letter.group(1) == item.reference)}
