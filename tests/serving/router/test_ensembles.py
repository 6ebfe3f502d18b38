"""Ensembles: how votes are read, weighed and counted, members that fail, ties, quorum."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import BadInput
from serving.engines.engine import End, FailureKind, Part
from serving.router.ballots import Ballot, count_votes, read_ballot
from serving.router.ensemble_spec import EnsembleSpec
from serving.router.guarded import WholeAnswer
from serving.router.router import NoAnswer, Router
from serving.router.spec import RouterSpec
from tests.serving.router.fake_models import ASK, QUESTION, FakeModel, FakeServer, ask, run


def experts(**values: Any) -> dict[str, Any]:
    return {"name": "experts", "members": {"a": 1, "b": 1, "c": 1}, **values}


def router(server: FakeServer, **values: Any) -> Router:
    spec = {"default": "experts", "ensembles": [experts(**values)], "breaker": {"failures": 2}}
    return Router(RouterSpec.parse(spec), list(server.models), server.stream, clock=server.clock)


def served(*texts: str | FakeModel) -> FakeServer:
    models = [text if isinstance(text, FakeModel) else FakeModel(text) for text in texts]
    return FakeServer(dict(zip("abc", models, strict=True)))


def answer_of(text: str, confidence: float | None = None, calls: tuple[dict[str, Any], ...] = ()) -> WholeAnswer:
    return WholeAnswer(text, Part(end=End("stop", 1, 1, confidence)), calls)


def vote_of(text: str, **values: Any) -> Ballot:
    return read_ballot(EnsembleSpec.parse(experts(**values)), "a", answer_of(text))


def test_the_majority_wins_whatever_case_blanks_and_stops_it_is_written_with() -> None:
    async def work() -> None:
        text, answer = await ask(router(served("Turn left.", "turn  LEFT", "Turn right.")))
        assert text == "Turn left."
        assert answer.decision.model == "a" and answer.decision.target == "experts"
        assert [vote.won for vote in answer.decision.votes] == [True, True, False]
        assert answer.decision.sentence == "there are no rules; 2 of 3 votes (weight 2 of 3)"

    run(work)


def test_weights_of_members_and_of_scenarios_decide() -> None:
    async def work() -> None:
        heavy = {"members": {"a": 1, "b": 1, "c": 3}, "scenarios": {"defence": {"c": 0.5}, "attack": {"a": 0, "b": 0}}}
        server = served("left", "left", "right")
        routed = router(server, **heavy)
        assert (await ask(routed))[0] == "right"
        assert (await ask(routed, tag="defence"))[0] == "left"
        assert (await ask(routed, tag="attack"))[0] == "right"
        assert [model.asked for model in server.models.values()] == [2, 2, 3]

    run(work)


def test_the_engines_confidence_weighs_and_who_tells_none_counts_as_the_others_on_average() -> None:
    async def work() -> None:
        server = served(
            FakeModel("left", confidence=0.9), FakeModel("right", confidence=0.3), FakeModel("right", confidence=None)
        )
        text, answer = await ask(router(server, confidence="tokens"))
        assert [vote.counted for vote in answer.decision.votes] == pytest.approx([0.9, 0.3, 0.6])
        # 0.9 against 0.3 + 0.6: even, and two votes beat one.
        assert text == "right"
        assert answer.decision.model == "c"

    run(work)


def test_json_answers_vote_by_a_field_and_are_weighed_by_another() -> None:
    async def work() -> None:
        texts = [
            json.dumps({"plan": {"action": "Climb"}, "sure": 0.2}),
            json.dumps({"plan": {"action": "climb "}, "sure": 0.2}),
            "```json\n" + json.dumps({"plan": {"action": "dive"}, "sure": 0.9}) + "\n```",
        ]
        values = {"vote_by": "json", "field": "plan.action"}
        by_count, _ = await ask(router(served(*texts), **values))
        by_confidence, answer = await ask(
            router(served(*texts), **values, confidence="answer", confidence_field="sure")
        )
        assert json.loads(by_count)["plan"]["action"] == "Climb"
        assert "dive" in by_confidence
        assert [vote.vote for vote in answer.decision.votes] == ["climb", "climb", "dive"]

    run(work)


def test_a_member_whose_json_is_malformed_or_without_the_field_is_left_out_and_named() -> None:
    async def work() -> None:
        server = served('{"action": "dive"', '{"other": 1}', '{"action": "climb"}')
        text, answer = await ask(router(server, vote_by="json", field="action"))
        assert text == '{"action": "climb"}'
        assert answer.decision.sentence == (
            "there are no rules; 1 of 1 votes (weight 1 of 1); a gave no JSON, b gave no action"
        )

    run(work)


@pytest.mark.parametrize(
    ("text", "vote"),
    [
        ('{"x": 2.0}', "2"),
        ('{"x": "2"}', "2"),
        ('{"x": true}', "true"),
        ('{"x": {"b": 1, "a": 2}}', '{"a": 2, "b": 1}'),
        ('{"x": null}', None),
        ('{"x": NaN}', "NaN"),
        ('[{"x": 1}]', None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_a_field_of_any_kind_is_a_vote_or_none(text: str, vote: str | None) -> None:
    found = vote_of(text, vote_by="json", field="x")
    assert found.vote == vote
    assert (found.vote is None) == bool(found.problem)


@pytest.mark.parametrize(
    ("pattern", "vote"),
    [(r"Move: (\w+)", "up"), (r"(M)ove: (?P<vote>\w+)", "up"), (r"Move: \w+", "move: up"), (r"Go (\w+)", None)],
)
def test_a_pattern_votes_by_its_named_group_its_first_group_or_all_it_finds(pattern: str, vote: str | None) -> None:
    assert vote_of("I think.\nMove: UP, surely", vote_by="pattern", pattern=pattern).vote == vote


def test_a_pattern_that_explodes_on_an_answer_costs_that_member_its_vote() -> None:
    found = vote_of("a" * 10_000 + "!", vote_by="pattern", pattern=r"^(a|aa|a?a)+$")
    assert found.vote is None and "too long" in found.problem


def test_calls_of_tools_are_part_of_a_vote_and_their_ids_are_not() -> None:
    spec = EnsembleSpec.parse(experts())

    def calling(identity: str, name: str) -> WholeAnswer:
        return answer_of("", calls=({"id": identity, "function": {"name": name, "arguments": "{}"}},))

    first, same, other = (read_ballot(spec, "a", calling(*each)).vote for each in ("1f", "2f", "3g"))
    assert first == same != other and first is not None


@pytest.mark.parametrize("given_confidence", ["0.9", True, -0.1, 1.1, 85, None, [0.5]])
def test_a_confidence_that_is_no_probability_counts_as_none(given_confidence: Any) -> None:
    text = json.dumps({"x": 1, "confidence": given_confidence})
    assert vote_of(text, vote_by="json", field="x", confidence="answer").confidence is None


def test_members_that_fail_or_are_late_are_left_out_and_named() -> None:
    async def work() -> None:
        server = served(FakeModel(fails=FailureKind.UNAVAILABLE), FakeModel("slow", waits=5), FakeModel("here"))
        text, answer = await ask(router(server, timeout_seconds=0.5))
        assert text == "here"
        assert answer.decision.sentence == (
            "there are no rules; 1 of 1 votes (weight 1 of 1); a failed (unavailable), b timed out"
        )
        assert [model.closed for model in server.models.values()] == [1, 1, 1]

    run(work)


def test_a_members_circuit_opens_and_it_is_not_asked_any_more() -> None:
    async def work() -> None:
        server = served(FakeModel(fails=FailureKind.UNAVAILABLE), "yes", "yes")
        routed = router(server)
        for _ in range(3):
            _, answer = await ask(routed)
        assert server.models["a"].asked == 2
        assert answer.decision.votes[0].problem == "has an open circuit"

    run(work)


def test_members_are_asked_at_the_same_time() -> None:
    async def work() -> None:
        gate = asyncio.Event()
        server = served(*(FakeModel("yes", gate=gate) for _ in range(3)))
        waiting = asyncio.create_task(ask(router(server)))
        while sum(model.asked for model in server.models.values()) < 3:
            await asyncio.sleep(0)
        gate.set()
        assert (await waiting)[0] == "yes"

    run(work)


def test_a_client_that_leaves_ends_every_members_work() -> None:
    async def work() -> None:
        server = served(*(FakeModel("yes", gate=asyncio.Event()) for _ in range(3)))
        waiting = asyncio.create_task(ask(router(server)))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert [model.closed for model in server.models.values()] == [1, 1, 1]

    run(work)


def test_without_its_quorum_the_ensemble_fails_and_the_fallback_answers() -> None:
    async def work() -> None:
        server = FakeServer(
            {"a": FakeModel(fails=FailureKind.BUSY), "b": FakeModel("no JSON"), "c": FakeModel('{"x": 1}')}
        )
        ensemble = experts(vote_by="json", field="x", quorum=2)
        spec = {"default": "experts", "ensembles": [ensemble], "fallback": ["b"]}
        routed = Router(RouterSpec.parse(spec), list("abc"), server.stream)
        text, answer = await ask(routed)
        assert text == "no JSON" and answer.decision.model == "b"
        assert "experts failed, so b answers" in answer.decision.sentence

    run(work)


def test_where_all_members_fail_alike_the_client_is_told_that() -> None:
    async def work() -> None:
        server = served(*(FakeModel(fails=FailureKind.TOO_LONG) for _ in range(3)))
        with pytest.raises(NoAnswer) as failure:
            await router(server).open(QUESTION, ASK)
        assert failure.value.kind is FailureKind.TOO_LONG
        assert "a failed (too long)" in str(failure.value)

    run(work)


def test_an_even_vote_is_decided_by_number_then_weight_then_place() -> None:
    def winner(weights: dict[str, float], **votes: str) -> str:
        ballots = [Ballot(model, answer_of(vote), vote) for model, vote in votes.items()]
        found = count_votes(weights, ballots).winner
        assert found is not None
        return found.model

    assert winner({"a": 2, "b": 1, "c": 1}, a="x", b="y", c="y") == "b"
    assert winner({"a": 1, "b": 3, "c": 2, "d": 2}, a="x", b="x", c="y", d="y") == "b"
    assert winner({"a": 1, "b": 1}, a="x", b="y") == "a"
    assert winner({"a": 0.1, "b": 0.2, "c": 0.3}, a="x", b="x", c="y") == "b"


VOTES = st.lists(
    st.tuples(st.sampled_from("xyz"), st.floats(0.01, 10), st.one_of(st.none(), st.floats(0, 1))),
    min_size=1,
    max_size=7,
)


@given(VOTES)
def test_the_winner_has_the_most_weight_and_its_answer_is_of_its_heaviest_member(
    drawn: list[tuple[str, float, float | None]],
) -> None:
    ballots = [Ballot(str(n), answer_of(vote), vote, sure) for n, (vote, _, sure) in enumerate(drawn)]
    weights = {str(n): weight for n, (_, weight, _) in enumerate(drawn)}
    count = count_votes(weights, ballots)
    assert count.winner is not None and count == count_votes(weights, ballots)
    totals = {key: sum(vote.counted for vote in count.votes if vote.vote == key) for key in "xyz"}
    assert totals[str(count.winner.vote)] == pytest.approx(max(totals.values()), abs=1e-8)
    heaviest = max(vote.counted for vote in count.votes if vote.won)
    assert next(vote.counted for vote in count.votes if vote.model == count.winner.model) == heaviest


def test_what_members_voted_for_stays_out_of_the_log() -> None:
    async def work() -> None:
        _, answer = await ask(router(served("a secret", "a secret", "another")))
        assert "secret" not in json.dumps(answer.decision.as_json())
        assert "secret" in json.dumps(answer.decision.as_json(with_votes=True))

    run(work)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"members": {"a": 1}}, "at least 2"),
        ({"vote_by": "json"}, "give both or neither"),
        ({"field": "x"}, "give both or neither"),
        ({"vote_by": "pattern", "pattern": "("}, "no regular expression"),
        ({"scenarios": {"x": {"d": 1}}}, "weighs d, which is no member"),
        ({"scenarios": {"x": {"a": 0, "b": 0}}, "quorum": 2}, "quorum 2 can't be met: 1 members"),
        ({"quorum": 4}, "quorum 4 can't be met"),
    ],
)
def test_an_ensemble_that_can_not_work_is_refused_with_the_reason(values: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        EnsembleSpec.parse(experts(**values))


def test_an_ensemble_inside_another_or_as_fallback_is_refused() -> None:
    other = {"name": "others", "members": {"experts": 1, "a": 1}}
    with pytest.raises(BadInput, match="can't be a member"):
        RouterSpec.parse({"default": "experts", "ensembles": [experts(), other]})
    with pytest.raises(BadInput, match="name single models"):
        RouterSpec.parse({"default": "a", "ensembles": [experts()], "fallback": ["experts"]})
