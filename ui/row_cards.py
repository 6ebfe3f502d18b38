"""A row as people read it: short in a list, and whole as a chat, of all four kinds. Knows nothing of gradio."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from datasets_src.rows import PARTS, Message, Row, kind_of
from ui.words import count

LISTED_TURNS = 4
LISTED_CHARACTERS = 220
# What a browser still draws at once; the rest of a text is behind a click.
SHOWN_CHARACTERS = 6_000
MOST_CHARACTERS = 200_000
# The name that a list gives a part's turns; the plain conversation needs none.
PART_NAMES = {"chosen": "chosen", "rejected": "rejected"}


def short_row_html(row: Row, characters: int = LISTED_CHARACTERS, *, line_ends: bool = False) -> str:
    """Who says what, cut short: a few lines for a list of rows. `line_ends` keeps those of the texts."""

    def short(text: Any) -> str:
        said = text if isinstance(text, str) else str(text)
        said = said if line_ends else " ".join(said[: 4 * characters].split())
        return escape(said[:characters] + ("…" if len(said) > characters else "")).replace("\n", "<br>")

    if "raw" in row or not has_content(row):
        return f'<div class="turn"><b>can\'t be used</b> {short(_json(row.get("raw", {})))}</div>'
    if kind_of(row) == "text":
        return f'<div class="turn text">{short(row["text"])}</div>'
    first, *endings = PARTS[kind_of(row)]
    begun = [(first, message) for message in row[first]]
    ended = [(part, row[part][-1]) for part in endings if row[part]] or begun[-1:]
    begun = begun if endings else begun[:-1]
    left_out = sum(len(row[part]) for part in PARTS[kind_of(row)]) - len(ended)
    begun = begun[: LISTED_TURNS - len(ended)]
    left_out -= len(begun)
    more = f'<div class="quiet">… {count(left_out, "more turn")} …</div>' if left_out else ""
    lines = ["".join(_short_turn(part, turn, short(_text(turn))) for part, turn in turns) for turns in (begun, ended)]
    return more.join(lines) + verdict_chip(row)


def has_content(row: Row) -> bool:
    """Whether the row has what its kind consists of."""
    return all(part in row for part in PARTS[kind_of(row)])


def verdict_chip(row: Row) -> str:
    """The mark of an unpaired preference; "" for other rows."""
    if kind_of(row) != "unpaired" or not isinstance(row.get("label"), bool):
        return ""
    return '<span class="chip succeeded">good answer</span>' if row["label"] else BAD_ANSWER


BAD_ANSWER = '<span class="chip failed">bad answer</span>'


def _short_turn(part: str, message: Message, text: str) -> str:
    role = escape(str(message.get("role", "?")))
    name = PART_NAMES.get(part, role)
    calls = "".join(f' <span class="call">calls {escape(name)}</span>' for name in _called(message))
    return f'<div class="turn {role}"><b>{name}</b> <span translate="no">{text}</span>{calls}</div>'


def row_html(row: Row) -> str:
    """The row as a chat: bubbles for turns, chosen beside rejected, tool calls as readable JSON."""
    if "raw" in row or not has_content(row):
        why = "This row can't be used as it is. As it stands in its source:"
        body = f'<p class="quiet">{why}</p>{_block(_json(row.get("raw", {})))}'
    elif kind_of(row) == "text":
        body = f'<div class="bubble text">{_said(row["text"])}</div>'
    elif kind_of(row) == "preference":
        body = _bubbles(row["prompt"]) + _pair(row)
    else:
        said = [message for part in PARTS[kind_of(row)] for message in row[part]]
        body = _bubbles(said) + verdict_chip(row)
    return f'<div class="bubbles">{_tools(row)}{body}{_rest(row)}</div>'


def _pair(row: Row) -> str:
    """Both answers of a preference, side by side."""
    sides = "".join(
        f'<div class="side {name}"><div class="side-name">{title}</div>{_bubbles(row[name])}</div>'
        for name, title in (("chosen", "✓ Chosen: the better answer"), ("rejected", "✗ Rejected: the worse answer"))
    )
    return f'<div class="pair">{sides}</div>'


def _bubbles(messages: Sequence[Message]) -> str:
    return "".join(_bubble(message) for message in messages)


def _bubble(message: Message) -> str:
    role = str(message.get("role", "?"))
    who = "tool result" if role == "tool" else role
    name = message.get("name")
    head = f'<div class="who">{escape(who)}{f" · {escape(str(name))}" if name else ""}</div>'
    text = _text(message)
    pretty = _pretty(text) if role == "tool" else None
    said = _block(pretty) if pretty else _said(text) if text else ""
    calls = "".join(_call(call) for call in message.get("tool_calls") or [])
    nothing = '<div class="said quiet">(says nothing)</div>' if not said and not calls else ""
    known = role if role in ("system", "user", "assistant", "tool") else "unknown"
    return f'<div class="bubble {known}">{head}{said}{calls}{nothing}</div>'


def _call(call: Any) -> str:
    """A call of a tool: its name, and its arguments as JSON."""
    function = call.get("function", call) if isinstance(call, dict) else {"name": "?", "arguments": call}
    arguments = function.get("arguments", {})
    readable = _pretty(arguments) if isinstance(arguments, str) else _json(arguments)
    name = escape(str(function.get("name", "?")))
    given = _block(readable or str(arguments))
    return f'<div class="tool-call"><div class="who">calls <b>{name}</b> with</div>{given}</div>'


def _tools(row: Row) -> str:
    """The tools that a row offers, behind a click."""
    tools = row.get("tools") or []
    if not tools:
        return ""
    names = ", ".join(str(tool.get("function", tool).get("name", "?")) for tool in tools if isinstance(tool, dict))
    summary = f"{count(len(tools), 'tool')} may be called: {escape(names)}"
    return f"<details><summary>{summary}</summary>{_block(_json(tools))}</details>"


def _rest(row: Row) -> str:
    """Columns that the row keeps without a model seeing them."""
    extra = row.get("extra")
    return f"<details><summary>Other columns</summary>{_block(_json(extra))}</details>" if extra else ""


def _text(message: Message) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else "" if content is None else _json(content)


def _called(message: Message) -> list[str]:
    calls = message.get("tool_calls") or []
    return [str(call.get("function", call).get("name", "?")) for call in calls if isinstance(call, dict)]


def _said(text: str) -> str:
    """A text, the end of a long one behind a click."""
    shown = f'<div class="said" translate="no">{escape(text[:SHOWN_CHARACTERS])}</div>'
    rest = text[SHOWN_CHARACTERS:MOST_CHARACTERS]
    if not rest:
        return shown
    summary = f"{len(text) - SHOWN_CHARACTERS:,} more characters"
    beyond = f'<p class="quiet">… and {len(text) - MOST_CHARACTERS:,} more</p>' if len(text) > MOST_CHARACTERS else ""
    left = f'<div class="said" translate="no">{escape(rest)}</div>'
    return f"{shown}<details><summary>{summary}</summary>{left}{beyond}</details>"


def _block(text: str) -> str:
    cut = f"{text[:SHOWN_CHARACTERS]}\n… {len(text) - SHOWN_CHARACTERS:,} more characters"
    return f'<pre class="json">{escape(cut if len(text) > SHOWN_CHARACTERS else text)}</pre>'


def _pretty(text: str) -> str | None:
    """JSON with indents; None for a text that is no JSON object or list."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _json(value) if isinstance(value, dict | list) else None


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
