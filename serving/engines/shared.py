"""Served models of one base that share its load: the base itself and any number of its adapters, in one batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from jobs.errors import BadInput
from models.backends import Quantisation
from models.incremental_text import IncrementalText
from models.precision import Precision
from models.reference import ResolvedModel
from serving.engines.engine import Ask, EngineFailure, FailureKind, Part
from serving.engines.stopping import StopText
from serving.engines.tool_calls import openai_calls

if TYPE_CHECKING:
    from evaluation.sharing import SharedLoad
    from models.chat_template import ChatTokenizer
    from serving.engines.worker import Job, Worker


class SharedEngine:
    """An Engine for models whose weights are read here. `members`: the served name of each, with its files."""

    def __init__(
        self,
        members: Mapping[str, ResolvedModel],
        *,
        most_rows: int,
        context_length: int,
        quantisation: Quantisation = "none",
        precision: Precision = "auto",
    ) -> None:
        self._members = dict(members)
        self._most_rows = most_rows
        self._context_length = context_length
        self._quantisation: Quantisation = quantisation
        self._precision: Precision = precision
        self._tokenizers: dict[str, ChatTokenizer] = {}
        self._adapters: dict[str, str | None] = {}
        self._worker: Worker | None = None

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(self._members)

    @property
    def folder(self) -> str:
        """Where the base lies that all of them share."""
        return str(next(iter(self._members.values())).folder)

    async def open(self) -> None:
        """Read base and adapters. Raises what loading raises."""
        from serving.engines.worker import Worker

        worker = Worker(self._load, self._most_rows)
        worker.start()
        shared = await asyncio.wrap_future(worker.loaded)
        self._worker = worker
        positions = getattr(shared.loaded.model.config.get_text_config(), "max_position_embeddings", None)
        self._context_length = min(self._context_length, positions or self._context_length)
        for name, files in self._members.items():
            self._note(name, files, shared)

    def _load(self) -> SharedLoad:
        from evaluation.sharing import SharedLoad

        files = list(self._members.values())
        return SharedLoad(files, quantisation=self._quantisation, precision=self._precision)

    def _note(self, name: str, files: ResolvedModel, shared: SharedLoad) -> None:
        from models.chat_template import ChatTokenizer

        self._tokenizers[name] = ChatTokenizer.load(files.adapter or files.folder, needs_template=False)
        self._adapters[name] = shared.adapter_name(files) if shared.loaded.has_adapter else None

    async def change(self, name: str, files: ResolvedModel) -> None:
        """Serve `name` from another adapter of the same base from now on; answers under way end as they began."""
        assert self._worker is not None, "changed before it was opened"

        def take(shared: SharedLoad) -> None:
            shared.add(files)
            self._members[name] = files
            for each, its_files in self._members.items():
                self._note(each, its_files, shared)

        await asyncio.wrap_future(self._worker.call(take))

    async def close(self) -> None:
        if self._worker is not None:
            from evaluation.sharing import free_memory

            await asyncio.to_thread(self._worker.close)
            self._worker = None
            free_memory()

    async def stream(self, model: str, ask: Ask) -> AsyncGenerator[Part]:
        if self._worker is None:
            raise EngineFailure(FailureKind.UNAVAILABLE, f"the model {model} is not loaded")
        if ask.schema is not None:
            raise EngineFailure(
                FailureKind.REFUSED,
                f"{model} can't be held to a JSON schema: its weights are run by PyTorch; export it to GGUF for that",
            )
        loop = asyncio.get_running_loop()
        parts: asyncio.Queue[Part | EngineFailure] = asyncio.Queue()
        prompt = await asyncio.to_thread(self._prompt, model, ask)
        job = self._job(model, ask, prompt, lambda part: loop.call_soon_threadsafe(parts.put_nowait, part))
        self._worker.submit(job)
        try:
            async for part in _until_end(parts, with_tools=bool(ask.tools)):
                yield part
        finally:
            job.cancelled = True

    def _prompt(self, model: str, ask: Ask) -> list[int]:
        """The prompt's tokens. Raises EngineFailure where the template refuses it or it is too long."""
        tokenizer = self._tokenizers[model]
        try:
            if ask.prompt is not None:
                tokens = tokenizer.tokenise_text(ask.prompt).input_ids[:-1]
            else:
                tokens = tokenizer.encode_prompt(list(ask.messages), list(ask.tools) if ask.tools else None)
        except BadInput as problem:
            raise EngineFailure(FailureKind.REFUSED, f"{problem.what} {problem.why}") from problem
        if not tokens:
            raise EngineFailure(FailureKind.REFUSED, "the prompt is empty")
        if len(tokens) >= self._context_length:
            raise EngineFailure(
                FailureKind.TOO_LONG,
                f"the prompt has {len(tokens):,} tokens; {model} takes {self._context_length:,} with the answer",
            )
        return tokens

    def _job(self, model: str, ask: Ask, prompt: list[int], deliver: object) -> Job:
        import random

        from evaluation.decoding import Sampling
        from serving.engines.batch import Row
        from serving.engines.worker import Job

        tokenizer = self._tokenizers[model]
        seed = ask.seed if ask.seed is not None else random.getrandbits(31)
        return Job(
            row=Row(prompt, self._adapters[model], Sampling(ask.temperature, ask.top_p, seed)),
            stops=frozenset(tokenizer.stop_ids),
            text=IncrementalText(tokenizer),
            stop_text=StopText(ask.stop),
            most=min(ask.max_tokens, self._context_length - len(prompt)),
            deliver=deliver,  # type: ignore[arg-type]
        )


async def _until_end(parts: asyncio.Queue[Part | EngineFailure], *, with_tools: bool) -> AsyncGenerator[Part]:
    """The parts up to the last. With tools the answer is held back: only a whole one can be told from a call."""
    held = ""
    while True:
        part = await parts.get()
        if isinstance(part, EngineFailure):
            raise part
        if not with_tools:
            yield part
        else:
            held += part.text
            if part.end is not None:
                calls = openai_calls(held)
                yield Part("", calls, replace(part.end, reason="tool_calls")) if calls else Part(held, end=part.end)
        if part.end is not None:
            return
