"""The texts that a row holds, wherever they stand, and rewriting all of them alike: what checks share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from datasets_src.rows import Candidate, Turn
from datasets_src.turns import json_text

# The name that the source has for a text's place, and the text. A bare pair: every check makes one for every turn.
Text = tuple[str, str]


def texts_of(row: Candidate) -> list[Text]:
    """Every content, and every string in tool calls and in the tools' descriptions, keys included."""
    found: list[Text] = []
    for turns in row.parts.values():
        for turn in turns:
            message = turn.message
            content = message.get("content")
            if isinstance(content, str):
                found.append((turn.field, content))
            if "tool_calls" in message:
                found += [(turn.field, text) for text in _strings(message["tool_calls"])]
    if row.tools:
        found += [("tools", text) for text in _strings(row.tools)]
    return found


def said_to_be_learned(row: Candidate) -> list[Turn]:
    """The answers that the model is to give, where they say anything; not those to avoid, nor those that are given."""
    if row.desirable is False:
        return []
    answers = [
        turn
        for name, turns in row.parts.items()
        if name != "rejected"
        for turn in turns
        if turn.message["role"] in ("assistant", "text")
    ]
    return [turn for turn in (answers[-1:] if row.last_only else answers) if turn.text]


def rewrite(row: Candidate, change: Callable[[str], str]) -> None:
    """Change every text of the row in place. An answer that renders JSON data stays that data's rendering."""
    rendered = json_text(row.structured) if row.structured is not None else None
    if rendered is not None:
        row.structured = _rewrite(row.structured, change)
    for turn in row.turns():
        content = turn.message.get("content")
        if isinstance(content, str):
            turn.message["content"] = json_text(row.structured) if content == rendered else change(content)
        if "tool_calls" in turn.message:
            turn.message["tool_calls"] = _rewrite(turn.message["tool_calls"], change)
    row.tools = _rewrite(row.tools, change)


def _strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value; without recursion, for values nested deeper than Python's stack."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += reversed([part for item in one.items() for part in item])
        elif isinstance(one, list):
            waiting += reversed(one)


def _rewrite(value: Any, change: Callable[[str], str]) -> Any:
    """The JSON value with every string changed; lists and objects are changed in place."""
    if isinstance(value, str):
        return change(value)
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            items = [(_changed(key, change), _changed(part, change)) for key, part in one.items()]
            one.clear()
            one.update(items)
            waiting += one.values()
        elif isinstance(one, list):
            one[:] = [_changed(part, change) for part in one]
            waiting += one
    return value


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    return change(value) if isinstance(value, str) else value
