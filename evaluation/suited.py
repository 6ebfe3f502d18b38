"""Which built-in task suits rows that no task was written for."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Literal

from datasets_src.rows import Row, conversation_of

# In characters: of longer answers even two good ones are hardly ever the same word for word.
SHORT_ANSWER = 40
LOOKED_AT = 200


def suited_task(rows: Sequence[Row]) -> Literal["exact_match", "perplexity"]:
    """Exact match for short answers, such as labels, numbers and commands; perplexity for prose and plain text."""
    lengths = [len(str(conversation_of(row)[0][-1].get("content") or "")) for row in rows[:LOOKED_AT]]
    return "exact_match" if lengths and statistics.median(lengths) <= SHORT_ANSWER else "perplexity"
