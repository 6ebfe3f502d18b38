"""Served models behind an OpenAI-compatible address: llama.cpp on a GGUF file here, Ollama, vLLM, or a host elsewhere.

The interface: https://platform.openai.com/docs/api-reference/chat and …/completions
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jobs.errors import UserError
from models.endpoints.client import EndpointFailure
from models.endpoints.client import FailureKind as Failed
from models.endpoints.llama_process import LlamaProcess, llama_process
from models.endpoints.ollama import ollama_address
from models.endpoints.transport import Access, Transport, json_object
from models.reference import ModelRef, require_gguf
from serving.engines.engine import Ask, End, EngineFailure, FailureKind, Part

KINDS = {
    Failed.TIMEOUT: FailureKind.TIMEOUT,
    Failed.RATE_LIMIT: FailureKind.BUSY,
    Failed.REFUSED: FailureKind.REFUSED,
    Failed.BROKEN_OFF: FailureKind.BROKEN_OFF,
}


class HttpEngine:
    """An Engine for one model that is asked over HTTP; a GGUF file is loaded into llama.cpp's server for it.

    `key_variable` names the environment variable with an endpoint's key. `slots`: answers at once from a GGUF file, of
    `context_length` tokens each. `seconds`: the most that a whole answer may take.
    """

    def __init__(
        self, name: str, ref: ModelRef, *, key_variable: str | None, context_length: int, slots: int, seconds: float
    ) -> None:
        self._name = name
        self._ref = ref
        self._key_variable = key_variable
        self._context_length = context_length
        self._slots = slots
        self._seconds = seconds
        self._stack = AsyncExitStack()
        self._transport: Transport | None = None
        self._llama: LlamaProcess | None = None
        self._reopening = asyncio.Lock()

    @property
    def models(self) -> tuple[str, ...]:
        return (self._name,)

    async def open(self) -> None:
        """Load the file, or make ready to ask. Raises Missing for a file or key that isn't there, RuntimeError when
        llama.cpp can't load the file."""
        async with AsyncExitStack() as stack:
            access = await self._access(stack)
            transport = Transport(access)
            stack.push_async_callback(transport.close)
            self._stack, self._transport = stack.pop_all(), transport

    async def _access(self, stack: AsyncExitStack) -> Access:
        if self._ref.kind == "gguf":
            path: Path = require_gguf(self._ref)
            process = llama_process(path, context_length=self._context_length, slots=self._slots)
            self._llama = await stack.enter_async_context(process)
            access = self._llama.access
            return Access(_with_version(access.address), access.model)
        if self._ref.kind == "ollama":
            return Access(f"{ollama_address()}/v1", self._ref.target)
        address, _, model = self._ref.target.partition("#")
        return Access(_with_version(address), model, self._key_variable)

    async def close(self) -> None:
        self._transport = None
        self._llama = None
        await self._stack.aclose()

    async def _reopen_after_a_crash(self) -> None:
        """Load the file again where llama.cpp's process is gone, for the first request that comes after."""
        async with self._reopening:
            if self._llama is None or self._llama.alive:
                return
            await self._stack.aclose()
            try:
                await self.open()
            except (RuntimeError, UserError, OSError) as error:
                raise EngineFailure(
                    FailureKind.UNAVAILABLE, f"{self._name} crashed and can't be loaded again"
                ) from error

    async def stream(self, model: str, ask: Ask) -> AsyncGenerator[Part]:
        if self._transport is None:
            raise EngineFailure(FailureKind.UNAVAILABLE, f"the model {model} is not loaded")
        await self._reopen_after_a_crash()
        path = "/completions" if ask.prompt is not None else "/chat/completions"
        body = _body(self._transport.access.model, ask)
        try:
            async with aclosing(self._transport.post_for_lines(path, body, self._seconds)) as lines:
                async for part in _parts(lines):
                    yield part
        except EndpointFailure as problem:
            kind = KINDS.get(problem.kind, FailureKind.UNAVAILABLE)
            raise EngineFailure(kind, f"{model}: {problem}", problem.retry_after) from problem
        except UserError as problem:
            raise EngineFailure(FailureKind.UNAVAILABLE, f"{model}: {problem.what}") from problem


def _with_version(address: str) -> str:
    address = address.rstrip("/")
    return address if urlsplit(address).path else f"{address}/v1"


def _body(model: str, ask: Ask) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": ask.max_tokens,
        "temperature": ask.temperature,
        "top_p": ask.top_p,
    }
    if ask.prompt is not None:
        body["prompt"] = ask.prompt
    else:
        body["messages"] = list(ask.messages)
    if ask.seed is not None:
        body["seed"] = ask.seed
    if ask.stop:
        body["stop"] = list(ask.stop)
    if ask.tools:
        body["tools"] = list(ask.tools)
    if ask.schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": ask.schema},
        }
    return body


async def _parts(lines: AsyncIterator[bytes]) -> AsyncGenerator[Part]:
    """What the events of a stream add; the end last, with the counts that some servers send after it."""
    reason, written = None, 0
    usage: dict[str, Any] = {}
    calls: dict[int, dict[str, Any]] = {}
    async for line in lines:
        if not line.startswith(b"data:"):
            continue
        content = line.removeprefix(b"data:").strip()
        if content == b"[DONE]":
            break
        event = json_object(content)
        usage = event.get("usage") or usage
        for choice in event.get("choices") or []:
            reason = choice.get("finish_reason") or reason
            delta = choice.get("delta") or {}
            _gather(calls, delta.get("tool_calls") or [])
            text = delta.get("content") or choice.get("text") or ""
            if text:
                written += 1
                yield Part(str(text))
    if reason is None:
        raise EndpointFailure(Failed.BROKEN_OFF, "the stream ended before the answer did")
    end = End(str(reason), int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or written))
    yield Part("", tuple(calls[place] for place in sorted(calls)), end)


def _gather(calls: dict[int, dict[str, Any]], deltas: list[dict[str, Any]]) -> None:
    """Put the pieces of streamed calls together."""
    for delta in deltas:
        place = int(delta.get("index") or 0)
        call = calls.setdefault(
            place, {"index": place, "id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = delta.get("id") or call["id"]
        for name in ("name", "arguments"):
            call["function"][name] += (delta.get("function") or {}).get(name) or ""
