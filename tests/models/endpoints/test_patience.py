"""Retrying: what is retried, how long is waited, how many ask at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from models.endpoints.client import ChatOptions, EndpointFailure, FailureKind
from models.endpoints.openai import OpenAICompatible
from models.endpoints.patience import Backoff, PatientClient
from models.endpoints.transport import Access
from tests.models.endpoints.fake_chat_server import Asked, FakeChatServer, Reply

QUESTION = [{"role": "user", "content": "Well?"}]


@pytest.fixture
def server() -> Iterator[FakeChatServer]:
    with FakeChatServer() as running:
        yield running


class Asking:
    """Asks through a PatientClient; `failures` and `waits` are what happened on the way."""

    def __init__(self, server: FakeChatServer, *, concurrency: int = 4, stream: bool = False) -> None:
        self.address = server.address
        self.concurrency = concurrency
        self.stream = stream
        self.failures: list[FailureKind] = []
        self.waits: list[float] = []

    async def _pause(self, seconds: float) -> None:
        if seconds:
            self.waits.append(seconds)

    def times(self, number: int, tries: int = 5, seed: int = 0) -> list[str]:
        """The texts of so many answers, asked for all at once."""

        async def asking() -> list[str]:
            client = OpenAICompatible(Access(self.address, "t1"))
            patient = PatientClient(
                client, concurrency=self.concurrency, backoff=Backoff(1.0, seed), stream=self.stream
            )
            try:
                answers = await asyncio.gather(
                    *(
                        patient.complete(
                            QUESTION,
                            ChatOptions(),
                            tries=tries,
                            on_failure=lambda failure: self.failures.append(failure.kind),
                            pause=self._pause,
                        )
                        for _ in range(number)
                    )
                )
            finally:
                await client.close()
            return [answer.text for answer in answers]

        return asyncio.run(asking())


@pytest.mark.parametrize("stream", [False, True])
def test_failures_are_retried_and_told_until_an_answer_comes(server: FakeChatServer, stream: bool) -> None:
    replies = iter([Reply(status=500), Reply(fault="half"), Reply(status=429), Reply("At last.")])
    server.behave = lambda _: next(replies)
    asking = Asking(server, stream=stream)
    assert asking.times(1) == ["At last."]
    assert asking.failures == [FailureKind.SERVER, FailureKind.BROKEN_OFF, FailureKind.RATE_LIMIT]


def test_waits_double_and_a_seed_gives_the_same_ones_again(server: FakeChatServer) -> None:
    server.behave = lambda _: Reply(status=500)
    waits = []
    for seed in (1, 1, 2):
        asking = Asking(server)
        with pytest.raises(EndpointFailure):
            asking.times(1, tries=9, seed=seed)
        waits.append(asking.waits)
    assert waits[0] == waits[1] != waits[2]
    for wait, longest in zip(waits[0], (1, 2, 4, 8, 16, 32, 60, 60), strict=True):
        assert longest / 2 <= wait <= longest


def test_after_all_tries_the_last_failure_is_raised(server: FakeChatServer) -> None:
    server.behave = lambda _: Reply(status=503)
    with pytest.raises(EndpointFailure) as caught:
        Asking(server).times(1, tries=3)
    assert caught.value.kind is FailureKind.SERVER
    assert len(server.asked) == 3


def test_a_request_that_the_endpoint_calls_wrong_is_not_made_again(server: FakeChatServer) -> None:
    server.behave = lambda _: Reply(status=400)
    asking = Asking(server)
    with pytest.raises(EndpointFailure):
        asking.times(1)
    assert len(server.asked) == 1
    assert asking.failures == [FailureKind.REFUSED]


def test_an_endpoint_s_own_wish_to_be_left_alone_is_respected_by_all(server: FakeChatServer) -> None:
    first = iter([Reply(status=429, headers={"Retry-After": "30"})])
    server.behave = lambda _: next(first, Reply())
    asking = Asking(server, concurrency=1)
    assert asking.times(2) == ["Yes.", "Yes."]
    assert len(server.asked) == 3
    waited_by_it, *by_others = sorted(asking.waits, reverse=True)
    assert waited_by_it == 30
    assert by_others, "the other request waits as well"
    assert all(25 < wait <= 30 for wait in by_others)


def test_an_endpoint_that_wants_hours_is_given_up_on(server: FakeChatServer) -> None:
    server.behave = lambda _: Reply(status=429, headers={"Retry-After": "7200"})
    asking = Asking(server)
    with pytest.raises(EndpointFailure):
        asking.times(1)
    assert asking.waits == []


def test_no_more_ask_at_once_than_allowed_and_as_many_as_allowed(server: FakeChatServer) -> None:
    import threading

    full = threading.Barrier(3)

    def behave(_: Asked) -> Reply:
        full.wait(timeout=10)  # three have to be there together before any is answered
        return Reply()

    server.behave = behave
    assert len(Asking(server, concurrency=3).times(9)) == 9
    assert server.most_at_once == 3
