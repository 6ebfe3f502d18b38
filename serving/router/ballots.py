"""Votes read from answers and counted: what each member of an ensemble voted for, how much that weighs, who won."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.metrics.structured import NOTHING, json_in
from serving.engines.engine import FailureKind
from serving.router.decision import MemberVote
from serving.router.ensemble_spec import EnsembleSpec
from serving.router.guarded import WholeAnswer
from serving.router.patterns import PATTERN_SECONDS, PatternClock, TooSlow
from serving.router.question import plain

LONGEST_SEARCHED = 20_000
STOPS = " .!。!"


@dataclass(frozen=True)
class Ballot:
    """One member's answer, None where it gave none. `vote` is None where there is nothing to count; `problem`: why."""

    model: str
    answer: WholeAnswer | None = None
    vote: str | None = None
    confidence: float | None = None
    problem: str = ""
    failure: FailureKind | None = None


@dataclass(frozen=True)
class Count:
    """`winner`: the ballot whose answer is given, None where nobody voted. `votes`: every member's, in spec's order.

    `failures`: why engines gave no answer.
    """

    winner: Ballot | None
    votes: tuple[MemberVote, ...]
    failures: frozenset[FailureKind] = frozenset()


def read_ballot(spec: EnsembleSpec, model: str, answer: WholeAnswer) -> Ballot:
    """What the answer votes for, and how sure its member is."""
    value = json_in(answer.text) if "json" in spec.vote_by or spec.confidence == "answer" else NOTHING
    vote, problem = _vote(spec, answer, value)
    confidence: Any = None
    if spec.confidence == "tokens":
        confidence = answer.last.end.confidence if answer.last.end else None
    elif spec.confidence == "answer":
        confidence = value_at(value, spec.confidence_field)
    return Ballot(model, answer, vote, _probability(confidence), problem if vote is None else "")


def _vote(spec: EnsembleSpec, answer: WholeAnswer, value: Any) -> tuple[str | None, str]:
    """The vote, or None and why there is none."""
    if spec.vote_by == "text":
        return _text_vote(answer), "gave an empty answer"
    if spec.field is not None:
        if value is NOTHING:
            return None, "gave no JSON"
        found = value_at(value, spec.field)
        return (None, f"gave no {spec.field}") if found is NOTHING or found is None else (_as_vote(found), "")
    return _pattern_vote(spec.pattern or "", answer.text)


def _text_vote(answer: WholeAnswer) -> str | None:
    """All of the answer without the stops it ends in, and the calls it makes; None for nothing at all."""
    called = [call.get("function") for call in answer.tool_calls]
    calls = json.dumps(called, sort_keys=True, ensure_ascii=False) if called else ""
    return f"{plain(answer.text).rstrip(STOPS)}{calls}" or None


def _pattern_vote(pattern: str, text: str) -> tuple[str | None, str]:
    try:
        match = PatternClock(PATTERN_SECONDS).search(pattern, text[:LONGEST_SEARCHED])
    except TooSlow:
        return None, "gave an answer that the pattern took too long for"
    if match is None:
        return None, "gave nothing that the pattern finds"
    groups = match.groupdict()
    found = groups["vote"] if "vote" in groups else match.group(1 if match.re.groups else 0)
    return (plain(found or "") or None, "gave an empty vote")


def value_at(value: Any, path: str) -> Any:
    """The value at a dotted path of objects; NOTHING where there is none. A field may have a dot in its own name."""
    if not isinstance(value, dict):
        return NOTHING
    if path in value:
        return value[path]
    first, dot, rest = path.partition(".")
    return value_at(value.get(first, NOTHING), rest) if dot else NOTHING


def _as_vote(value: Any) -> str:
    """A JSON value as a vote: texts that differ in case and blanks are the same, as are 2 and 2.0, and "2"."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _probability(value: Any) -> float | None:
    """A number from 0 to 1; None for anything else, which says nothing about how sure a model is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None


def count_votes(weights: Mapping[str, float], ballots: Sequence[Ballot]) -> Count:
    """The vote with the most weight wins; each weighs its member's weight (`weights`) × confidence.

    Who tells no confidence counts as sure as the others are on average. Even votes are decided by how many voted for
    them, then by the heaviest member among these, then by who stands first: never by chance.
    """
    known = [ballot.confidence for ballot in ballots if ballot.vote is not None and ballot.confidence is not None]
    usual = math.fsum(known) / len(known) if known else 1.0
    counted = {
        ballot.model: weights[ballot.model] * (usual if ballot.confidence is None else ballot.confidence)
        for ballot in ballots
        if ballot.vote is not None
    }
    parties: dict[str, list[Ballot]] = {}
    for ballot in ballots:
        if ballot.vote is not None:
            parties.setdefault(ballot.vote, []).append(ballot)
    winner = _winner(parties, counted, weights)
    failures = frozenset(ballot.failure for ballot in ballots if ballot.failure is not None)
    return Count(winner, tuple(_member_vote(ballot, counted, winner) for ballot in ballots), failures)


def _winner(
    parties: Mapping[str, list[Ballot]], counted: Mapping[str, float], weights: Mapping[str, float]
) -> Ballot | None:
    def strength(party: list[Ballot]) -> tuple[float, int, float]:
        # Rounded, so that 0.1 + 0.2 and 0.3 are even whoever votes first.
        total = round(math.fsum(counted[ballot.model] for ballot in party), 9)
        return total, len(party), max(weights[ballot.model] for ballot in party)

    if not parties:
        return None
    # max keeps the first of equals, and parties stand in the order of their first member.
    strongest = max(parties.values(), key=strength)
    return max(strongest, key=lambda ballot: (counted[ballot.model], weights[ballot.model]))


def _member_vote(ballot: Ballot, counted: Mapping[str, float], winner: Ballot | None) -> MemberVote:
    end = ballot.answer.last.end if ballot.answer else None
    return MemberVote(
        ballot.model,
        ballot.vote,
        counted.get(ballot.model, 0.0),
        ballot.confidence,
        won=winner is not None and ballot.vote is not None and ballot.vote == winner.vote,
        problem=ballot.problem,
        prompt_tokens=end.prompt_tokens if end else 0,
        answer_tokens=end.answer_tokens if end else 0,
    )
