"""Lists of turns in the dialects people use, as messages. Faults are noted in the Candidate, never raised."""

from __future__ import annotations

import re
from typing import Any

import orjson

from datasets_src.readers import json_type
from datasets_src.rows import Candidate, Turn, json_value

# What the dialects call the four roles. A role that is not here is kept as it is, and a check names it.
ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function", "function_response", "tool_response", "ipython"), "tool"),
    **dict.fromkeys(("system", "developer"), "system"),
}
CALL_ROLES = ("function_call", "tool_call")
# How a transcript in one text names who speaks (Anthropic's HH-RLHF and its kin).
SPEAKER = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")


def is_turns(value: Any) -> bool:
    """Whether a value is one turn or a list of them, rather than text or data."""
    listed = value if isinstance(value, list) else [value]
    return bool(listed) and all(isinstance(turn, dict) and ("role" in turn or "from" in turn) for turn in listed)


def add_turns(row: Candidate, part: str, value: Any, column: str) -> None:
    """Add a column's list of turns (or its one turn) to a part of the row."""
    if value is None or value == "":
        row.fault(column, "is missing", "the row has no turns")
    turns = [value] if isinstance(value, dict) and is_turns(value) else listed(row, value, column)
    for number, turn in enumerate(turns, start=1):
        _add_turn(row, part, turn, f"{column}, turn {number}")


def transcript(value: Any) -> list[dict[str, str]] | None:
    """The turns of a text in which Human and Assistant are named, None for any other text."""
    if not isinstance(value, str) or not SPEAKER.match(value):
        return None
    _, *pieces = SPEAKER.split(value)
    speakers, contents = pieces[::2], pieces[1::2]
    return [
        {"from": "human" if who == "Human" else "gpt", "value": said.strip()}
        for who, said in zip(speakers, contents, strict=True)
    ]


def _add_turn(row: Candidate, part: str, turn: Any, place: str) -> None:
    if not isinstance(turn, dict):
        row.fault(place, f"is {json_type(turn)}, not an object", "a turn has a role and a content")
        return
    # Parquet gives every turn every key, absent ones as None.
    role = turn["role"] if turn.get("role") is not None else turn.get("from")
    content = turn["content"] if turn.get("content") is not None else turn.get("value")
    calls = turn.get("tool_calls") or turn.get("function_call")
    if not isinstance(role, str):
        row.fault(place, "has no role", "`role` (or `from`) says who speaks, as text")
        return
    speaker = ROLES.get(role.lower(), role)
    if role in CALL_ROLES:
        _add_calls(row, part, _tool_calls(row, content, place), place)
    elif calls:
        said = _content(row, speaker, content, place) if content is not None else ""
        row.add(part, speaker, said, place, tool_calls=_tool_calls(row, calls, place))
    else:
        named = {key: turn[key] for key in ("name", "tool_call_id") if turn.get(key)}
        row.add(part, speaker, _content(row, speaker, content, place), place, **named)


def _content(row: Candidate, speaker: str, content: Any, place: str) -> Any:
    """A turn's content as text: OpenAI's text parts are joined, an answer that is JSON is written as JSON."""
    if isinstance(content, list) and content and all(isinstance(part, dict) and "type" in part for part in content):
        others = sorted({str(part["type"]) for part in content if part["type"] not in ("text", "input_text")})
        if others:
            row.fault(place, f"holds {', '.join(others)}", "only text can be trained on here")
        return "\n".join(str(part.get("text", "")) for part in content)
    if speaker == "assistant" and isinstance(content, dict | list) and content:
        row.structured = content
        return json_text(content)
    if speaker == "tool" and isinstance(content, dict | list):
        return json_text(content)
    return content


def json_text(value: Any) -> str:
    """A value as the JSON that a model is to write: with a space after comma and colon, letters unescaped."""
    import json

    return json.dumps(value, ensure_ascii=False, default=json_value)


def _add_calls(row: Candidate, part: str, calls: list[dict[str, Any]], place: str) -> None:
    """A call in a turn of its own belongs to the assistant's turn before it, where there is one."""
    turns = row.part(part)
    if turns and turns[-1].message["role"] == "assistant":
        last = turns[-1].message
        last["tool_calls"] = [*last.get("tool_calls", []), *calls]
    else:
        row.add(part, "assistant", "", place, tool_calls=calls)


def _tool_calls(row: Candidate, value: Any, place: str) -> list[dict[str, Any]]:
    """Calls in the shape that chat templates take: `{"type": "function", "function": {"name", "arguments": {…}}}`."""
    found = parsed(value)
    calls = []
    for call in found if isinstance(found, list) else [found]:
        described = call if isinstance(call, dict) else {}
        function = described.get("function", described)
        name = function.get("name") if isinstance(function, dict) else None
        arguments = parsed(function.get("arguments") or {}) if name else None
        if not isinstance(name, str) or not isinstance(arguments, dict):
            row.fault(place, "is no tool call", 'a call is JSON such as {"name": "add", "arguments": {"a": 1}}')
            return []
        identity = {"id": described["id"]} if described.get("id") else {}
        calls.append({**identity, "type": "function", "function": {"name": name, "arguments": arguments}})
    return calls


def add_tools(row: Candidate, value: Any, column: str) -> None:
    """The tools' descriptions as `{"type": "function", "function": {…}}`, whether they came wrapped or bare."""
    for tool in listed(row, value, column):
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            row.fault(column, "holds something that is no tool", "a tool is an object with at least a name")
        else:
            row.tools.append({"type": "function", "function": function})


def add_system(row: Candidate, part: str, system: Any) -> None:
    """Put the `system` column's prompt first; a blank system turn that stands there gives way to it."""
    turns = row.part(part)
    if turns and turns[0].message["role"] == "system" and blank(turns[0].message["content"]):
        del turns[0]
    if system is None or blank(system):
        return
    if turns and turns[0].message["role"] == "system":
        row.fault("system", "is given twice", "the column names one system prompt, the first turn another")
    else:
        turns.insert(0, Turn({"role": "system", "content": system}, "system"))


def blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def listed(row: Candidate, value: Any, column: str) -> list[Any]:
    """The list in a column, which may be written as JSON text (in CSV it always is); empty for nothing."""
    if value is None or value == "":
        return []
    found = parsed(value)
    if isinstance(found, list):
        return found
    shown = "text that is no JSON list" if isinstance(value, str) else json_type(value)
    row.fault(column, f"is {shown}", "it has to be a list")
    return []


def parsed(value: Any) -> Any:
    """The value of JSON text; anything else, and text that is no JSON, as it is."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
