"""Answers on the wire: whole bodies and server-sent events in OpenAI's shapes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from serving.answering import Answering, Outcome
from serving.engines.engine import Part

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Shape:
    """Of which request an answer is: chat or completion."""

    answer_id: str
    model: str
    chat: bool
    created: int
    include_usage: bool = False

    @classmethod
    def now(cls, answer_id: str, model: str, *, chat: bool, include_usage: bool = False) -> Shape:
        return cls(answer_id, model, chat, int(time.time()), include_usage)

    def body(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.answer_id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def whole(shape: Shape, outcome: Outcome) -> dict[str, Any]:
    """The body of an answer that isn't streamed."""
    kind = "chat.completion" if shape.chat else "text_completion"
    choices = [_choice(shape, outcome, place) for place in sorted(outcome.ends)]
    return {**shape.body(kind, choices), "usage": usage(outcome)}


def _choice(shape: Shape, outcome: Outcome, place: int) -> dict[str, Any]:
    text, reason = outcome.texts.get(place, ""), outcome.ends[place].reason
    choice: dict[str, Any] = {"index": place, "finish_reason": reason, "logprobs": None}
    if not shape.chat:
        return {**choice, "text": text}
    calls = [{name: value for name, value in call.items() if name != "index"} for call in outcome.calls.get(place, ())]
    message = {"role": "assistant", "content": None if calls and not text else text, "refusal": None}
    return {**choice, "message": {**message, "tool_calls": calls} if calls else message}


def usage(outcome: Outcome) -> dict[str, int]:
    """The tokens of all choices together."""
    read, written = outcome.prompt_tokens, outcome.answer_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


async def events(shape: Shape, answering: Answering) -> AsyncIterator[bytes]:
    """The stream's events; one that breaks off ends with an event that holds the error instead of `[DONE]`."""
    from serving.errors import told

    begun: set[int] = set()
    try:
        async for place, part in answering.parts():
            if shape.chat and place not in begun:
                begun.add(place)
                yield _event(shape, place, {"role": "assistant", "content": ""})
            for delta, reason in _deltas(shape, part):
                yield _event(shape, place, delta, reason)
    except Exception as problem:  # noqa: BLE001 - the boundary: headers are sent, so the stream itself has to say it
        yield _data({"error": told(problem).body["error"]})
        return
    if shape.include_usage:
        kind = "chat.completion.chunk" if shape.chat else "text_completion"
        yield _data({**shape.body(kind, []), "usage": usage(answering.outcome)})
    yield DONE


def _deltas(shape: Shape, part: Part) -> list[tuple[dict[str, Any], str | None]]:
    """What a part adds: text, calls, the end."""
    deltas: list[tuple[dict[str, Any], str | None]] = []
    if part.text:
        deltas.append(({"content": part.text} if shape.chat else {"text": part.text}, None))
    if part.tool_calls:
        deltas.append(({"tool_calls": list(part.tool_calls)}, None))
    if part.end is not None:
        deltas.append(({} if shape.chat else {"text": ""}, part.end.reason))
    return deltas


def _event(shape: Shape, place: int, delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice: dict[str, Any] = {"index": place, "finish_reason": reason, "logprobs": None}
    if shape.chat:
        return _data(shape.body("chat.completion.chunk", [{**choice, "delta": delta}]))
    return _data(shape.body("text_completion", [{**choice, **delta}]))


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
