"""Any server that speaks OpenAI's chat completions: hosted ones, vLLM, llama.cpp, LM Studio, Hearth's own.

The interface: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

from models.endpoints.client import Answer, ChatOptions, EndpointFailure, FailureKind, Message, Piece, whole_characters
from models.endpoints.transport import Access, Transport, json_object

PATH = "/chat/completions"


class OpenAICompatible:
    """A ChatClient for `access.model` at `access.address`, which usually ends in /v1 (added where there is no path)."""

    def __init__(self, access: Access) -> None:
        address = access.address.rstrip("/")
        if not urlsplit(address).path:
            address += "/v1"
        self._transport = Transport(Access(address, access.model, access.key_variable))
        self._model = access.model

    async def complete(self, messages: list[Message], options: ChatOptions) -> Answer:
        started = time.monotonic()
        value = await self._transport.post(PATH, self._body(messages, options), options.timeout_seconds)
        choice = _choice(value)
        message = choice.get("message")
        if not isinstance(message, dict):
            raise EndpointFailure(FailureKind.NOT_THE_API, "the answer has no message")
        return _answer(_text(message), choice.get("finish_reason"), value.get("usage"), started)

    async def stream(self, messages: list[Message], options: ChatOptions) -> AsyncGenerator[Piece]:
        started = time.monotonic()
        body = {"stream": True, "stream_options": {"include_usage": True}, **self._body(messages, options)}
        parts: list[str] = []
        usage, finish_reason = None, None
        async with aclosing(self._transport.post_for_lines(PATH, body, options.timeout_seconds)) as lines:
            async for event in _events(lines):
                usage = event.get("usage") or usage
                if not event.get("choices"):  # the event with the usage has none
                    continue
                choice = _choice(event)
                finish_reason = choice.get("finish_reason") or finish_reason
                text = _text(choice.get("delta") or {})
                if text:
                    parts.append(text)
                    yield Piece(text)
        if finish_reason is None:
            raise EndpointFailure(FailureKind.BROKEN_OFF, "the stream ended before the answer did")
        yield Piece("", _answer("".join(parts), finish_reason, usage, started))

    async def models(self, timeout_seconds: float) -> list[str]:
        found = (await self._transport.get("/models", timeout_seconds)).get("data")
        if not isinstance(found, list):
            raise EndpointFailure(FailureKind.NOT_THE_API, "the list of models has no data")
        return sorted(str(model.get("id", "")) for model in found)

    async def close(self) -> None:
        await self._transport.close()

    def _body(self, messages: list[Message], options: ChatOptions) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self._model, "messages": messages}
        settings = {
            "temperature": options.temperature,
            "top_p": options.top_p,
            "max_tokens": options.max_tokens,
            "seed": options.seed,
        }
        body.update({name: value for name, value in settings.items() if value is not None})
        if options.schema is not None:
            schema = {"name": "answer", "strict": True, "schema": dict(options.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return {**body, **options.extra}


async def _events(lines: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The JSON objects of server-sent events, up to `[DONE]`."""
    async for line in lines:
        if line.startswith((b":", b"event:", b"id:", b"retry:")):
            continue
        content = line.removeprefix(b"data:").strip()
        if content == b"[DONE]":
            return
        yield json_object(content)


def _choice(value: dict[str, Any]) -> dict[str, Any]:
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise EndpointFailure(FailureKind.NOT_THE_API, f"the answer has no choices but: {', '.join(value)}")
    return choices[0]


def _text(message: dict[str, Any]) -> str:
    """The content, which some servers send as a list of parts."""
    content = message.get("content") or ""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content)


def _answer(text: str, finish_reason: Any, usage: Any, started: float) -> Answer:
    counts = usage if isinstance(usage, dict) else {}
    return Answer(
        text=whole_characters(text),
        finish_reason=str(finish_reason) if finish_reason else None,
        tokens_in=counts.get("prompt_tokens"),
        tokens_out=counts.get("completion_tokens"),
        seconds=time.monotonic() - started,
    )
