"""Ollama's own chat API, which takes a JSON schema and a context length (https://docs.ollama.com/api/chat)."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

from jobs.errors import BadInput
from models.endpoints.client import Answer, ChatOptions, EndpointFailure, FailureKind, Message, Piece, whole_characters
from models.endpoints.transport import Access, Transport, json_object

PATH = "/api/chat"
PORT = 11434
# The first release whose create takes files and parts rather than a Modelfile (https://github.com/ollama/ollama).
OLDEST = (0, 5, 5)
OWN_BUILD = "0.0.0"


def ollama_address(address: str | None = None) -> str:
    """Where Ollama is: `address`, else `OLLAMA_HOST`, else this machine. Scheme or port may lack, as Ollama allows.

    Raises BadInput for one that can't be an address.
    """
    # The command reads it without the quotes that some shells and service files leave around it.
    given = (address or os.environ.get("OLLAMA_HOST", "")).strip(" \t\r\n\"'").rstrip("/") or "127.0.0.1"
    try:
        parts = urlsplit(given if "://" in given else f"http://{given}")
        port = parts.port
    except ValueError as error:
        raise _bad_address(str(error)) from error
    if parts.scheme not in ("http", "https"):
        raise _bad_address(f"It begins with {parts.scheme}://.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _bad_address("It holds a password, a query or a fragment.")
    host = parts.hostname or "127.0.0.1"
    # A server told to listen everywhere is asked here.
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    shown = f"[{host}]" if ":" in host else host
    port = port or (443 if parts.scheme == "https" else PORT if "://" not in given else 80)
    return f"{parts.scheme}://{shown}:{port}{parts.path}"


def is_too_old(version: str) -> bool:
    """Whether a server of that version can't make a model from a file; 0.0.0 is one that somebody built."""
    numbers = version.lstrip("v").split("-")[0].split(".")  # 0.12.3-rc1 is (0, 12, 3)
    return version != OWN_BUILD and tuple(int(part) for part in numbers if part.isdigit()) < OLDEST


def _bad_address(why: str) -> BadInput:
    """What was given isn't shown: it may hold a password."""
    return BadInput(
        "The address of the Ollama server can't be used.",
        why,
        "Write host, host:port or http://host:port, as in 192.168.1.5:11434 (option address, or OLLAMA_HOST).",
    )


class Ollama:
    """A ChatClient for a model of an Ollama server. `context_length` is in tokens: Ollama silently cuts off more."""

    def __init__(self, access: Access, context_length: int | None = None) -> None:
        self._transport = Transport(Access(access.address.rstrip("/"), access.model, access.key_variable))
        self._model = access.model
        self._context_length = context_length

    async def complete(self, messages: list[Message], options: ChatOptions) -> Answer:
        started = time.monotonic()
        body = {"stream": False, **self._body(messages, options)}
        value = await self._transport.post(PATH, body, options.timeout_seconds)
        if not value.get("done"):
            raise EndpointFailure(FailureKind.NOT_THE_API, f"the answer is not done but: {', '.join(value)}")
        return _answer(_text(value), value, started)

    async def stream(self, messages: list[Message], options: ChatOptions) -> AsyncGenerator[Piece]:
        started = time.monotonic()
        body = {"stream": True, **self._body(messages, options)}
        parts: list[str] = []
        async with aclosing(self._transport.post_for_lines(PATH, body, options.timeout_seconds)) as lines:
            async for line in lines:
                value = json_object(line)
                text = _text(value)
                if text:
                    parts.append(text)
                    yield Piece(text)
                if value.get("done"):
                    yield Piece("", _answer("".join(parts), value, started))
                    return
        raise EndpointFailure(FailureKind.BROKEN_OFF, "the stream ended before the answer did")

    async def models(self, timeout_seconds: float) -> list[str]:
        found = (await self._transport.get("/api/tags", timeout_seconds)).get("models")
        if not isinstance(found, list):
            raise EndpointFailure(FailureKind.NOT_THE_API, "the list of models has no models")
        return sorted(str(model.get("name", "")) for model in found)

    async def version(self, timeout_seconds: float) -> str:
        """The server's version."""
        return str((await self._transport.get("/api/version", timeout_seconds)).get("version", ""))

    async def close(self) -> None:
        await self._transport.close()

    def _body(self, messages: list[Message], options: ChatOptions) -> dict[str, Any]:
        settings = {
            "temperature": options.temperature,
            "top_p": options.top_p,
            "num_predict": options.max_tokens,
            "seed": options.seed,
            "num_ctx": self._context_length,
        }
        body: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "options": {name: value for name, value in settings.items() if value is not None},
        }
        if options.schema is not None:
            body["format"] = dict(options.schema)
        return {**body, **options.extra}


def _text(value: dict[str, Any]) -> str:
    message = value.get("message")
    return str(message.get("content") or "") if isinstance(message, dict) else ""


def _answer(text: str, last: dict[str, Any], started: float) -> Answer:
    return Answer(
        text=whole_characters(text),
        finish_reason=last.get("done_reason"),
        tokens_in=last.get("prompt_eval_count"),
        tokens_out=last.get("eval_count"),
        seconds=time.monotonic() - started,
    )
