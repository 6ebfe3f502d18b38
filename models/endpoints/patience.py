"""Asking an endpoint until it answers: at most so many requests at once, longer and longer waits between tries."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from models.endpoints.client import Answer, ChatClient, ChatOptions, EndpointFailure, FailureKind, Message

LONGEST_WAIT_SECONDS = 60.0
# An endpoint that asks for more patience than this is given up on for now.
LONGEST_RETRY_AFTER_SECONDS = 900.0


@dataclass
class Backoff:
    """Waits that double from `first_seconds` on, each shortened by a random part of up to half, so that requests that
    failed together don't come back together. A fixed `seed` gives the same waits.
    """

    first_seconds: float = 1.0
    seed: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def seconds(self, failures: int) -> float:
        """How long to wait after so many failures in a row (from 1)."""
        longest = min(LONGEST_WAIT_SECONDS, self.first_seconds * 2.0 ** (failures - 1))
        return longest * self._random.uniform(0.5, 1.0)


class PatientClient:
    """A ChatClient asked by many at once. A `Retry-After` is kept to by all of them."""

    def __init__(self, client: ChatClient, *, concurrency: int, backoff: Backoff, stream: bool = False) -> None:
        self._client = client
        self._turn = asyncio.Semaphore(concurrency)
        self._backoff = backoff
        self._stream = stream
        self._quiet_until = 0.0

    async def complete(
        self,
        messages: list[Message],
        options: ChatOptions,
        *,
        tries: int,
        on_failure: Callable[[EndpointFailure], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> Answer:
        """The answer, after at most `tries` requests. Raises the last EndpointFailure when all fail.

        `pause` does the waiting between tries; it is also called with 0 right before each request, and may raise to
        call it off.
        """
        failures = 0
        while True:
            try:
                return await self._ask(messages, options, pause)
            except EndpointFailure as failure:
                on_failure(failure)
                failures += 1
                asked_for = failure.retry_after or 0.0
                if failures >= tries or not failure.worth_retrying or asked_for > LONGEST_RETRY_AFTER_SECONDS:
                    raise
                self._quiet_until = max(self._quiet_until, time.monotonic() + asked_for)
                await pause(max(asked_for, self._backoff.seconds(failures)))

    async def _ask(
        self, messages: list[Message], options: ChatOptions, pause: Callable[[float], Awaitable[None]]
    ) -> Answer:
        async with self._turn:
            await pause(max(0.0, self._quiet_until - time.monotonic()))
            return await self._whole_answer(messages, options)

    async def _whole_answer(self, messages: list[Message], options: ChatOptions) -> Answer:
        if not self._stream:
            return await self._client.complete(messages, options)
        async with aclosing(self._client.stream(messages, options)) as pieces:
            async for piece in pieces:
                if piece.answer is not None:
                    return piece.answer
        raise EndpointFailure(FailureKind.BROKEN_OFF, "the stream ended before the answer did")
