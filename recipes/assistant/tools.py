"""The assistant's one tool: looking a thing's fact up on a sheet. Its description, its calls, and what it answers.

The small embedded model's chat template knows no tools. There a call is written into the answer, between
`<tool_call>` tags as Hermes and Qwen write it, and what the tool says comes as a user's turn. `native` turns such a row
into one with real `tool_calls` and `tool` turns, for models whose template has them.
"""

from __future__ import annotations

import json
from typing import Any

from evaluation.metrics.structured import calls_in
from recipes.assistant.sheets import TOPICS, Sheet

NAME = "look_up"
RESULT = "Result: "
FACTS = tuple(fact for topic in TOPICS.values() for fact in topic.facts)
DESCRIPTION: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": NAME,
        "description": "One fact about one thing, from the sheet that the question names.",
        "parameters": {
            "type": "object",
            "properties": {"thing": {"type": "string"}, "fact": {"type": "string", "enum": list(FACTS)}},
            "required": ["thing", "fact"],
            "additionalProperties": False,
        },
    },
}


def call_text(thing: str, fact: str) -> str:
    """A call as the answer's text."""
    return f"<tool_call>{json.dumps(_call(thing, fact))}</tool_call>"


def _call(thing: str, fact: str) -> dict[str, Any]:
    return {"name": NAME, "arguments": {"thing": thing, "fact": fact}}


def is_call(answer: str) -> bool:
    """Whether an answer calls a tool."""
    return bool(calls_in(answer))


def same_calls(answer: str, reference: str) -> bool:
    """Whether both make exactly the same calls, however they are spaced."""
    return sorted(calls_in(answer)) == sorted(calls_in(reference))


def run_call(answer: str, sheet: Sheet) -> str | None:
    """What the tool says to the call in an answer, as a turn's text; None for a call that it can't follow."""
    calls = calls_in(answer)
    if len(calls) != 1 or calls[0][0] != NAME:
        return None
    arguments = json.loads(calls[0][1])
    if not isinstance(arguments, dict):
        return None
    found = sheet.fact(str(arguments.get("thing")), str(arguments.get("fact")))
    return None if found is None else f"{RESULT}{found}"


def native(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """A row's conversation with real calls of tools: `messages` and `tools`. One without calls stays as it is."""
    turns = [_native_turn(turn) for turn in messages]
    called = any("tool_calls" in turn for turn in turns)
    return {"messages": turns, "tools": [DESCRIPTION]} if called else {"messages": messages}


def _native_turn(turn: dict[str, Any]) -> dict[str, Any]:
    content = str(turn["content"])
    if turn["role"] == "user" and content.startswith(RESULT):
        return {"role": "tool", "name": NAME, "content": content.removeprefix(RESULT)}
    if turn["role"] == "assistant" and is_call(content):
        made = [{"name": name, "arguments": json.loads(arguments)} for name, arguments in calls_in(content)]
        return {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": one} for one in made],
        }
    return turn
