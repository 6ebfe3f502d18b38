"""The checks that an export can make of its files, and what each shows. Light enough for the page."""

from __future__ import annotations

from typing import Literal

CheckName = Literal["rendering", "answers", "behaviour", "task"]
WHAT_IT_SHOWS: dict[CheckName, str] = {
    "rendering": "prompts become the same tokens as in training",
    "answers": "the same answers, ending at the right token",
    "behaviour": "the same probabilities on held-out answers",
    "task": "the same score at a task",
}
# What each is called where its result is told.
IN_WORDS: dict[CheckName, str] = {
    "rendering": "prompts",
    "answers": "answers and stopping",
    "behaviour": "probabilities",
    "task": "the task's score",
}
