"""The judge job against fake judges on a real port: good ones pass, bad ones are found out and refused."""

from __future__ import annotations

import importlib
import json
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation.judge import job
from evaluation.judge.asking import LoadedAsker, open_asker
from evaluation.judge.replies import Manner, Replies, Request
from jobs.context import JobContext
from jobs.errors import BadInput, Missing, Stopped
from jobs.kinds import KINDS
from jobs.workspace import Workspace
from tests.evaluation.judge.fake_judges import (
    Behave,
    biased,
    coin,
    contrary,
    evaluated,
    good,
    judge_at,
    leaning,
    nonsense,
    scoring,
    vote_on,
)
from tests.models.endpoints.fake_chat_server import FakeChatServer, Reply

MakeContext = Callable[..., JobContext]


@pytest.fixture
def server() -> Iterator[FakeChatServer]:
    with FakeChatServer(good) as running:
        yield running


@pytest.fixture
def answers(workspace: Workspace) -> str:
    """An evaluation in which the tuned model is mostly better than the base."""
    vote_on(workspace)
    return evaluated(workspace, {"base": lambda number: number % 5, "tuned": lambda number: 8 if number % 4 else 0})


def result_of(context: JobContext) -> dict[str, Any]:
    return dict(json.loads((context.path / "judge.json").read_text(encoding="utf-8")))


def test_a_good_judge_passes_and_its_win_rate_is_told_with_an_interval(
    context_of: MakeContext, server: FakeChatServer, answers: str
) -> None:
    context = context_of("judge", judge=judge_at(server), evaluation=answers)
    figures = job.run(context)
    assert figures["trusted"] and figures["checked"] and figures["refusals"] == []
    assert figures["trust"]["agreement"]["kappa"] == pytest.approx(1.0)
    (rate,) = figures["comparisons"]
    assert (rate["wins"], rate["losses"], rate["ties"], rate["flips"], rate["unusable"]) == (24, 6, 2, 0, 0)
    assert rate["win_rate"] == pytest.approx((24 + 1) / 32)
    assert 0.5 < rate["low"] < rate["win_rate"] < rate["high"] <= 1 and rate["p_value"] < 0.01
    assert "tuned is preferred" in figures["sentences"][0] and "interval" in figures["sentences"][0]
    assert result_of(context)["comparisons"] == figures["comparisons"]
    lines = [json.loads(line) for line in (context.path / "judgements.jsonl").read_text().splitlines()]
    assert len(lines) == 32 and lines[0]["orders"] == ["tie", "tie"] and lines[1]["orders"] == ["second", "first"]
    assert {path.name for path in context.artifacts} == {"replies.jsonl", "judgements.jsonl", "judge.json"}


def test_every_pair_is_asked_in_both_orders(context_of: MakeContext, server: FakeChatServer, answers: str) -> None:
    job.run(context_of("judge", judge=judge_at(server), evaluation=answers, max_items=10))
    about = [asked.prompt for asked in server.asked if "says tuned" in asked.prompt]
    assert len(about) == 20
    first = [prompt.index("says tuned") < prompt.index("says base") for prompt in about]
    assert sum(first) == 10
    assert all(count == 1 for count in server.prompts().values())
    assert server.asked[0].body["response_format"]["json_schema"]["schema"]["required"] == ["reason", "better"]


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (biased, ["100% of its clear preferences turned", "max_flip_rate", "40%", "stands first", "max_position_bias"]),
        (nonsense, ["100% of pairs got a reply that says nothing usable", "max_unusable", "10%", "kappa 0.00"]),
        (coin, ["max_flip_rate", "min_agreement", "at least 0.40"]),
        (contrary, ["kappa -0.", "min_agreement", "at least 0.40"]),
        (leaning, ["stands second", "max_position_bias"]),
    ],
    ids=["biased to the first", "nonsense", "coin", "contrary", "leaning to the second"],
)
def test_a_judge_that_is_no_good_is_found_out_by_the_votes_and_refused(
    context_of: MakeContext, server: FakeChatServer, answers: str, behave: Behave, words: list[str]
) -> None:
    server.behave = behave
    context = context_of("judge", judge=judge_at(server), evaluation=answers)
    with pytest.raises(BadInput) as caught:
        job.run(context)
    for word in words:
        assert word in caught.value.what, caught.value.what
    assert not any("says tuned" in asked.prompt for asked in server.asked), "nothing more was spent on it"
    result = result_of(context)
    assert result["comparisons"] == [] and result["refusals"] and not result["trusted"]
    assert not (context.path / "judgements.jsonl").exists()


