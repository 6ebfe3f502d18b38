"""Those who answer in a chat: models of one base that share a load, or a model behind a chat endpoint.

Each gives parts of answers as they come: `{"voice", "text"}` while one writes, `{"voice", "done": true, …figures}` when
it ends (with `error` where it could not), and None where there is nothing new just now.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from evaluation.chat_spec import ChatSpec, VoiceAsk
from evaluation.sharing import SharedLoad, free_memory
from evaluation.streaming import Row, can_mix, stream_together
from jobs.errors import UserError
from models.endpoints.client import ChatClient, ChatOptions, EndpointFailure
from models.endpoints.opening import open_client
from models.reference import ModelRef, ResolvedModel

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer

Part = dict[str, Any]
ANSWER_SECONDS = 600.0
OPEN_SECONDS = 600.0
SHOWN_PROMPT_TOKENS = 2000


class Voices(Protocol):
    """Some of the chat's models, by their places in its list, that are opened and closed together."""

    places: tuple[int, ...]

    def open(self) -> None:
        """Load them. Raises what loading raises; does nothing where they are open."""

    def close(self) -> None:
        """Free their memory."""

    def answer(self, asks: Sequence[VoiceAsk]) -> Iterator[Part | None]:
        """The parts of their answers, written together. Closing the iterator ends them."""


@dataclass
class Loaded:
    """Models whose weights are read here, all of one base: they share its memory."""

    places: tuple[int, ...]
    files: Sequence[ResolvedModel]
    spec: ChatSpec
    shared: SharedLoad | None = None
    bytes: int = 0

    def open(self) -> None:
        if self.shared is None:
            before = memory_in_use()
            self.shared = SharedLoad(self.files, quantisation=self.spec.quantisation, precision=self.spec.precision)
            self.bytes = max(0, memory_in_use() - before)

    def close(self) -> None:
        self.shared = None
        free_memory()

    def answer(self, asks: Sequence[VoiceAsk]) -> Iterator[Part | None]:
        assert self.shared is not None, "asked before it was opened"
        if can_mix(self.shared.loaded):
            yield from self._together(asks)
            return
        yield from _in_turns([self._together([ask]) for ask in asks])

    def _together(self, asks: Sequence[VoiceAsk]) -> Iterator[Part]:
        assert self.shared is not None
        rows = [self._row(ask) for ask in asks]
        clock = 0.0
        first: dict[int, float] = {}
        pieces = stream_together(self.shared.loaded, rows)
        while True:
            started = time.perf_counter()
            piece = next(pieces, None)
            clock += time.perf_counter() - started
            if piece is None:
                return
            voice = asks[piece.row].voice
            first.setdefault(voice, clock)
            if piece.end:
                figures = {"seconds": clock, "tokens": piece.tokens, "time_to_first_token": first[voice]}
                beside = {"memory_bytes": self.bytes, "shared_by": len(self.places), "together": len(asks)}
                row = rows[piece.row]
                yield {"voice": voice, "done": True, **figures, **beside, **prompt_shown(row.tokenizer, row.prompt)}
            elif piece.text:
                yield {"voice": voice, "text": piece.text}

    def _row(self, ask: VoiceAsk) -> Row:
        from models.chat_template import ChatTokenizer

        assert self.shared is not None
        files = self.files[self.places.index(ask.voice)]
        tokenizer = ChatTokenizer.load(files.adapter or files.folder)
        messages = [{"role": turn.role, "content": turn.content} for turn in ask.messages]
        return Row(tokenizer.encode_prompt(messages), tokenizer, self.shared.adapter_name(files), ask.sampling)


def _in_turns(streams: list[Iterator[Part]]) -> Iterator[Part]:
    """One part of each stream after the other, until all have ended."""
    while streams:
        for each in list(streams):
            part = next(each, None)
            if part is None:
                streams.remove(each)
            else:
                yield part


