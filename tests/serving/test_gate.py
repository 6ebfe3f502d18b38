"""Places: bounded, first come first served, given on when somebody leaves."""

from __future__ import annotations

import asyncio

import pytest

from serving.gate import WRONG_KEYS_A_MINUTE, Gate, KeyLimits, TooMany
from serving.keys import Key


def test_who_waits_longest_is_next_and_nobody_more_than_allowed_is_let_in() -> None:
    async def through() -> tuple[list[int], int]:
        gate = Gate(running=2, waiting=10)
        order: list[int] = []
        most = 0

        async def visit(number: int) -> None:
            nonlocal most
            async with gate.place():
                most = max(most, gate.running)
                order.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(visit(number) for number in range(10)))
        assert gate.running == gate.waiting == 0
        return order, most

    assert asyncio.run(through()) == (list(range(10)), 2)


def test_more_than_may_wait_are_refused_with_a_time_to_come_again() -> None:
    async def refused() -> TooMany:
        gate = Gate(running=1, waiting=1)
        async with gate.place():
            waiting = asyncio.create_task(_visit(gate))
            await asyncio.sleep(0)
            with pytest.raises(TooMany) as caught:
                async with gate.place():
                    pass
        await waiting
        return caught.value

    problem = asyncio.run(refused())
    assert problem.reason == "queue"
    assert problem.retry_after >= 1


def test_one_who_leaves_while_waiting_takes_no_place_with_them() -> None:
    async def left() -> int:
        gate = Gate(running=1, waiting=5)
        async with gate.place():
            waiting = [asyncio.create_task(_visit(gate)) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*waiting, return_exceptions=True)
        async with asyncio.timeout(1), gate.place():
            return gate.running

    assert asyncio.run(left()) == 1


def test_one_cancelled_in_the_moment_of_its_turn_hands_it_on() -> None:
    async def cancelled() -> int:
        gate = Gate(running=1, waiting=5)
        async with gate.place():
            first, second = (asyncio.create_task(_visit(gate)) for _ in range(2))
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        return gate.running

    assert asyncio.run(cancelled()) == 0


async def _visit(gate: Gate) -> None:
    async with gate.place():
        await asyncio.sleep(0)


class FakeClock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def key(**limits: int | None) -> Key:
    return Key("ada", "1234", 0.0, None, limits.get("requests_per_minute"), limits.get("tokens_per_day"))


def test_a_key_may_ask_so_often_a_minute_and_again_when_that_is_over() -> None:
    clock = FakeClock()
    limits = KeyLimits(clock)
    for _ in range(3):
        limits.take(key(requests_per_minute=3))
    clock.now = 20.0
    with pytest.raises(TooMany) as caught:
        limits.take(key(requests_per_minute=3))
    assert caught.value.retry_after == pytest.approx(40.0)
    clock.now = 61.0
    limits.take(key(requests_per_minute=3))


def test_tokens_of_a_day_are_used_up() -> None:
    limits = KeyLimits(FakeClock())
    limits.take(key(tokens_per_day=100))
    limits.spend(key(tokens_per_day=100), 100)
    with pytest.raises(TooMany, match="100 tokens a day"):
        limits.take(key(tokens_per_day=100))


def test_an_address_that_guesses_keys_is_made_to_wait_and_no_other() -> None:
    limits = KeyLimits(FakeClock())
    for _ in range(WRONG_KEYS_A_MINUTE):
        limits.check_address("10.0.0.1")
        limits.wrong_key("10.0.0.1")
    with pytest.raises(TooMany, match="wrong keys"):
        limits.check_address("10.0.0.1")
    limits.check_address("10.0.0.2")
