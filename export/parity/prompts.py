"""What the files are asked: held-out conversations, evenly spread, each cut where its last answer begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from datasets_src.rows import conversation_of

Message = dict[str, Any]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Prompt:
    """A conversation up to where the model answers; `place` says where it comes from, for messages."""

    place: str
    messages: list[Message]
    tools: list[Any] | None = None


def check_prompts(rows: Sequence[dict[str, Any]], count: int) -> list[Prompt]:
    """Up to `count` of the held-out rows."""
    return spread([prompt for prompt in map(_prompt, rows) if prompt is not None], count)


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """Up to `count` items, evenly over all."""
    if len(items) <= count:
        return list(items)
    return [items[number * len(items) // count] for number in range(count)]


def _prompt(row: dict[str, Any]) -> Prompt | None:
    messages, tools = conversation_of(row)
    ends = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
    if not ends or ends[-1] == 0:
        return None
    return Prompt(f"{row['source']}, row {row['row']}", messages[: ends[-1]], tools)
