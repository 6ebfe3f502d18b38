"""What is measured of one model: several answers to a question, refused ones, tool calls, plain texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation import job
from evaluation.item_log import FILE
from evaluation.store import load_scores
from evaluation.tasks import items_from_conversations
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.workspace import Workspace
from tests.evaluation.conftest import publish_rows
from tests.models.endpoints.fake_chat_server import Asked, FakeChatServer, Reply

MakeContext = Callable[..., JobContext]


def test_of_several_answers_the_commonest_counts_and_its_share_is_a_score(context_of: MakeContext, balls: str) -> None:
    turns: dict[str, list[str]] = {}

    def behave(asked: Asked) -> Reply:
        answers = turns.setdefault(asked.prompt, ["blue", "red", "red"])
        return Reply(answers.pop() if asked.body["max_tokens"] > 1 and answers else "blue")

    with FakeChatServer(behave) as server:
        sampled = {"samples": 3, "temperature": 0.8, "metrics": ["self_consistency", "f1"], "concurrency": 1}
        context = context_of("evaluate", models=[f"{server.address}/v1#me"], data=balls, **sampled)
        (model,) = job.run(context)["models"]
    rows = load_scores(context.path / "scores.parquet")
    assert {row.answer for row in rows} == {"red"}
    assert all(row.scores["self_consistency"] == pytest.approx(2 / 3) for row in rows)
    assert sum(row.scores["exact_match"] for row in rows) == 2
    assert model["answer_tokens"] == 12 * 3 * 7 and model["tokens_per_answer"] == 7
    seeds = {asked.body["seed"] for asked in server.asked if asked.body["max_tokens"] > 1}
    assert len(seeds) == 36, "every draw has a seed of its own"


def test_a_refused_question_has_neither_answer_nor_score_and_the_others_are_compared(
    context_of: MakeContext, balls: str
) -> None:
    def behave(asked: Asked) -> Reply:
        return Reply(status=400) if "ball 5?" in asked.prompt else Reply("red")

    with FakeChatServer(behave) as server:
        models = [f"{server.address}/v1#one", f"{server.address}/v1#two"]
        context = context_of("evaluate", models=models, data=balls)
        figures = job.run(context)
    refused = [row for row in load_scores(context.path / "scores.parquet") if "ball 5?" in row.prompt]
    assert [(row.answer, row.scores) for row in refused] == [(None, {})] * 2
    assert figures["measures"][0]["items"] == 11


def test_answers_whose_scoring_fails_are_kept(
    context_of: MakeContext, balls: str, lively_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "broken_task.py"
    text = """
from evaluation.tasks import items_from_conversations
NAME, DESCRIPTION, METRIC = "broken", "A toy.", "right"
def items(rows, all_rows):
    return items_from_conversations(rows)
def score(answer, item):
    return {"right": "yes"}
"""
    path.write_text(text, encoding="utf-8")
    context = context_of("evaluate", models=[str(lively_model)], data=balls, task=str(path), max_new_tokens=2)
    with pytest.raises(BadInput, match="has to be a number"):
        job.run(context)
    before = (context.path / FILE).read_text(encoding="utf-8")
    assert before.count('"what": "answer"') == 12
    path.write_text(text.replace('"yes"', "1"), encoding="utf-8")
    job.run(JobContext(context.directory, attempt=2, started=0.0))
    assert (context.path / FILE).read_text(encoding="utf-8") == before, "nothing had to be asked again"
    assert all(row.scores == {"right": 1} for row in load_scores(context.path / "scores.parquet"))


def test_an_item_that_lacks_what_a_metric_reads_is_said_before_a_model_is_looked_for(
    context_of: MakeContext, balls: str
) -> None:
    with pytest.raises(BadInput, match="has no 'schema'"):
        job.run(context_of("evaluate", models=["nowhere/to-be-found"], data=balls, metrics=["json_valid"]))


def test_expected_tool_calls_reach_the_metrics() -> None:
    calls = [{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]
    row = {
        "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "", "tool_calls": calls}],
        "extra": {"level": 2},
    }
    assert items_from_conversations([row])[0].extra == {"level": 2, "tool_calls": calls}


def test_plain_texts_have_a_perplexity_also_beyond_the_context(
    context_of: MakeContext, workspace: Workspace, lively_model: Path
) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "A short text about balls. " * times, "group": str(times)} for times in (1, 30)
    ]
    data = publish_rows(workspace, rows, name="texts")
    limits = {"context_length": 64, "stride": 16, "metrics": ["loss"], "precision": "fp32"}
    context = context_of("evaluate", models=[str(lively_model)], data=data, task="perplexity", **limits)
    figures = job.run(context)
    short, long = load_scores(context.path / "scores.parquet")
    assert (short.scored_tokens or 0) < 10 and (long.scored_tokens or 0) > 150
    assert long.scores["loss"] == long.scores["nll"] > 0
    assert [measure["higher_is_better"] for measure in figures["measures"]] == [False, False]
