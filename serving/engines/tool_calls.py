"""Calls of tools that a model wrote into its answer, in the shape that OpenAI's clients read."""

from __future__ import annotations

import secrets
from typing import Any

from evaluation.metrics.structured import calls_in


def openai_calls(answer: str) -> tuple[dict[str, Any], ...]:
    """The calls of an answer; none where it is plain text."""
    return tuple(
        {
            "index": place,
            "id": f"call_{secrets.token_hex(12)}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        for place, (name, arguments) in enumerate(calls_in(answer))
    )
