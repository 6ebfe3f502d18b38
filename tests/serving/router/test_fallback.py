"""What happens when models fail: who answers instead, when nobody does, what circuits do, what the decision says."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from serving.engines.engine import EngineFailure, FailureKind
from serving.router.breaker import State
from serving.router.decision import Outcome
from serving.router.router import NoAnswer, RoutedAnswer, Router
from serving.router.spec import RouterSpec
from tests.serving.router.fake_models import ASK, QUESTION, FakeModel, FakeServer, ask, run, text_of


def router(server: FakeServer, **values: Any) -> Router:
    spec = {"default": "a", "fallback": ["b", "c"], "breaker": {"failures": 2, "retry_seconds": 10}, **values}
    return Router(RouterSpec.parse(spec), list(server.models), server.stream, clock=server.clock)


def served(**models: FakeModel) -> FakeServer:
    return FakeServer({"a": FakeModel("first"), "b": FakeModel("second"), "c": FakeModel("third"), **models})


def outcomes(answer: RoutedAnswer) -> list[tuple[str, Outcome]]:
    return [(each.target, each.outcome) for each in answer.decision.tried]


def test_a_model_that_answers_is_the_only_one_asked_and_the_decision_is_there_before_the_text() -> None:
    async def work() -> None:
        server = served(a=FakeModel("all is well"))
        answer = await router(server).open(QUESTION, ASK)
        assert answer.decision.model == "a"
        assert outcomes(answer) == [("a", Outcome.RUNNING)]
        assert await text_of(answer) == "all is well"
        assert outcomes(answer) == [("a", Outcome.ANSWERED)]
        assert answer.decision.sentence == "there are no rules"
        assert [model.asked for model in server.models.values()] == [1, 0, 0]

    run(work)


@pytest.mark.parametrize(
    ("broken", "outcome", "said"),
    [
        (FakeModel(waits=5), Outcome.TIMED_OUT, "a timed out, so b answers"),
        (FakeModel(fails=FailureKind.UNAVAILABLE), Outcome.FAILED, "a failed, so b answers"),
        (FakeModel(dies_after=0), Outcome.FAILED, "a failed, so b answers"),
        (FakeModel(text="", ends=False), Outcome.FAILED, "a failed, so b answers"),
        (FakeModel(fails=FailureKind.TOO_LONG), Outcome.FAILED, "a failed, so b answers"),
    ],
)
def test_a_model_that_is_late_or_dies_before_its_first_part_is_answered_for_by_the_next(
    broken: FakeModel, outcome: Outcome, said: str
) -> None:
    async def work() -> None:
        server = served(a=broken)
        text, answer = await ask(router(server, first_part_seconds=0.5))
        assert text == "second"
        assert outcomes(answer) == [("a", outcome), ("b", Outcome.ANSWERED)]
        assert answer.decision.sentence == f"there are no rules; {said}"
        assert broken.closed == 1

    run(work)


def test_a_model_that_dies_in_mid_answer_ends_the_stream_and_nobody_else_is_asked() -> None:
    async def work() -> None:
        server = served(a=FakeModel("one two three", dies_after=2))
        routed = router(server)
        answer = await routed.open(QUESTION, ASK)
        got = []
        with pytest.raises(EngineFailure) as failure:
            async for part in answer:
                got.append(part.text)
        await answer.aclose()
        assert got == ["one", " two"] and failure.value.kind is FailureKind.BROKEN_OFF
        assert outcomes(answer) == [("a", Outcome.FAILED)]
        assert [model.asked for model in server.models.values()] == [1, 0, 0]
        with pytest.raises(EngineFailure):
            await ask(routed)
        assert routed.circuits["a"] is State.OPEN

    run(work)


def test_an_answer_that_stops_without_an_end_is_told_as_broken_off() -> None:
    async def work() -> None:
        answer = await router(served(a=FakeModel("half an", ends=False))).open(QUESTION, ASK)
        with pytest.raises(EngineFailure, match="a stopped without ending") as failure:
            await text_of(answer)
        assert failure.value.kind is FailureKind.BROKEN_OFF

    run(work)


def test_the_time_in_all_ends_an_answer_that_never_ends_and_leaves_none_for_the_next_model() -> None:
    async def work() -> None:
        class Endless(FakeModel):
            async def answer(self) -> Any:
                async for part in super().answer():
                    yield part
                    await asyncio.sleep(0.02)

        endless = Endless(" ".join(["word"] * 10_000))
        answer = await router(served(a=endless), total_seconds=0.6).open(QUESTION, ASK)
        with pytest.raises(EngineFailure, match="too long to end"):
            await text_of(answer)
        late = served(a=FakeModel(waits=5))
        with pytest.raises(NoAnswer) as failure:
            await router(late, total_seconds=0.05).open(QUESTION, ASK)
        assert failure.value.kind is FailureKind.TIMEOUT
        assert [model.asked for model in late.models.values()] == [1, 0, 0]

    run(work)


def test_time_that_a_slow_reader_takes_is_not_the_models() -> None:
    async def work() -> None:
        routed = router(served(a=FakeModel("one two three")), total_seconds=0.6, first_part_seconds=0.6)
        answer = await routed.open(QUESTION, ASK)
        got = []
        async for part in answer:
            got.append(part.text)
            await asyncio.sleep(0.25)
        await answer.aclose()
        assert "".join(got) == "one two three"

    run(work)


def test_when_all_fail_the_first_failure_is_told_and_everything_that_was_tried() -> None:
    async def work() -> None:
        broken = {name: FakeModel(fails=FailureKind.UNAVAILABLE) for name in "bc"}
        server = served(a=FakeModel(fails=FailureKind.REFUSED), **broken)
        with pytest.raises(NoAnswer) as failure:
            await router(server).open(QUESTION, ASK)
        assert failure.value.kind is FailureKind.REFUSED
        assert failure.value.decision.sentence == "there are no rules; a failed, b failed, c failed"
        assert failure.value.decision.model == ""

    run(work)


def test_when_one_is_only_busy_the_client_is_told_to_come_back() -> None:
    async def work() -> None:
        server = served(
            a=FakeModel(fails=FailureKind.UNAVAILABLE),
            b=FakeModel(fails=FailureKind.BUSY),
            c=FakeModel(fails=FailureKind.UNAVAILABLE),
        )
        with pytest.raises(NoAnswer) as failure:
            await router(server).open(QUESTION, ASK)
        assert (failure.value.kind, failure.value.retry_after) == (FailureKind.BUSY, 7.0)

    run(work)


def test_a_model_asked_for_by_its_own_name_has_no_fallback() -> None:
    async def work() -> None:
        server = served(a=FakeModel(fails=FailureKind.UNAVAILABLE))
        with pytest.raises(NoAnswer):
            await router(server).open(QUESTION, ASK, "a")
        assert server.models["b"].asked == 0

    run(work)


def test_nothing_is_tried_twice() -> None:
    async def work() -> None:
        server = served(**{name: FakeModel(fails=FailureKind.UNAVAILABLE) for name in "abc"})
        with pytest.raises(NoAnswer):
            await router(server, fallback=["a", "b", "a", "c"]).open(QUESTION, ASK)
        assert [model.asked for model in server.models.values()] == [1, 1, 1]

    run(work)


def test_a_circuit_opens_lets_one_trial_through_among_many_requests_and_closes() -> None:
    async def work() -> None:
        first = FakeModel("first", fails=FailureKind.UNAVAILABLE)
        server = served(a=first)
        routed = router(server)
        for _ in range(2):
            await ask(routed)
        assert routed.circuits == {"a": State.OPEN, "b": State.CLOSED, "c": State.CLOSED}
        text, answer = await ask(routed)
        assert text == "second" and first.asked == 2
        assert outcomes(answer)[0] == ("a", Outcome.CIRCUIT_OPEN)
        assert answer.decision.sentence == "there are no rules; a has an open circuit, so b answers"

        server.clock.now += 10
        first.fails, first.gate = None, asyncio.Event()
        many = [asyncio.create_task(ask(routed)) for _ in range(40)]
        while sum(task.done() for task in many) < 39:
            await asyncio.sleep(0)
        assert first.asked == 3
        first.gate.set()
        texts = [text for text, _ in await asyncio.gather(*many)]
        assert texts.count("first") == 1 and texts.count("second") == 39
        assert routed.circuits["a"] is State.CLOSED
        assert (await ask(routed))[0] == "first"

    run(work)


def test_a_failed_trial_opens_the_circuit_again() -> None:
    async def work() -> None:
        server = served(a=FakeModel(fails=FailureKind.UNAVAILABLE))
        routed = router(server)
        for wait in (0, 0, 10, 0, 0):
            server.clock.now += wait
            await ask(routed)
        assert server.models["a"].asked == 3
        assert routed.circuits["a"] is State.OPEN

    run(work)


def test_a_client_that_leaves_ends_the_models_work_and_frees_the_trial() -> None:
    async def work() -> None:
        first = FakeModel("one two three", fails=FailureKind.UNAVAILABLE)
        server = served(a=first)
        routed = router(server)
        for _ in range(2):
            await ask(routed)
        server.clock.now += 10
        first.fails, first.gate = None, asyncio.Event()
        waiting = asyncio.create_task(routed.open(QUESTION, ASK))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert first.closed == first.asked == 3
        first.gate.set()
        reading = await routed.open(QUESTION, ASK)
        await anext(reading)
        await reading.aclose()
        assert first.closed == first.asked == 4
        unread = await routed.open(QUESTION, ASK)
        await unread.aclose()
        assert [part async for part in unread] == []
        assert first.closed == first.asked == 5
        assert routed.circuits["a"] is State.HALF_OPEN
        assert (await ask(routed))[0] == "one two three"
        assert routed.circuits["a"] is State.CLOSED

    run(work)


@pytest.mark.parametrize("kind", [FailureKind.REFUSED, FailureKind.TOO_LONG, FailureKind.BUSY])
def test_what_is_not_the_models_fault_does_not_open_its_circuit(kind: FailureKind) -> None:
    async def work() -> None:
        routed = router(served(a=FakeModel(fails=kind)))
        for _ in range(5):
            assert (await ask(routed))[0] == "second"
        assert routed.circuits["a"] is State.CLOSED

    run(work)


def test_a_defect_of_an_engine_is_not_hidden_and_frees_the_trial() -> None:
    async def work() -> None:
        class Defective(FakeModel):
            async def answer(self) -> Any:
                async for part in super().answer():
                    yield part
                    raise KeyError("a defect")

        first = Defective(fails=FailureKind.UNAVAILABLE)
        server = served(a=first)
        routed = router(server)
        for _ in range(2):
            await ask(routed)
        server.clock.now += 10
        first.fails = None
        for _ in range(2):
            with pytest.raises(KeyError):
                await routed.open(QUESTION, ASK)
        assert routed.circuits["a"] is State.HALF_OPEN

    run(work)


def test_hundreds_of_requests_that_fail_and_leave_as_they_like_leave_no_work_behind_and_no_circuit_stuck() -> None:
    draw = random.Random(0)

    class Moody(FakeModel):
        async def answer(self) -> Any:
            fails = draw.choice([None, None, None, None, FailureKind.UNAVAILABLE, FailureKind.BUSY])
            mood = FakeModel(self.text, fails, draw.choice([None, None, None, 0, 1]), draw.choice([0, 0, 0.001, 0.05]))
            self.asked += 1
            try:
                async for part in mood.answer():
                    yield part
            finally:
                self.closed += 1

    async def work() -> None:
        server = served(a=Moody("one two three"), b=Moody("four five"), c=Moody("six"))
        ensembles = [{"name": "all", "members": {"a": 1, "b": 1, "c": 1}, "timeout_seconds": 0.02}]
        routed = router(server, ensembles=ensembles, first_part_seconds=0.02)
        ended: list[str] = []

        async def one() -> None:
            try:
                ended.append((await ask(routed, draw.choice(["auto", "all", "b"])))[0])
            except EngineFailure as failure:
                ended.append(failure.kind)

        for _ in range(8):
            clients = [asyncio.create_task(one()) for _ in range(40)]
            await asyncio.sleep(draw.choice([0, 0.001, 0.03]))
            for client in draw.sample(clients, 15):
                client.cancel()
            await asyncio.wait(clients)
            server.clock.now += 6
        assert {"one two three", "four five"} <= set(ended) and {*FailureKind} & set(ended)
        assert [model.closed for model in server.models.values()] == [m.asked for m in server.models.values()]
        server.clock.now += 10
        server.models = {name: FakeModel("well again") for name in "abc"}
        assert [(await ask(routed, name))[0] for name in "abc"] == ["well again"] * 3
        assert set(routed.circuits.values()) == {State.CLOSED}

    run(work)
