"""Where mending a row begins that a build can't use: with as much of it as its columns tell."""

from __future__ import annotations

import json
from typing import Any

from datasets_src.formats import detect, rename
from datasets_src.rows import PARTS, Candidate, Kind, Message, Row


def start_value(raw: dict[str, Any], kind: Kind) -> Row:
    """What fields begin with: the row's own texts where its columns are of a known format, else empty turns."""
    detection = detect([raw], {}) if raw else None
    if detection is None or detection.format is None or detection.format.kind != kind:
        return blank_value(kind)
    found = detection.format.convert(rename(raw, detection.columns)[0])
    if not any(found.parts.get(part) for part in PARTS[kind]):
        return blank_value(kind)
    return _content(found, kind)


def blank_value(kind: Kind) -> Row:
    """A row of this kind in which nobody says anything yet."""
    if kind == "text":
        return {"text": ""}
    turns = {part: [{"role": "assistant", "content": ""}] for part in PARTS[kind]}
    question = {"role": "user", "content": ""}
    first = PARTS[kind][0]
    filled: Row = {**turns, first: [question, *turns[first]] if kind == "conversation" else [question]}
    return {**filled, "label": True} if kind == "unpaired" else filled


def _content(row: Candidate, kind: Kind) -> Row:
    parts = {part: [_with_text(turn.message) for turn in row.parts.get(part, [])] for part in PARTS[kind]}
    if kind == "text":
        return {"text": parts["text"][0]["content"]}
    blank = blank_value(kind)
    filled: Row = {part: turns or blank[part] for part, turns in parts.items()}
    if kind == "unpaired":
        filled["label"] = row.desirable is not False
    return {**filled, "tools": row.tools} if row.tools else filled


def _with_text(message: Message) -> Message:
    """The turn with text as its content: empty where it has none, JSON where it holds data."""
    content = message.get("content")
    text = content if isinstance(content, str) else "" if content is None else json.dumps(content, ensure_ascii=False)
    return {**message, "role": str(message.get("role", "")), "content": text}
