"""The way in: how many are answered at once, who waits in which order, and what each key may ask for.

A request takes its place in `Gate` before its engine is asked and leaves it when the answer is written, whether or not
the client has read it yet: a slow reader costs the others nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from serving.keys import Key

MINUTE, DAY = 60.0, 86_400.0
# Guesses at keys: so many wrong ones a minute from one address, then it is told to wait.
WRONG_KEYS_A_MINUTE = 10


class TooMany(Exception):
    """The request is refused for now (429). `reason`: queue, rate, tokens or guessing; `retry_after`: in seconds."""

    def __init__(self, reason: str, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = max(1.0, retry_after)


class Gate:
    """Lets `running` requests in at once and `waiting` more queue, first come first served."""

    def __init__(self, running: int, waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_running = running
        self._most_waiting = waiting
        self._queue: deque[asyncio.Future[None]] = deque()
        self._clock = clock
        self._recent = 2.0
        self.running = 0

    @property
    def waiting(self) -> int:
        return sum(not future.done() for future in self._queue)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[float]:
        """A place among those who are answered; gives the seconds that were waited. Raises TooMany."""
        started = self._clock()
        if self.running < self._most_running and not self.waiting:
            self.running += 1
        else:
            await self._wait()
        begun = self._clock()
        try:
            yield begun - started
        finally:
            self._recent = 0.8 * self._recent + 0.2 * (self._clock() - begun)
            self._next()

    async def _wait(self) -> None:
        if self.waiting >= self._most_waiting:
            soon = self._recent * (1 + self.waiting / self._most_running)
            raise TooMany("queue", f"{self.waiting} requests already wait", soon)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next()
            raise

    def _next(self) -> None:
        """Hand the place on to whoever waits longest, or give it back."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1


class Window:
    """How much was used within the last `seconds`, by name."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._uses: dict[str, deque[tuple[float, int]]] = defaultdict(deque)

    def used(self, name: str) -> int:
        self._forget(name)
        return sum(amount for _, amount in self._uses[name]) if name in self._uses else 0

    def add(self, name: str, amount: int = 1) -> None:
        self._uses[name].append((self._clock(), amount))

    def seconds_until_less(self, name: str) -> float:
        """Until the oldest use no longer counts."""
        uses = self._uses.get(name)
        return self._seconds - (self._clock() - uses[0][0]) if uses else 0.0

    def _forget(self, name: str) -> None:
        uses = self._uses.get(name)
        while uses and self._clock() - uses[0][0] > self._seconds:
            uses.popleft()
        if uses is not None and not uses:
            del self._uses[name]


class KeyLimits:
    """What each key has used, and how often an address gave a wrong one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests = Window(MINUTE, clock)
        self._tokens = Window(DAY, clock)
        self._wrong = Window(MINUTE, clock)

    def check_address(self, address: str) -> None:
        """Raise TooMany for an address that guesses."""
        if self._wrong.used(address) >= WRONG_KEYS_A_MINUTE:
            raise TooMany("guessing", "too many wrong keys", self._wrong.seconds_until_less(address))

    def wrong_key(self, address: str) -> None:
        self._wrong.add(address)

    def take(self, key: Key) -> None:
        """Count a request of `key`. Raises TooMany where it has used up what it may."""
        if key.requests_per_minute is not None and self._requests.used(key.name) >= key.requests_per_minute:
            raise TooMany(
                "rate",
                f"the key may ask {key.requests_per_minute} times a minute",
                self._requests.seconds_until_less(key.name),
            )
        if key.tokens_per_day is not None and self._tokens.used(key.name) >= key.tokens_per_day:
            raise TooMany(
                "tokens",
                f"the key may use {key.tokens_per_day:,} tokens a day",
                self._tokens.seconds_until_less(key.name),
            )
        self._requests.add(key.name)

    def spend(self, key: Key, tokens: int) -> None:
        """Count the tokens of a request that was answered."""
        if key.tokens_per_day is not None:
            self._tokens.add(key.name, tokens)