@pytest.mark.parametrize("behave", [biased, nonsense, coin])
def test_the_same_judges_are_refused_where_nobody_voted(
    context_of: MakeContext, server: FakeChatServer, workspace: Workspace, behave: Behave
) -> None:
    server.behave = behave
    answers = evaluated(workspace, {"base": lambda number: number % 5, "tuned": lambda number: number % 7})
    context = context_of("judge", judge=judge_at(server, without_votes=True), evaluation=answers)
    with pytest.raises(BadInput, match=r"labels of the judge .* are refused"):
        job.run(context)
    assert result_of(context)["comparisons"] == []


def test_without_votes_a_judge_is_only_used_when_told_so_and_marked_unchecked(
    context_of: MakeContext, server: FakeChatServer, workspace: Workspace
) -> None:
    answers = evaluated(workspace, {"base": lambda _: 1, "tuned": lambda _: 2})
    with pytest.raises(BadInput, match=r"0 of your votes; 20 are needed.*without_votes"):
        job.run(context_of("judge", judge=judge_at(server), evaluation=answers))
    assert server.asked == []
    figures = job.run(context_of("judge", judge=judge_at(server, without_votes=True), evaluation=answers))
    assert figures["trusted"] and not figures["checked"]
    assert all("not checked against people" in sentence for sentence in (figures["sentences"][0], figures["message"]))


def test_few_votes_are_not_enough_and_the_threshold_is_the_user_s(
    context_of: MakeContext, server: FakeChatServer, workspace: Workspace
) -> None:
    vote_on(workspace, 12)
    figures = job.run(context_of("judge", judge=judge_at(server)))
    assert not figures["trusted"] and "12 of your votes; 20 are needed" in figures["refusals"][0]
    figures = job.run(context_of("judge", judge=judge_at(server, min_votes=10)))
    assert figures["trusted"] and figures["checked"]


def test_checking_a_judge_alone_reports_instead_of_failing(
    context_of: MakeContext, server: FakeChatServer, workspace: Workspace
) -> None:
    with pytest.raises(Missing, match="nothing to judge"):
        job.run(context_of("judge", judge=judge_at(server)))
    vote_on(workspace)
    server.behave = contrary
    figures = job.run(context_of("judge", judge=judge_at(server)))
    assert not figures["trusted"] and "kappa" in figures["refusals"][0]
    assert figures["thresholds"]["min_agreement"] == 0.4
    figures = job.run(context_of("judge", judge=judge_at(server, min_agreement=-1)))
    assert figures["trusted"], "the threshold is the user's to set"


def test_a_rubric_scores_each_criterion_of_each_model(
    context_of: MakeContext, server: FakeChatServer, answers: str
) -> None:
    server.behave = scoring
    judge = judge_at(server, mode="rubric", criteria={"tone": "is friendly", "accuracy": "is right"})
    figures = job.run(context_of("judge", judge=judge, evaluation=answers))
    means = {(line["model"], line["criterion"]): line for line in figures["scores"]}
    assert set(means) == {(model, name) for model in ("base", "tuned") for name in ("tone", "accuracy", "overall")}
    assert means["tuned", "tone"]["mean"] == pytest.approx((24 * 4 + 8 * 1) / 32)
    assert means["tuned", "tone"]["low"] < means["tuned", "tone"]["mean"] < means["tuned", "tone"]["high"]
    assert figures["trust"]["consistency"]["flip_rate"] is None
    assert figures["comparisons"][0]["wins"] == 24


