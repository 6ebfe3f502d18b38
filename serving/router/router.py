"""The router: chooses a model or an ensemble for a request, and goes on to the next when that one fails.

A model that fails before its first part (an error, lateness, an open circuit) is answered for by the fallback, in its
order. One that fails later is not: the client has part of its answer already, and another model's would not go on from
there. Its stream ends with the error. A model that was asked for by its own name has no fallback either.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Self

from serving.engines.engine import Ask, EngineFailure, FailureKind, Part
from serving.router.breaker import CircuitBreaker, Clock, State
from serving.router.chooser import Chooser
from serving.router.conditions import Classifies
from serving.router.decision import ASKED_BY_NAME, Attempt, Decision, Outcome
from serving.router.ensemble import ask_members, require_quorum
from serving.router.guarded import Budget, CircuitOpen, GuardedStream, Stream, outcome_of
from serving.router.question import Question
from serving.router.spec import AUTO, RouterSpec


class NoAnswer(EngineFailure):
    """Everything that was tried failed before its first part. `decision` tells what; kind and message are the first's,
    or those of a model that is only busy, since waiting helps there."""

    def __init__(self, decision: Decision, failure: EngineFailure) -> None:
        super().__init__(failure.kind, str(failure), failure.retry_after)
        self.decision = decision


class RoutedAnswer:
    """An answer that has begun. `decision` is known before the first part is read; its end is added while reading.

    Read it with `async for`; close it with `aclose` (or contextlib.aclosing) in any case, read or not.
    """

    def __init__(self, decision: Decision, first: Part, rest: GuardedStream | None) -> None:
        self.decision = decision
        self._first: Part | None = first
        self._rest = rest

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Part:
        if self._first is not None:
            part, self._first = self._first, None
        elif self._rest is None:
            raise StopAsyncIteration
        else:
            part = await self._next(self._rest)
        if part.end is not None:
            self._ends_with(Outcome.ANSWERED)
        return part

    async def aclose(self) -> None:
        """Stop the model's work; nothing happens where the answer has ended."""
        self._first = None
        if self._rest is not None:
            await self._rest.aclose()

    async def _next(self, rest: GuardedStream) -> Part:
        try:
            return await anext(rest)
        except EngineFailure as failure:
            self._ends_with(outcome_of(failure), str(failure))
            raise

    def _ends_with(self, outcome: Outcome, message: str = "") -> None:
        *before, last = self.decision.tried
        self.decision = replace(self.decision, tried=(*before, Attempt(last.target, outcome, message)))


class Router:
    """Answers requests by a RouterSpec. For one event loop. `stream` asks a served model; `clock` times circuits."""

    def __init__(
        self,
        spec: RouterSpec,
        models: Collection[str],
        stream: Stream,
        classifiers: Mapping[str, Classifies] | None = None,
        *,
        clock: Clock = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.chooser = Chooser(spec, models, classifiers, draw)
        self._spec = spec
        self._stream = stream
        self._breakers = {model: CircuitBreaker(spec.breaker, clock) for model in models}

    @property
    def circuits(self) -> dict[str, State]:
        """How each model's circuit stands."""
        return {model: breaker.state for model, breaker in self._breakers.items()}

    async def open(self, question: Question, ask: Ask, asked: str = AUTO) -> RoutedAnswer:
        """An answer from whichever model gives its first part. Raises NoAnswer where none does, Missing for a name."""
        decision = self.chooser.choose(question, asked)
        budget = Budget(self._spec.total_seconds)
        failures: list[EngineFailure] = []
        for target in self._targets(decision):
            try:
                return await self._begin(decision, target, question, ask, budget)
            except _Failed as failed:
                decision = failed.decision
                failures.append(failed.failure)
            if budget.left <= 0:
                break
        busy = [failure for failure in failures if failure.kind is FailureKind.BUSY]
        raise NoAnswer(decision, [*busy, *failures][0]) from failures[0]

    def _targets(self, decision: Decision) -> list[str]:
        """What is tried, in order, nothing twice."""
        fallback = () if decision.route == ASKED_BY_NAME else self._spec.fallback
        return list(dict.fromkeys([decision.target, *fallback]))

    async def _begin(
        self, decision: Decision, target: str, question: Question, ask: Ask, budget: Budget
    ) -> RoutedAnswer:
        """The answer of one target, begun. Raises _Failed with the decision to go on with."""
        try:
            if target in self.chooser.ensembles:
                return await self._by_vote(decision, target, question, ask, budget)
            return await self._by_model(decision, target, ask, budget)
        except _Failed:
            raise
        except EngineFailure as failure:
            attempt = Attempt(target, outcome_of(failure), str(failure))
            raise _Failed(replace(decision, tried=(*decision.tried, attempt)), failure) from failure

    async def _by_model(self, decision: Decision, model: str, ask: Ask, budget: Budget) -> RoutedAnswer:
        async with AsyncExitStack() as stack:
            stream = self._guarded(model, ask, self._spec.first_part_seconds, budget)
            stack.push_async_callback(stream.aclose)
            first = await anext(stream)
            stack.pop_all()
        tried = (*decision.tried, Attempt(model, Outcome.RUNNING))
        return RoutedAnswer(replace(decision, model=model, tried=tried), first, stream)

    async def _by_vote(
        self, decision: Decision, name: str, question: Question, ask: Ask, budget: Budget
    ) -> RoutedAnswer:
        """The winning answer in one part: it is known only when the votes are counted."""
        spec = self.chooser.ensembles[name]

        def begin(model: str, its_budget: Budget) -> GuardedStream:
            return self._guarded(model, ask, min(self._spec.first_part_seconds, its_budget.left), its_budget)

        count = await ask_members(spec, question.tag, begin, budget)
        voted = replace(decision, votes=count.votes)
        try:
            winner = require_quorum(spec, count)
        except EngineFailure as failure:
            attempt = Attempt(name, Outcome.FAILED, str(failure))
            raise _Failed(replace(voted, tried=(*decision.tried, attempt)), failure) from failure
        assert winner.answer is not None
        tried = (*decision.tried, Attempt(name, Outcome.RUNNING))
        part = Part(winner.answer.text, winner.answer.tool_calls, winner.answer.last.end)
        return RoutedAnswer(replace(voted, model=winner.model, tried=tried), part, None)

    def _guarded(self, model: str, ask: Ask, first_seconds: float, budget: Budget) -> GuardedStream:
        breaker = self._breakers[model]
        permit = breaker.admit()
        if permit is None:
            raise CircuitOpen(
                FailureKind.UNAVAILABLE,
                f"{model} failed too often just now and is left alone for a while.",
                retry_after=breaker.seconds_until_trial,
            )
        return GuardedStream(model, self._stream(model, ask), permit, first_seconds, budget)


class _Failed(Exception):
    """One target gave no answer; the decision says so, and the next one may be tried."""

    def __init__(self, decision: Decision, failure: EngineFailure) -> None:
        super().__init__(str(failure))
        self.decision = decision
        self.failure = failure
