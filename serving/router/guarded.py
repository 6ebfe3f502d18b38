"""One model's answer as it comes, under time limits, telling the model's circuit how it went."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

from serving.engines.engine import Ask, EngineFailure, FailureKind, Part
from serving.router.breaker import Permit
from serving.router.decision import Outcome

Stream = Callable[[str, Ask], AsyncGenerator[Part]]
# The request itself, or the moment, was at fault: says nothing bad about the model.
NOT_THE_MODELS_FAULT = frozenset({FailureKind.REFUSED, FailureKind.TOO_LONG, FailureKind.BUSY})


class CircuitOpen(EngineFailure):
    """The model was not asked, since it failed too often just now."""


def outcome_of(failure: EngineFailure) -> Outcome:
    """How a try that failed so ended."""
    if isinstance(failure, CircuitOpen):
        return Outcome.CIRCUIT_OPEN
    return Outcome.TIMED_OUT if failure.kind is FailureKind.TIMEOUT else Outcome.FAILED


@dataclass
class Budget:
    """Seconds that may still be waited for models, for one request over all its tries."""

    left: float


class GuardedStream:
    """The parts of `model`'s answer; every one has a text, calls or the end. Raises EngineFailure, also for lateness.

    Only time spent waiting for the model counts, not what the reader takes between parts. Has to be closed.
    """

    def __init__(
        self, model: str, parts: AsyncGenerator[Part], permit: Permit, first_seconds: float, budget: Budget
    ) -> None:
        self.model = model
        self._parts = parts
        self._permit = permit
        self._budget = budget
        self._first = Budget(first_seconds)
        self._begun = False
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Part:
        if self._ended:
            raise StopAsyncIteration
        part = await self._next()
        while not (part.text or part.tool_calls or part.end):
            part = await self._next()
        self._begun = True
        if part.end is not None:
            self._ended = True
            self._permit.succeeded()
        return part

    async def aclose(self) -> None:
        """End the model's work. Before the answer's end this tells its circuit nothing."""
        self._ended = True
        self._permit.released()
        await self._parts.aclose()

    async def _next(self) -> Part:
        """The engine's next part, whatever is in it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        limit = self._budget.left if self._begun else min(self._first.left, self._budget.left)
        try:
            async with asyncio.timeout(limit):
                return await anext(self._parts)
        except StopAsyncIteration as error:
            raise self._failed(FailureKind.BROKEN_OFF, f"{self.model} stopped without ending its answer.") from error
        except TimeoutError as error:
            raise self._failed(FailureKind.TIMEOUT, self._lateness()) from error
        except EngineFailure as failure:
            self._settle(failure.kind)
            raise
        finally:
            waited = loop.time() - began
            self._budget.left -= waited
            self._first.left -= waited

    def _lateness(self) -> str:
        return f"{self.model} took too long to {'end' if self._begun else 'begin'} its answer."

    def _failed(self, kind: FailureKind, message: str) -> EngineFailure:
        self._settle(kind)
        return EngineFailure(kind, message)

    def _settle(self, kind: FailureKind) -> None:
        self._ended = True
        if kind in NOT_THE_MODELS_FAULT:
            self._permit.released()
        else:
            self._permit.failed()


@dataclass(frozen=True)
class WholeAnswer:
    """An answer that was waited for to its end."""

    text: str
    last: Part
    tool_calls: tuple[dict[str, object], ...]


async def read_whole(stream: GuardedStream) -> WholeAnswer:
    """All of an answer. Raises EngineFailure; the stream is closed in any case."""
    texts: list[str] = []
    calls: list[dict[str, object]] = []
    async with aclosing(stream):
        async for part in stream:
            texts.append(part.text)
            calls.extend(part.tool_calls)
            last = part
    return WholeAnswer("".join(texts), last, tuple(calls))
