"""Turning the values of a known format's columns into messages. Faults are noted in the Conversation, never raised."""

from __future__ import annotations

from typing import Any

import orjson

from datasets_src.readers import json_type
from datasets_src.rows import Conversation

Values = dict[str, Any]

# What the dialects call the four roles. A role that is not here is kept as it is, and a check names it.
ROLES = {
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function", "function_response", "tool_response"), "tool"),
    "system": "system",
}
CALL_ROLES = ("function_call", "tool_call")


def from_columns(values: Values, question: str, answer: str) -> Conversation:
    """One question and one answer in columns of their own, with optional input, system and history.

    Either column may hold a list of messages instead of text, as prompt and completion may.
    """
    conversation = Conversation()
    _add_history(conversation, values.get("history"))
    _add_text_or_turns(conversation, "user", _with_input(values.get(question), values.get("input")), question)
    _add_text_or_turns(conversation, "assistant", values.get(answer), answer)
    return _with_common_columns(conversation, values)


def from_turns(values: Values, column: str) -> Conversation:
    """A list of turns, each with `role` and `content` or `from` and `value`."""
    conversation = Conversation()
    _add_turns(conversation, values.get(column), column)
    return _with_common_columns(conversation, values)


def _with_input(question: Any, context: Any) -> Any:
    """The input follows the instruction after a blank line. What is not text stays, for the checks to name."""
    if isinstance(question, str) and isinstance(context, str) and context.strip():
        return f"{question}\n\n{context}" if question.strip() else context
    return question


def _add_text_or_turns(conversation: Conversation, role: str, value: Any, column: str) -> None:
    if isinstance(value, list):
        _add_turns(conversation, value, column)
    else:
        conversation.add(role, value, column)


def _add_history(conversation: Conversation, history: Any) -> None:
    for number, pair in enumerate(_listed(conversation, history, "history"), start=1):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            why = "history is a list of [question, answer] pairs"
            conversation.fault("history", f"entry {number} is not a pair", why)
            continue
        conversation.add("user", pair[0], f"history, entry {number}")
        conversation.add("assistant", pair[1], f"history, entry {number}")


def _add_turns(conversation: Conversation, value: Any, column: str) -> None:
    if value is None or value == "":
        conversation.fault(column, "is missing", "the row has no turns")
    for number, turn in enumerate(_listed(conversation, value, column), start=1):
        _add_turn(conversation, turn, f"{column}, turn {number}")


def _add_turn(conversation: Conversation, turn: Any, place: str) -> None:
    if not isinstance(turn, dict):
        conversation.fault(place, f"is {json_type(turn)}, not an object", "a turn has a role and a content")
        return
    # Parquet gives every turn every key, absent ones as None.
    role = turn["role"] if turn.get("role") is not None else turn.get("from")
    content = turn["content"] if turn.get("content") is not None else turn.get("value")
    if not isinstance(role, str):
        conversation.fault(place, "has no role", "`role` (or `from`) says who speaks, as text")
    elif role in CALL_ROLES:
        _add_calls(conversation, _tool_calls(conversation, content, place), place)
    elif turn.get("tool_calls"):
        calls = _tool_calls(conversation, turn["tool_calls"], place)
        speaker = ROLES.get(role.lower(), role)
        conversation.add(speaker, content if content is not None else "", place, tool_calls=calls)
    else:
        named = {key: turn[key] for key in ("name", "tool_call_id") if turn.get(key)}
        conversation.add(ROLES.get(role.lower(), role), content, place, **named)


def _add_calls(conversation: Conversation, calls: list[dict[str, Any]], place: str) -> None:
    """A call in a turn of its own belongs to the assistant's turn before it, where there is one."""
    last = conversation.messages[-1] if conversation.messages else None
    if last is not None and last["role"] == "assistant":
        last["tool_calls"] = [*last.get("tool_calls", []), *calls]
    else:
        conversation.add("assistant", "", place, tool_calls=calls)


def _tool_calls(conversation: Conversation, value: Any, place: str) -> list[dict[str, Any]]:
    """Calls in the shape that chat templates take: `{"type": "function", "function": {"name", "arguments": {…}}}`."""
    listed = _parsed(value)
    calls = []
    for call in listed if isinstance(listed, list) else [listed]:
        described = call if isinstance(call, dict) else {}
        function = described.get("function", described)
        name = function.get("name") if isinstance(function, dict) else None
        arguments = _parsed(function.get("arguments", {})) if name else None
        if not isinstance(name, str) or not isinstance(arguments, dict):
            why = 'a call is JSON such as {"name": "add", "arguments": {"a": 1}}'
            conversation.fault(place, "is no tool call", why)
            return []
        identity = {"id": described["id"]} if described.get("id") else {}
        calls.append({**identity, "type": "function", "function": {"name": name, "arguments": arguments}})
    return calls


def _with_common_columns(conversation: Conversation, values: Values) -> Conversation:
    """Add what every format may have beside the turns: a system prompt and a list of tools."""
    system = values.get("system")
    first_role = conversation.messages[0]["role"] if conversation.messages else None
    if _blank(system):
        system = None
    if first_role == "system" and _blank(conversation.messages[0]["content"]):
        del conversation.messages[0], conversation.fields[0]
        first_role = None
    if system is not None and first_role == "system":
        conversation.fault("system", "is given twice", "the column names one system prompt, the first turn another")
    elif system is not None:
        conversation.messages.insert(0, {"role": "system", "content": system})
        conversation.fields.insert(0, "system")
    conversation.tools = [_tool(conversation, tool) for tool in _listed(conversation, values.get("tools"), "tools")]
    return conversation


def _blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def _tool(conversation: Conversation, tool: Any) -> dict[str, Any]:
    """A tool's description as `{"type": "function", "function": {…}}`, whether it came wrapped or bare."""
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        conversation.fault("tools", "holds something that is no tool", "a tool is an object with at least a name")
        return {}
    return {"type": "function", "function": function}


def _listed(conversation: Conversation, value: Any, column: str) -> list[Any]:
    """The list in a column, which may be written as JSON text (in CSV it always is); empty for nothing."""
    if value is None or value == "":
        return []
    parsed = _parsed(value)
    if isinstance(parsed, list):
        return parsed
    shown = "text that is no JSON list" if isinstance(value, str) else json_type(value)
    conversation.fault(column, f"is {shown}", "it has to be a list")
    return []


def _parsed(value: Any) -> Any:
    """The value of JSON text; anything else, and text that is no JSON, as it is."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
