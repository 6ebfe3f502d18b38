"""JSON out of a model's answer: repaired only where there is one way to read it, and always checked against a shape."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from models.endpoints.client import FailureKind, UnusableAnswer

Shape = TypeVar("Shape", bound=BaseModel)

# What reasoning models write before their answer; some leave the opening to the prompt.
THINKING = re.compile(r"\A(?:\s*<think>|(?![\s{`])).*?</think>", re.DOTALL)
FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)
# Each costs a look at the rest of the text; prose has few.
MOST_UNCLOSED = 20


def parse_as(text: str, shape: type[Shape], finish_reason: str | None = None) -> Shape:
    """The answer as `shape`. Raises UnusableAnswer, by kind: cut short, prose, or JSON of another shape."""
    value = find_object(text, finish_reason)
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnusableAnswer(FailureKind.WRONG_SHAPE, f"{place}: {first['msg']}" if place else first["msg"]) from error


def without_thinking(text: str) -> str:
    """The answer without the block of thoughts before it. Raises UnusableAnswer when it holds thoughts alone."""
    answer = THINKING.sub("", text).strip()
    if answer.startswith("<think>"):
        raise UnusableAnswer(FailureKind.CUT_SHORT, "the thoughts before the answer break off")
    return answer


def find_object(text: str, finish_reason: str | None = None) -> dict[str, Any]:
    """The one JSON object in an answer, whatever prose or code fence is around it.

    Raises UnusableAnswer when there is none, when it is cut short, or when there are several, so that any choice would
    be a guess.
    """
    text = without_thinking(text)
    if not text:
        raise UnusableAnswer(FailureKind.EMPTY, "the answer is empty")
    found = list(_objects(text))
    fenced = FENCE.findall(text)
    if len(found) > 1 and len(fenced) == 1:
        found = list(_objects(fenced[0]))
    if len(found) == 1:
        return found[0]
    if found:
        raise UnusableAnswer(FailureKind.PROSE, f"{len(found)} JSON objects in one answer; one was asked for")
    if finish_reason == "length":
        raise UnusableAnswer(FailureKind.CUT_SHORT, "the answer ended at the limit of tokens")
    raise UnusableAnswer(FailureKind.PROSE, f"no JSON in: {text[:200]!r}")


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The objects that stand in a text, the inner ones not by themselves."""
    position, unclosed = 0, 0
    while (start := text.find("{", position)) >= 0 and unclosed < MOST_UNCLOSED:
        end = _end_of(text, start)
        if end is None:
            if _looks_begun(text, start):
                raise UnusableAnswer(FailureKind.CUT_SHORT, "the JSON breaks off before its end")
            unclosed += 1
            position = start + 1
            continue
        value = _loaded(text[start:end])
        if isinstance(value, dict):
            yield value
        position = end


def _loaded(text: str) -> Any:
    try:
        return json.loads(text, strict=False)  # models write line ends inside strings; there is one way to read them
    except (ValueError, RecursionError):
        return None  # brackets of prose, not JSON


def _looks_begun(text: str, start: int) -> bool:
    """Whether an unclosed bracket begins JSON rather than being one of prose: a quote follows it, or nothing at all."""
    return text[start + 1 :].lstrip()[:1] in ('"', "")


def _end_of(text: str, start: int) -> int | None:
    """Behind the bracket that closes the one at `start`, brackets inside strings not counted; None without one."""
    depth, inside_string, escaped = 0, False, False
    for position in range(start, len(text)):
        character = text[position]
        if inside_string:
            inside_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            inside_string = True
        elif character in "{[":
            depth += 1
        elif character in "}]":
            depth -= 1
            if depth == 0:
                return position + 1
    return None
