"""What a judge's labels say about the models: win rates and scores, with intervals, in figures and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.groups import grouped
from evaluation.intervals import mean_interval
from evaluation.judge.pairwise import Judged, overall
from evaluation.significance import holm, sign_flip_test

OVERALL = "overall"


@dataclass(frozen=True)
class WinRate:
    """How often the candidate's answers were preferred: (wins + half of ties and flips) / usable pairs, 0 to 1.

    `low` and `high` bound it; `p_value` is of a sign-flip test against one half, Holm-adjusted over the candidates.
    """

    reference: str
    candidate: str
    wins: int
    losses: int
    ties: int
    flips: int
    unusable: int
    win_rate: float | None
    low: float | None
    high: float | None
    p_value: float | None

    @property
    def usable(self) -> int:
        return self.wins + self.losses + self.ties + self.flips

    def sentence(self, confidence: float) -> str:
        """The finding in words."""
        if self.win_rate is None:
            return f"{self.candidate} against {self.reference}: no usable judgement."
        said = (
            f"{self.candidate} against {self.reference}: preferred on {self.wins} of {self.usable} questions, not on "
            f"{self.losses}; {self.ties + self.flips} ties, {self.flips} of them because the preference turned with "
            f"the order. Win rate {self.win_rate:.0%}"
        )
        if self.low is None or self.high is None or self.p_value is None:
            return f"{said}; too few questions for an interval."
        p_value = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}"
        said += f" ({confidence:.0%} interval {self.low:.0%} to {self.high:.0%}, {p_value})"
        if self.p_value >= 1 - confidence:
            return f"{said}: no preference shown."
        return f"{said}: {self.candidate if self.win_rate > 0.5 else self.reference} is preferred."

    def as_json(self, confidence: float) -> dict[str, Any]:
        return {**asdict(self), "usable": self.usable, "sentence": self.sentence(confidence)}


@dataclass(frozen=True)
class Judgements:
    """What a judge made of one candidate's answers (as B) beside the reference's (as A), question by question."""

    reference: str
    candidate: str
    judged: list[Judged]
    groups: list[str]


def win_rates(found: Sequence[Judgements], confidence: float, seed: int) -> list[WinRate]:
    """A win rate for each candidate."""
    rates = [_win_rate(each, confidence, seed) for each in found]
    tested = [rate for rate in rates if rate.p_value is not None]
    adjusted = dict(
        zip((rate.candidate for rate in tested), holm([rate.p_value or 0.0 for rate in tested]), strict=True)
    )
    return [WinRate(**{**asdict(rate), "p_value": adjusted.get(rate.candidate)}) for rate in rates]


def _win_rate(found: Judgements, confidence: float, seed: int) -> WinRate:
    counts = Counter(each.outcome for each in found.judged)
    usable = [
        (group, 1.0 if each.outcome == "b" else 0.0 if each.outcome == "a" else 0.5)
        for each, group in zip(found.judged, found.groups, strict=True)
        if each.outcome != "unusable"
    ]
    groups, wins = [group for group, _ in usable], [win for _, win in usable]
    interval = mean_interval(wins, groups, confidence) if len(set(groups)) > 1 else None
    test = sign_flip_test(grouped([win - 0.5 for win in wins], groups).sums, seed) if interval else None
    return WinRate(
        reference=found.reference,
        candidate=found.candidate,
        wins=counts["b"],
        losses=counts["a"],
        ties=counts["tie"],
        flips=counts["flip"],
        unusable=counts["unusable"],
        win_rate=sum(wins) / len(wins) if wins else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        p_value=test.p_value if test else None,
    )


def score_table(
    model: str, scores: Sequence[dict[str, float] | None], groups: Sequence[Hashable], confidence: float
) -> list[dict[str, Any]]:
    """A line per criterion and one overall: the model's mean score with its interval, over usable replies."""
    usable = [(each, group) for each, group in zip(scores, groups, strict=True) if each is not None]
    if not usable:
        return []
    criteria = list(usable[0][0])
    lines = []
    for criterion in [*criteria, OVERALL]:
        values = [overall(each) if criterion == OVERALL else each[criterion] for each, _ in usable]
        known = [group for _, group in usable]
        interval = mean_interval(values, known, confidence) if len(set(known)) > 1 else None
        lines.append(
            {
                "model": model,
                "criterion": criterion,
                "items": len(values),
                "unusable": len(scores) - len(usable),
                "mean": sum(values) / len(values),
                "low": interval.low if interval else None,
                "high": interval.high if interval else None,
            }
        )
    return lines
