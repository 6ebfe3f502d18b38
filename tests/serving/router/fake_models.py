"""Fake models for the router's tests: each answers, waits, fails or dies as it is told. Real ones can't be made to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

from serving.engines.engine import Ask, End, EngineFailure, FailureKind, Part
from serving.router.question import Question
from serving.router.router import RoutedAnswer, Router

ASK = Ask(messages=[{"role": "user", "content": "What now?"}])
QUESTION = Question("What now?")


@dataclass
class FakeModel:
    """Says `text` in words. `fails`: instead of its first part; `dies_after`: after so many parts; `waits`: seconds
    before its first part; `gate`: waits for this event before its first part."""

    text: str = "yes"
    fails: FailureKind | None = None
    dies_after: int | None = None
    waits: float = 0.0
    gate: asyncio.Event | None = None
    confidence: float | None = None
    ends: bool = True
    asked: int = 0
    closed: int = 0

    async def answer(self) -> AsyncGenerator[Part]:
        self.asked += 1
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(self.waits)
            if self.fails is not None:
                raise EngineFailure(self.fails, "told to fail", retry_after=7.0)
            yield Part()
            words = self.text.split(" ") if self.text else []
            for place, word in enumerate(words):
                if place == self.dies_after:
                    raise EngineFailure(FailureKind.BROKEN_OFF, "told to die")
                yield Part(word if place == 0 else f" {word}")
                await asyncio.sleep(0)
            if self.ends:
                yield Part(end=End("stop", 5, len(words), self.confidence))
        finally:
            self.closed += 1


@dataclass
class FakeClock:
    """Seconds that pass only when they are told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeServer:
    """Served fake models by name, and a clock."""

    models: dict[str, FakeModel]
    clock: FakeClock = field(default_factory=FakeClock)

    def stream(self, model: str, _ask: Ask) -> AsyncGenerator[Part]:
        return self.models[model].answer()


async def text_of(answer: RoutedAnswer) -> str:
    """The whole of an answer, which is closed."""
    try:
        return "".join([part.text async for part in answer])
    finally:
        await answer.aclose()


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine in an event loop of its own, for 20 seconds at most."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work()

    asyncio.run(bounded())


async def ask(router: Router, asked: str = "auto", tag: str | None = None) -> tuple[str, RoutedAnswer]:
    """Ask and read to the end."""
    answer = await router.open(Question("What now?", tag=tag), ASK, asked)
    return await text_of(answer), answer
