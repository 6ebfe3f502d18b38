"""Two answers to one question, judged in both orders: a preference counts only where it survives the change of places.

Across 27 judges the median turned 45 % of its clear preferences when the answers changed places, so one order alone
says little about the answers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.judge.prompts import Choice, pair_prompt, read_choice, read_scores, rubric_prompt
from evaluation.judge.replies import Replies, Reply, Request
from evaluation.judge.spec import JudgeSpec
from models.endpoints.client import FailureKind, UnusableAnswer

Outcome = Literal["a", "b", "tie", "flip", "unusable"]


@dataclass(frozen=True)
class Pair:
    """A question as text with two answers. Pairs of one `group` are not independent."""

    question: str
    answer_a: str
    answer_b: str
    group: str
    reference: str = ""


@dataclass(frozen=True)
class Judged:
    """What the judge made of a pair. `orders`: its choice by place with A first, then with B first (None: unusable).

    `outcome`: a or b where both orders agree; tie where they agree on that or one says tie; flip where they contradict
    each other, which counts as a tie. In rubric mode `scores` holds those of A and B, and `orders` is empty.
    """

    outcome: Outcome
    orders: tuple[Choice | None, ...] = ()
    scores: tuple[dict[str, float] | None, ...] = ()
    problem: str = ""

    @property
    def label(self) -> str:
        """The label that is compared with people's: a, b, tie, or unusable."""
        return "tie" if self.outcome == "flip" else self.outcome


def requests_of(spec: JudgeSpec, pair: Pair) -> list[Request]:
    """What has to be asked about a pair: two requests, none for which of two equal answers is better."""
    if spec.mode == "rubric":
        return [score_request(spec, pair.question, answer, pair.reference) for answer in (pair.answer_a, pair.answer_b)]
    if pair.answer_a.strip() == pair.answer_b.strip():
        return []
    orders = ((pair.answer_a, pair.answer_b), (pair.answer_b, pair.answer_a))
    prompts = [pair_prompt(spec, pair.question, *order, pair.reference) for order in orders]
    return [_named(spec, prompt) for prompt in prompts]


def score_request(spec: JudgeSpec, question: str, answer: str, reference: str) -> Request:
    """What is asked about one answer in rubric mode."""
    return _named(spec, rubric_prompt(spec, question, answer, reference))


def judged(spec: JudgeSpec, pair: Pair, replies: Replies) -> Judged:
    """What the replies say about a pair."""
    requests = requests_of(spec, pair)
    if not requests:
        return Judged("tie")
    if spec.mode == "rubric":
        return _by_scores([read_score(spec, replies[request.key]) for request in requests])
    choices: list[Choice | None] = []
    problem = ""
    for request in requests:
        try:
            choices.append(_choice(replies[request.key]))
        except UnusableAnswer as unusable:
            choices.append(None)
            problem = str(unusable)
    return Judged(_outcome(choices[0], choices[1]), tuple(choices), problem=problem)


def read_score(spec: JudgeSpec, reply: Reply) -> dict[str, float] | str:
    """The scores of one answer, or what is wrong with the reply."""
    try:
        _require_reply(reply)
        return read_scores(reply.text, reply.finish_reason, spec)
    except UnusableAnswer as unusable:
        return str(unusable)


def overall(scores: dict[str, float]) -> float:
    """The mean of an answer's scores."""
    return sum(scores.values()) / len(scores)


def _outcome(a_first: Choice | None, b_first: Choice | None) -> Outcome:
    if a_first is None or b_first is None:
        return "unusable"
    if "tie" in (a_first, b_first):
        return "tie"
    if a_first == b_first:
        return "flip"
    return "a" if a_first == "first" else "b"


def _by_scores(read: Sequence[dict[str, float] | str]) -> Judged:
    scores = tuple(each if isinstance(each, dict) else None for each in read)
    problem = next((each for each in read if isinstance(each, str)), "")
    first, second = scores
    if first is None or second is None:
        return Judged("unusable", scores=scores, problem=problem)
    gap = overall(first) - overall(second)
    return Judged("tie" if abs(gap) < 1e-9 else "a" if gap > 0 else "b", scores=scores)


def _choice(reply: Reply) -> Choice:
    _require_reply(reply)
    return read_choice(reply.text, reply.finish_reason)


def _require_reply(reply: Reply) -> None:
    if reply.failure is not None:
        raise UnusableAnswer(FailureKind.REFUSED, reply.failure)


def _named(spec: JudgeSpec, messages: list[dict[str, str]]) -> Request:
    """The request under a name of its own content, so that the same question to the same judge is asked once."""
    identity = json.dumps([spec.model, spec.temperature, spec.max_tokens, spec.seed, messages], ensure_ascii=False)
    return Request(hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:20], messages, spec.seed)
