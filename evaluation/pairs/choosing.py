"""From scored answers to rows: the best and the worst of a prompt make a pair; ties and flips make none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation.judge.pairwise import Outcome
from evaluation.pairs.candidates import Answered, Candidate
from evaluation.pairs.spec import PairsSpec

Row = dict[str, Any]
# What the judge said of two candidates, by their places in the list: a is the first.
Direct = Callable[[int, int], Outcome]


@dataclass
class Harvest:
    """Pairs so far, and how often there was none: `dropped` by reason. `marked` holds answers marked one by one."""

    pairs: list[Row] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    _marks: dict[tuple[str, str], Row] = field(default_factory=dict)

    @property
    def marked(self) -> list[Row]:
        """Answers that are good or bad; one that was marked both ways is neither."""
        return [row for row in self._marks.values() if row["label"] is not None]

    def mark(self, row: Row, answer: str, good: bool) -> None:
        """Mark an answer to the prompt of `row`, whose other columns come along."""
        known = self._marks.get((json.dumps(row["prompt"]), answer))
        if known is None:
            beside = {name: value for name, value in row.items() if name not in ("chosen", "rejected")}
            self._marks[json.dumps(row["prompt"]), answer] = {**beside, "completion": said(answer), "label": good}
        elif known["label"] != good:
            known["label"] = None

    def mark_pairs(self) -> None:
        """Mark the chosen answers as good and the rejected ones as bad."""
        for row in self.pairs:
            self.mark(row, row["chosen"][-1]["content"], True)
            self.mark(row, row["rejected"][-1]["content"], False)


@dataclass(frozen=True)
class Source:
    """What pairs are made of and by: told in every row."""

    dataset: str
    model: str
    by: dict[str, Any]


def said(text: str) -> list[dict[str, str]]:
    """An answer as the messages of a row."""
    return [{"role": "assistant", "content": text}]


def harvest_prompt(
    harvest: Harvest,
    spec: PairsSpec,
    source: Source,
    answered: Answered,
    scores: Sequence[float],
    direct: Direct | None = None,
) -> None:
    """Add a prompt's pairs: best with worst, second best with second worst, and so on, up to pairs_per_prompt.

    `scores` of the candidates, more is better. `direct`, of a judge that compared each with each: where it didn't
    prefer the better one of the two in both orders, there is no pair.
    """
    count = len(answered.candidates)
    if count < 2:
        harvest.dropped["fewer than two different answers"] += 1
        return
    ranking = sorted(range(count), key=lambda place: (-scores[place], place))
    for rank in range(min(spec.pairs_per_prompt, count // 2)):
        better, worse = ranking[rank], ranking[-1 - rank]
        reason = _no_pair(spec, scores[better] - scores[worse], direct(better, worse) if direct else "a")
        if reason:
            harvest.dropped[reason] += 1
            continue
        best, worst = answered.candidates[better], answered.candidates[worse]
        harvest.pairs.append(_pair(source, answered, (best, scores[better]), (worst, scores[worse])))


def _no_pair(spec: PairsSpec, gap: float, outcome: Outcome) -> str:
    """Why two answers make no pair, "" when they do."""
    if outcome == "flip":
        return "flips"
    if outcome == "unusable":
        return "unusable"
    return "" if gap > spec.min_gap and outcome == "a" else "ties"


def mark_by_score(harvest: Harvest, source: Source, answered: Answered, scores: Sequence[float]) -> None:
    """Mark every answer of a task that knows right (1) and wrong (0): prompts without a pair teach KTO too."""
    for candidate, score in zip(answered.candidates, scores, strict=True):
        row = {**_beside(source, answered), "pair": _told(source, answered)}
        harvest.mark(row, candidate.text, score == 1.0)


def _pair(source: Source, answered: Answered, best: tuple[Candidate, float], worst: tuple[Candidate, float]) -> Row:
    told = {
        **_told(source, answered),
        "chosen": {"sample": best[0].sample, "seed": best[0].seed, "score": best[1]},
        "rejected": {"sample": worst[0].sample, "seed": worst[0].seed, "score": worst[1]},
    }
    answers = {"chosen": said(best[0].text), "rejected": said(worst[0].text)}
    return {**_beside(source, answered), **answers, "pair": told}


def _beside(source: Source, answered: Answered) -> Row:
    item = answered.item
    row: Row = {"prompt": item.messages, "group": item.group, "parent": f"{source.dataset}: {item.id}"}
    if item.tag:
        row["tag"] = item.tag
    if item.tools:
        row["tools"] = item.tools
    return row


def _told(source: Source, answered: Answered) -> dict[str, Any]:
    return {"model": source.model, "item": answered.item.id, **source.by}
