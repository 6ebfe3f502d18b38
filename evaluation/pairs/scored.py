"""Scoring candidates: by a task's own scorer, which knows the right answer, or by a judge that the votes bear out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from evaluation.judge.judging import Votes, open_judge, trust_from
from evaluation.judge.pairwise import Judged, Outcome, Pair, overall
from evaluation.judge.trust import Trust, in_words, require_trusted
from evaluation.pairs.candidates import Answered
from evaluation.pairs.choosing import Harvest, Source, harvest_prompt, mark_by_score
from evaluation.pairs.spec import PairsSpec
from evaluation.store import prompt_text
from evaluation.tasks import Task, checked_score
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.files import write_json

REPLIES, JUDGE = "replies.jsonl", "judge.json"


def harvest_by_task(context: JobContext, spec: PairsSpec, task: Task, answered: Sequence[Answered]) -> Harvest:
    """Pairs by the task's main score. Where that says right or wrong, every candidate is marked by it."""
    if task.score is None:
        raise BadInput(
            f"The task '{task.name}' scores no answers.", "It measures losses alone.", "Name one that asks questions."
        )
    sign = 1.0 if task.higher_is_better else -1.0
    source = _source(context, spec, {"by": "task", "task": str(spec.task), "metric": task.metric})
    raw = [
        [checked_score(task, candidate.text, each.item)[task.metric] for candidate in each.candidates]
        for each in answered
    ]
    right_or_wrong = task.higher_is_better and {score for scores in raw for score in scores} <= {0.0, 1.0}
    harvest = Harvest()
    for each, scores in zip(answered, raw, strict=True):
        harvest_prompt(harvest, spec, source, each, [sign * score for score in scores])
    if right_or_wrong:
        for each, scores in zip(answered, raw, strict=True):
            mark_by_score(harvest, source, each, scores)
    else:
        harvest.mark_pairs()
    return harvest


def harvest_by_judge(context: JobContext, spec: PairsSpec, answered: Sequence[Answered]) -> Harvest:
    """The judge is checked against the votes first: one that fails labels nothing."""
    assert spec.judge is not None
    votes = Votes(context, spec.judge)
    rounds = [_Round(each) for each in answered if len(each.candidates) > 1]
    with open_judge(spec.judge, context, context.path / REPLIES) as judge:
        of_votes = judge.judge(votes.pairs, "your votes")
        _require_trust(context, spec, trust_from(spec.judge, votes, of_votes))
        judged = judge.judge([pair for each in rounds for pair in each.pairs()], "candidates")
    context.artifact(context.path / REPLIES)
    trust = trust_from(spec.judge, votes, of_votes, judged)
    _require_trust(context, spec, trust)
    by = {"by": "judge", "judge": spec.judge.model, "mode": spec.judge.mode, "checked": trust.checked}
    source = _source(context, spec, by)
    harvest = Harvest()
    harvest.dropped["fewer than two different answers"] += len(answered) - len(rounds)
    remaining = iter(judged)
    for each in rounds:
        each.take([next(remaining) for _ in each.places])
        harvest_prompt(harvest, spec, source, each.answered, each.scores, each.outcome)
    harvest.mark_pairs()
    return harvest


def _require_trust(context: JobContext, spec: PairsSpec, trust: Trust) -> None:
    assert spec.judge is not None
    sentences = in_words(spec.judge, trust)
    write_json(context.path / JUDGE, {"judge": spec.judge.model, "trust": trust.as_json(), "sentences": sentences})
    context.artifact(context.path / JUDGE)
    require_trusted(spec.judge, trust)


class _Round:
    """One prompt's answers, each against each. In pairwise mode an answer's score is its wins less its losses."""

    def __init__(self, answered: Answered) -> None:
        self.answered = answered
        self.places = list(combinations(range(len(answered.candidates)), 2))
        self.scores = [0.0] * len(answered.candidates)
        self._outcomes: dict[tuple[int, int], Outcome] = {}

    def pairs(self) -> list[Pair]:
        item, texts = self.answered.item, [each.text for each in self.answered.candidates]
        question = prompt_text(item.messages)
        return [Pair(question, texts[a], texts[b], item.group, item.reference) for a, b in self.places]

    def take(self, judged: Sequence[Judged]) -> None:
        """Note the outcomes, and score every answer by them."""
        for (a, b), each in zip(self.places, judged, strict=True):
            self._outcomes[a, b] = each.outcome
            if len(each.scores) == 2:
                for place, scores in ((a, each.scores[0]), (b, each.scores[1])):
                    self.scores[place] = overall(scores) if scores else 0.0
            elif each.outcome in ("a", "b"):
                self.scores[a] += 1 if each.outcome == "a" else -1
                self.scores[b] += 1 if each.outcome == "b" else -1

    def outcome(self, better: int, worse: int) -> Outcome:
        """As if the better one had been A."""
        if better < worse:
            return self._outcomes[better, worse]
        turned: dict[Outcome, Outcome] = {"a": "b", "b": "a"}
        outcome = self._outcomes[worse, better]
        return turned.get(outcome, outcome)


def _source(context: JobContext, spec: PairsSpec, by: dict[str, Any]) -> Source:
    dataset = (context.directory.resolved or {})["data"]["value"]
    return Source(str(dataset), str(spec.model), by)
