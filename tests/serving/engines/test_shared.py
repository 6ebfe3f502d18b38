"""Models of one base in one batch: each answers as it would alone, whoever joins or leaves beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from evaluation.decoding import Row, Sampling, answering_as, decode
from evaluation.sharing import SharedLoad
from models.chat_template import ChatTokenizer
from models.reference import ResolvedModel, resolve_adapter
from serving.engines.engine import Ask, EngineFailure, FailureKind
from serving.engines.shared import SharedEngine
from tests.serving.running import save_adapters

ANSWER_TOKENS = 24
QUESTIONS = ["Hi", "What is the capital of France, and what is it known for?", "Count to ten, one by one.", "Why?"]


@pytest.fixture(scope="module")
def adapters(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return save_adapters(tiny_model, tmp_path_factory.mktemp("adapters"), 2)


@pytest.fixture(scope="module")
def members(tiny_model: Path, adapters: list[Path]) -> dict[str, ResolvedModel]:
    tuned = {f"tuned{number}": resolve_adapter(folder) for number, folder in enumerate(adapters)}
    return {"base": ResolvedModel("base", tiny_model), **tuned}


def ask(question: str, **options: object) -> Ask:
    return Ask(messages=[{"role": "user", "content": question}], max_tokens=ANSWER_TOKENS, **options)  # type: ignore[arg-type]


def engine_for(members: dict[str, ResolvedModel], **options: object) -> SharedEngine:
    return SharedEngine(members, most_rows=8, context_length=256, precision="fp32", **options)  # type: ignore[arg-type]


async def answer(engine: SharedEngine, model: str, asked: Ask, delay: float = 0.0) -> str:
    await asyncio.sleep(delay)
    return "".join([part.text async for part in engine.stream(model, asked)])


def alone(members: dict[str, ResolvedModel], wanted: Sequence[tuple[str, str]]) -> list[str]:
    """Each answer by itself, through the evaluation's own decoding."""
    shared = SharedLoad(list(members.values()), quantisation="none", precision="fp32")
    answers = []
    for model, question in wanted:
        tokenizer = ChatTokenizer.load(members[model].folder)
        prompt = tokenizer.encode_prompt([{"role": "user", "content": question}])
        row = Row(prompt, frozenset(tokenizer.stop_ids))
        with answering_as(shared.loaded, shared.adapter_name(members[model])):
            decode(shared.loaded, [row], max_new_tokens=ANSWER_TOKENS, sampling=Sampling())
        answers.append(tokenizer.decode(row.answer))
    return answers


def test_rows_that_join_and_leave_get_the_answers_they_would_get_alone(members: dict[str, ResolvedModel]) -> None:
    wanted = [(model, question) for question in QUESTIONS for model in members]

    async def together() -> list[str]:
        engine = engine_for(members)
        await engine.open()
        try:
            delays = [0.02 * place for place in range(len(wanted))]
            return await asyncio.gather(
                *(answer(engine, model, ask(text), delay) for (model, text), delay in zip(wanted, delays, strict=True))
            )
        finally:
            await engine.close()

    given = asyncio.run(together())
    expected = alone(members, wanted)
    assert given == expected
    assert len(set(expected)) > len(QUESTIONS), "the adapters don't answer otherwise than the base: nothing is shown"


def test_adapters_that_can_t_be_mixed_take_turns_and_answer_the_same(
    tiny_model: Path, tmp_path: Path, members: dict[str, ResolvedModel]
) -> None:
    dora = [resolve_adapter(folder) for folder in save_adapters(tiny_model, tmp_path, 2, use_dora=True)]
    both = {"base": members["base"], "dora0": dora[0], "dora1": dora[1]}
    wanted = [(model, question) for question in QUESTIONS[:2] for model in both]

    async def together() -> list[str]:
        engine = engine_for(both)
        await engine.open()
        try:
            return await asyncio.gather(*(answer(engine, model, ask(text)) for model, text in wanted))
        finally:
            await engine.close()

    assert asyncio.run(together()) == alone(both, wanted)


def test_the_same_seed_draws_the_same_answer_whoever_else_is_asked(members: dict[str, ResolvedModel]) -> None:
    async def drawn(others: int) -> str:
        engine = engine_for(members)
        await engine.open()
        try:
            wanted = answer(engine, "tuned0", ask("Tell me a story", temperature=1.0, seed=7))
            beside = [answer(engine, "base", ask(QUESTIONS[place], temperature=1.0)) for place in range(others)]
            return (await asyncio.gather(wanted, *beside))[0]
        finally:
            await engine.close()

    assert asyncio.run(drawn(0)) == asyncio.run(drawn(3))


def test_an_answer_that_nobody_waits_for_ends_and_makes_room(members: dict[str, ResolvedModel]) -> None:
    async def leave_early() -> int:
        engine = SharedEngine(members, most_rows=1, context_length=512, precision="fp32")
        await engine.open()
        try:
            long = engine.stream("base", Ask(messages=[{"role": "user", "content": "Hi"}], max_tokens=400))
            await anext(long)
            await long.aclose()
            parts = [part async for part in engine.stream("base", ask("Next"))]
            return parts[-1].end.answer_tokens if parts[-1].end else 0
        finally:
            await engine.close()

    assert 0 < asyncio.run(leave_early()) <= ANSWER_TOKENS


def test_stop_texts_end_an_answer_before_them(members: dict[str, ResolvedModel]) -> None:
    async def stopped(stop: tuple[str, ...]) -> tuple[str, str]:
        engine = engine_for(members)
        await engine.open()
        try:
            parts = [part async for part in engine.stream("base", ask("Hi", stop=stop))]
            assert parts[-1].end is not None
            return "".join(part.text for part in parts), parts[-1].end.reason
        finally:
            await engine.close()

    whole, _ = asyncio.run(stopped(()))
    mark = whole[len(whole) // 2 :][:3]
    assert asyncio.run(stopped((mark,))) == (whole[: whole.index(mark)], "stop")


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (Ask(messages=[{"role": "user", "content": "word " * 600}]), FailureKind.TOO_LONG),
        (Ask(messages=[{"role": "user", "content": "Hi"}], schema={"type": "object"}), FailureKind.REFUSED),
    ],
    ids=["longer than the context", "held to a schema"],
)
def test_what_can_t_be_answered_is_refused_with_the_reason(
    members: dict[str, ResolvedModel], asked: Ask, kind: FailureKind
) -> None:
    async def refused() -> FailureKind:
        engine = engine_for({"base": members["base"]})
        await engine.open()
        try:
            with pytest.raises(EngineFailure) as caught:
                _ = [part async for part in engine.stream("base", asked)]
            return caught.value.kind
        finally:
            await engine.close()

    assert asyncio.run(refused()) is kind


def test_another_adapter_takes_a_name_over_while_the_server_runs(members: dict[str, ResolvedModel]) -> None:
    async def changed() -> list[str]:
        engine = engine_for({"model": members["base"]})
        await engine.open()
        try:
            before = await answer(engine, "model", ask(QUESTIONS[1]))
            await engine.change("model", members["tuned1"])
            return [before, await answer(engine, "model", ask(QUESTIONS[1]))]
        finally:
            await engine.close()

    assert asyncio.run(changed()) == alone(members, [("base", QUESTIONS[1]), ("tuned1", QUESTIONS[1])])
