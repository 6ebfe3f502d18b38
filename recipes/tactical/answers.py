"""What an answer looks like, and what it recommends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from evaluation.metrics.structured import json_in

# How far from 0 a shaping delta may be: it is added to a reward of at most 1.
LARGEST_DELTA = 1.0
ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "assessment": {"type": "string", "minLength": 1},
        "recommendation": {"type": "string", "minLength": 1},
        "guidance": {"type": "string", "minLength": 1},
        "shaping_delta": {"type": "number", "minimum": -LARGEST_DELTA, "maximum": LARGEST_DELTA},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["assessment", "recommendation", "guidance", "shaping_delta", "confidence"],
    "additionalProperties": False,
}
# What the pilot does without an advice: nothing.
NO_MOVE = "none"


def move_in(answer: str, moves: Sequence[str]) -> str | None:
    """What an answer recommends: its JSON's recommendation, else the first of `moves` that is named as a word of its
    own, whatever its case."""
    given = json_in(answer)
    if isinstance(given, dict) and isinstance(given.get("recommendation"), str):
        return str(given["recommendation"])
    found = re.search(rf"\b({'|'.join(moves)})\b", answer, re.IGNORECASE)
    return found.group(1).lower() if found else None
