"""One request being answered: its place among the others, its choices side by side, its time, and what it came to.

The work is a task of its own. A client that reads slowly holds up nobody: its place is given on when the answer is
written. A client that leaves ends the work.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from jobs.errors import UserError
from serving.engines.engine import Ask, End, EngineFailure, FailureKind, Part
from serving.gate import Gate, TooMany
from serving.router.decision import Decision
from serving.router.question import Question
from serving.router.router import NoAnswer, Router


@dataclass(frozen=True)
class Who:
    """Whose request it is, as far as it says: `key` is the name of the key it came with."""

    request_id: str
    user: str | None = None
    conversation: str | None = None
    tag: str | None = None
    reasoning_mode: str | None = None
    key: str | None = None


@dataclass
class Outcome:
    """What a request came to. Seconds are from its start; `failure` is None where every choice has its end."""

    started: float
    queue_wait: float = 0.0
    first_token: float | None = None
    seconds: float = 0.0
    decision: Decision | None = None
    texts: dict[int, str] = field(default_factory=dict)
    calls: dict[int, tuple[dict[str, object], ...]] = field(default_factory=dict)
    ends: dict[int, End] = field(default_factory=dict)
    failure: Exception | None = None
    left: bool = False

    @property
    def prompt_tokens(self) -> int:
        """Of the prompts that were read, each counted once."""
        return sum(end.prompt_tokens for end in self.ends.values())

    @property
    def answer_tokens(self) -> int:
        return sum(end.answer_tokens for end in self.ends.values())


Event = tuple[int, Part]


class Answering:
    """Begin with `start`, read `parts`; `done` is called once, when all is over, whatever way."""

    def __init__(self, router: Router, gate: Gate, seconds: float, done: Callable[[Outcome], None]) -> None:
        self._router = router
        self._gate = gate
        self._seconds = seconds
        self._done = done
        self._events: asyncio.Queue[Event | Exception | None] = asyncio.Queue()
        self._first: Event | None = None
        self._task: asyncio.Task[None] | None = None
        self.outcome = Outcome(time.monotonic())

    async def start(self, model: str, asks: Sequence[Ask], who: Who) -> None:
        """Wait for the first part. Raises TooMany, EngineFailure, or Missing for an unknown model."""
        self._task = asyncio.create_task(self._run(model, asks, who))
        try:
            event = await self._events.get()
        except asyncio.CancelledError:
            self.leave()
            raise
        if isinstance(event, Exception):
            raise event
        self._first = event

    async def parts(self) -> AsyncIterator[Event]:
        """The parts, each with the place of its choice. Raises EngineFailure where the answer breaks off."""
        event: Event | Exception | None = self._first
        while event is not None:
            if isinstance(event, Exception):
                raise event
            yield event
            event = await self._events.get()

    def leave(self) -> None:
        """The client is gone: end the work; nothing happens where it is done."""
        if self._task is not None and not self._task.done():
            self.outcome.left = True
            self._task.cancel()

    async def _run(self, model: str, asks: Sequence[Ask], who: Who) -> None:
        try:
            async with asyncio.timeout(self._seconds), self._gate.place() as waited:
                self.outcome.queue_wait = waited
                async with asyncio.TaskGroup() as group:
                    for place, ask in enumerate(asks):
                        group.create_task(self._choice(place, model, ask, who))
        except* TimeoutError:
            self._fail(EngineFailure(FailureKind.TIMEOUT, f"it took longer than {self._seconds:g} s"))
        except* Exception as problems:  # noqa: BLE001 - the boundary of the task: the client is told, the log has it all
            self._fail(problems.exceptions[0])
        finally:
            self.outcome.seconds = time.monotonic() - self.outcome.started
            self._events.put_nowait(None)
            self._done(self.outcome)

    def _fail(self, problem: Exception) -> None:
        while isinstance(problem, ExceptionGroup):
            problem = problem.exceptions[0]
        if isinstance(problem, NoAnswer):
            self.outcome.decision = problem.decision
        if not isinstance(problem, EngineFailure | TooMany | UserError):
            traceback.print_exception(problem)
        self.outcome.failure = problem
        self._events.put_nowait(problem)

    async def _choice(self, place: int, model: str, ask: Ask, who: Who) -> None:
        question = Question.of(
            ask, tag=who.tag, reasoning_mode=who.reasoning_mode, user=who.user, conversation=who.conversation
        )
        answer = await self._router.open(question, ask, model)
        async with contextlib.aclosing(answer):
            self.outcome.decision = answer.decision
            try:
                async for part in answer:
                    self._take(place, part)
            finally:
                self.outcome.decision = answer.decision

    def _take(self, place: int, part: Part) -> None:
        if self.outcome.first_token is None and (part.text or part.tool_calls):
            self.outcome.first_token = time.monotonic() - self.outcome.started
        self.outcome.texts[place] = self.outcome.texts.get(place, "") + part.text
        if part.tool_calls:
            self.outcome.calls[place] = part.tool_calls
        if part.end is not None:
            self.outcome.ends[place] = part.end
        self._events.put_nowait((place, part))