def test_a_stopped_job_asks_nothing_twice_and_ends_with_the_same_result(
    context_of: MakeContext, server: FakeChatServer, answers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = job.run(context_of("judge", judge=judge_at(server), evaluation=answers))
    asked_by_one = len(server.asked)
    server.asked.clear()
    context = context_of("judge", judge=judge_at(server), evaluation=answers)
    monkeypatch.setattr(context, "should_stop", lambda: len(server.asked) >= 60)
    with pytest.raises(Stopped):
        job.run(context)
    assert not (context.path / "judge.json").exists()
    replies = context.path / "replies.jsonl"
    with replies.open("ab") as file:
        file.write(b'{"key": "cut sh')  # as a kill leaves it
    kept = [json.loads(line)["key"] for line in replies.read_text().splitlines()[:-1]]
    assert 40 <= len(kept) < asked_by_one
    server.asked.clear()
    again = job.run(JobContext(context.directory, attempt=2, started=0.0))
    lines = [json.loads(line)["key"] for line in replies.read_text().splitlines() if line.endswith("}")]
    assert len(lines) == len(set(lines)) == asked_by_one and lines[: len(kept)] == kept
    # Requests under way when the job was stopped may reach the server late.
    assert len(server.asked) <= asked_by_one - len(kept) + 12
    assert again["comparisons"] == whole["comparisons"] and again["trust"] == whole["trust"]


def test_an_endpoint_that_gives_out_ends_the_job_with_what_to_do_and_keeps_what_came(
    context_of: MakeContext, server: FakeChatServer, answers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluation.judge.asking.TRIES", 1)
    server.behave = lambda asked: good(asked) if len(server.asked) < 20 else Reply(status=503)
    context = context_of("judge", judge=judge_at(server), evaluation=answers)
    with pytest.raises(Missing, match="doesn't answer") as caught:
        job.run(context)
    assert "Resume" in caught.value.fix
    assert 15 <= len((context.path / "replies.jsonl").read_text().splitlines()) < 20


def test_an_endpoint_that_refuses_every_request_is_not_mistaken_for_a_judge_without_opinion(
    context_of: MakeContext, server: FakeChatServer, answers: str
) -> None:
    server.behave = lambda _: Reply(status=400)
    with pytest.raises(BadInput, match="refused 5 requests in a row") as caught:
        job.run(context_of("judge", judge=judge_at(server), evaluation=answers))
    assert "structured" in caught.value.fix


def test_a_request_that_fails_by_itself_counts_as_unusable(
    context_of: MakeContext, server: FakeChatServer, answers: str
) -> None:
    server.behave = lambda asked: Reply(status=400) if "ball 7?" in asked.prompt else good(asked)
    figures = job.run(context_of("judge", judge=judge_at(server), evaluation=answers))
    assert figures["trust"]["consistency"]["unusable"] == 2, "one vote and one question"
    assert figures["comparisons"][0]["unusable"] == 1


def test_a_model_loaded_here_judges_in_batches_and_is_gone_afterwards(
    context_of: MakeContext, workspace: Workspace, lively_model: Path
) -> None:
    vote_on(workspace, 6)
    judge = {"model": str(lively_model), "max_tokens": 4, "precision": "fp32", "batch_size": 4, "min_votes": 2}
    figures = job.run(context_of("judge", judge=judge))
    assert figures["trust"]["consistency"]["pairs"] == 6
    assert figures["trust"]["consistency"]["unusable_share"] == 1.0, "random weights say nothing usable"
    assert not figures["trusted"]


def test_the_model_is_gone_from_memory_when_its_block_ends(workspace: Workspace, lively_model: Path) -> None:
    manner = Manner(str(lively_model), max_tokens=2, precision="fp32")
    with open_asker(manner, workspace) as asker:
        assert isinstance(asker, LoadedAsker) and asker.loaded is not None
        model = weakref.ref(asker.loaded.model)
        replies = Replies(workspace.root / "replies.jsonl")
        workspace.root.mkdir()
        asker.ask([Request("one", [{"role": "user", "content": "Hello?"}])], replies, lambda: None)
        assert "one" in replies and model() is not None
    assert model() is None, "whoever still holds the asker must not hold the weights"


def test_votes_cast_while_the_job_was_stopped_change_nothing(
    context_of: MakeContext, server: FakeChatServer, workspace: Workspace
) -> None:
    vote_on(workspace)
    context = context_of("judge", judge=judge_at(server))
    context.directory.request_stop()
    with pytest.raises(Stopped):
        job.run(context)
    vote_on(workspace)
    context.directory.clear_stop()
    figures = job.run(JobContext(context.directory, attempt=2, started=0.0))
    assert figures["trust"]["agreement"]["items"] == 24


def test_the_worker_finds_the_job() -> None:
    module, _, name = KINDS["judge"].target.partition(":")
    assert getattr(importlib.import_module(module), name) is job.run


def test_what_cannot_be_judged_is_said_before_the_judge_is_asked(
    context_of: MakeContext, server: FakeChatServer, workspace: Workspace
) -> None:
    alone = evaluated(workspace, {"base": lambda _: 1})
    with pytest.raises(BadInput, match="Only base answered"):
        job.run(context_of("judge", judge=judge_at(server), evaluation=alone))
    both = evaluated(workspace, {"base": lambda _: 1, "tuned": lambda _: 2})
    with pytest.raises(BadInput, match="no model 'other'") as caught:
        job.run(context_of("judge", judge=judge_at(server), evaluation=both, reference="other"))
    assert "base, tuned" in caught.value.why
    other = context_of("train")
    with pytest.raises(Missing, match="no answers to judge"):
        job.run(context_of("judge", judge=judge_at(server), evaluation=f"job:{other.directory.id}"))
    assert server.asked == []