def prompt_shown(tokenizer: ChatTokenizer, prompt: Sequence[int]) -> Part:
    """The exact prompt as (token id, its text) pairs, the first of them where there are very many."""
    pieces = [[token, tokenizer.decode([token], skip_special_tokens=False)] for token in prompt[:SHOWN_PROMPT_TOKENS]]
    return {"prompt": pieces, "prompt_tokens": len(prompt)}


def memory_in_use() -> int:
    """Bytes that this process holds: on the GPU where there is one, else of the machine's memory."""
    import psutil
    import torch

    return torch.cuda.memory_allocated() if torch.cuda.is_available() else int(psutil.Process().memory_info().rss)


@dataclass
class Asked:
    """One model behind a chat endpoint, asked from a thread of its own."""

    places: tuple[int, ...]
    ref: ModelRef
    spec: ChatSpec
    _loop: asyncio.AbstractEventLoop | None = None
    _client: ChatClient | None = None
    _closing: asyncio.Event | None = None
    _thread: threading.Thread | None = None
    _failure: list[BaseException] = field(default_factory=list)

    def open(self) -> None:
        if self._thread is not None:
            return
        ready = threading.Event()
        self._failure.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        ready.wait(OPEN_SECONDS)
        if self._failure:
            self._thread = None
            raise self._failure[0]

    async def _serve(self, ready: threading.Event) -> None:
        """Hold the client open until `close`."""
        options = {"key_variable": self.spec.key_variable, "context_length": self.spec.context_length}
        try:
            async with open_client(self.ref, slots=1, **options) as client:  # type: ignore[arg-type]
                self._loop, self._client = asyncio.get_running_loop(), client
                self._closing = asyncio.Event()
                ready.set()
                await self._closing.wait()
        except Exception as problem:  # noqa: BLE001 - handed to the thread that waits
            self._failure.append(problem)
            ready.set()

    def close(self) -> None:
        if self._thread is None or self._loop is None or self._closing is None:
            return
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()
        self._thread = None

    def answer(self, asks: Sequence[VoiceAsk]) -> Iterator[Part | None]:
        assert self._loop is not None, "asked before it was opened"
        parts: queue.Queue[Part] = queue.Queue()
        (ask,) = asks
        task = asyncio.run_coroutine_threadsafe(self._write(ask, parts), self._loop)
        try:
            while True:
                try:
                    part = parts.get_nowait()
                except queue.Empty:
                    yield None
                    continue
                yield part
                if part.get("done"):
                    return
        finally:
            task.cancel()

    async def _write(self, ask: VoiceAsk, parts: queue.Queue[Part]) -> None:
        assert self._client is not None
        started, first, characters = time.monotonic(), None, 0
        messages = [{"role": turn.role, "content": turn.content} for turn in ask.messages]
        options = _options(ask)
        end: Part = {"voice": ask.voice, "done": True}
        try:
            async for piece in self._client.stream(messages, options):
                if first is None:
                    first = time.monotonic() - started
                characters += len(piece.text)
                if piece.text:
                    parts.put({"voice": ask.voice, "text": piece.text})
                if piece.answer is not None:
                    end |= {"tokens": piece.answer.tokens_out, "prompt_tokens": piece.answer.tokens_in}
        except (EndpointFailure, UserError) as problem:
            end["error"] = _told(problem, self.ref)
        parts.put({**end, "seconds": time.monotonic() - started, "time_to_first_token": first})


def _options(ask: VoiceAsk) -> ChatOptions:
    sampling = ask.sampling
    return ChatOptions(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_new_tokens,
        seed=sampling.seed,
        timeout_seconds=ANSWER_SECONDS,
    )


def _told(problem: EndpointFailure | UserError, ref: ModelRef) -> dict[str, str]:
    if isinstance(problem, UserError):
        return {"what": problem.what, "why": problem.why, "fix": problem.fix}
    return {"what": f"{ref.text} gave no answer.", "why": f"{problem.kind}: {problem}", "fix": "Check that it runs."}
