"""Rows with short answers are judged by the same word, prose by how surprising it is."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.suited import suited_task


def chat(answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Well?"}, {"role": "assistant", "content": answer}]}


@pytest.mark.parametrize(
    ("rows", "task"),
    [
        ([chat("yes")] * 3 + [chat("x" * 500)], "exact_match"),
        ([chat("A sentence that says what somebody might say otherwise.")] * 3, "perplexity"),
        ([{"text": "A page of a book, as it stands, and nothing else beside it."}], "perplexity"),
        (
            [
                {
                    "prompt": [{"role": "user", "content": "Well?"}],
                    "chosen": [{"role": "assistant", "content": "up"}],
                    "rejected": [{"role": "assistant", "content": "x" * 90}],
                }
            ],
            "exact_match",
        ),
        ([], "perplexity"),
    ],
)
def test_the_length_of_the_answers_decides(rows: list[dict[str, Any]], task: str) -> None:
    assert suited_task(rows) == task
