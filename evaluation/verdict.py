"""From paired scores to a verdict in plain words: better, worse, or no difference shown, and how sure that is."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Literal

from evaluation.groups import ScoreKind
from evaluation.significance import holm, more_items_needed
from evaluation.statistics import PairedResult, compare_paired
from evaluation.tasks import NLL

Unit = Literal["points", "perplexity", "plain"]
Outcome = Literal["better", "worse", "no difference shown", "too few items"]

# Fewest independent items, or groups counted as equal ones, from which on 95 % intervals hold the truth at least 93
# times in 100 in every simulated kind of data (`python -m benchmarks.coverage`). Below, a verdict promises too much.
FEWEST: dict[ScoreKind, int] = {"binary": 20, "bounded": 30, "open": 50}


@dataclass(frozen=True)
class Measure:
    """What is compared. Points: scores from 0 to 1, told times 100; perplexity: nats per token, told as a ratio."""

    name: str
    higher_is_better: bool
    unit: Unit

    @classmethod
    def of(cls, name: str, higher_is_better: bool, scores: Sequence[float]) -> Measure:
        """The measure of that name; its unit follows from the scores of all models together."""
        if name == NLL:
            return cls(name, False, "perplexity")
        return cls(name, higher_is_better, "points" if all(0 <= score <= 1 for score in scores) else "plain")


@dataclass(frozen=True)
class ModelScores:
    """One model's scores, an entry per item. `metric` may be the lenient form of the measure."""

    model: str
    metric: str
    scores: Sequence[float]


@dataclass(frozen=True)
class Settings:
    """`smallest_gap`: the smallest difference worth knowing, in the scores' own unit (0.03 is 3 points)."""

    confidence: float
    smallest_gap: float
    seed: int


@dataclass(frozen=True)
class Verdict:
    """One comparison. Scores, difference (candidate minus reference) and interval are in the scores' own unit.

    `effective_groups`: how many equal groups the groups are worth; `p_adjusted`: Holm's over the family; `more_items`:
    how many would show the smallest gap, None where nothing says so.
    """

    measure: str
    reference: str
    candidate: str
    reference_metric: str
    candidate_metric: str
    reference_mean: float
    candidate_mean: float
    items: int
    groups: int
    effective_groups: float
    difference: float
    low: float | None
    high: float | None
    interval_method: str
    p_value: float
    p_adjusted: float
    test: str
    effect: float
    effect_name: str
    outcome: Outcome
    more_items: int | None
    sentence: str


def compare_models(
    measure: Measure,
    reference: ModelScores,
    candidates: Sequence[ModelScores],
    groups: Sequence[Hashable],
    settings: Settings,
) -> list[Verdict]:
    """Each candidate against the reference on the same items; their p-values are adjusted as one family (Holm)."""
    results = [
        compare_paired(reference.scores, candidate.scores, groups, confidence=settings.confidence, seed=settings.seed)
        for candidate in candidates
    ]
    adjusted = holm([result.test.p_value for result in results])
    return [
        _verdict(measure, reference, candidate, result, p_value, settings)
        for candidate, result, p_value in zip(candidates, results, adjusted, strict=True)
    ]


def enough_items(effective_groups: float, kind: ScoreKind) -> bool:
    """Whether intervals of that many independent items (or equal groups) are known to hold the truth often enough."""
    return round(effective_groups, 6) >= FEWEST[kind]


def _verdict(
    measure: Measure,
    reference: ModelScores,
    candidate: ModelScores,
    result: PairedResult,
    p_adjusted: float,
    settings: Settings,
) -> Verdict:
    gap = abs(result.difference) if measure.unit == "plain" else settings.smallest_gap
    enough_spread = result.interval is not None and gap > 0
    verdict = Verdict(
        measure=measure.name,
        reference=reference.model,
        candidate=candidate.model,
        reference_metric=reference.metric,
        candidate_metric=candidate.metric,
        reference_mean=result.mean_reference,
        candidate_mean=result.mean_candidate,
        items=result.items,
        groups=result.groups,
        effective_groups=result.effective_groups,
        difference=result.difference,
        low=result.interval.low if result.interval else None,
        high=result.interval.high if result.interval else None,
        interval_method=result.interval.method if result.interval else "none: a single group shows no spread",
        p_value=result.test.p_value,
        p_adjusted=p_adjusted,
        test=result.test.method,
        effect=result.effect.value,
        effect_name=result.effect.name,
        outcome=_outcome(measure, result, p_adjusted, settings.confidence),
        more_items=more_items_needed(result.items, result.standard_error, gap, settings.confidence)
        if enough_spread
        else None,
        sentence="",
    )
    return replace(verdict, sentence=sentence(verdict, measure, gap, settings.confidence, FEWEST[result.kind]))


def _outcome(measure: Measure, result: PairedResult, p_adjusted: float, confidence: float) -> Outcome:
    """A difference is shown when the interval excludes zero and the adjusted p-value is small enough, both."""
    if result.interval is None or not enough_items(result.effective_groups, result.kind):
        return "too few items"
    excludes_zero = result.interval.low > 0 or result.interval.high < 0
    if not excludes_zero or p_adjusted > 1 - confidence + 1e-12:
        return "no difference shown"
    return "better" if (result.difference > 0) == measure.higher_is_better else "worse"


def sentence(verdict: Verdict, measure: Measure, gap: float, confidence: float, fewest: int) -> str:
    """The verdict in plain words. `fewest`: how many independent items it takes."""
    if verdict.low is None or verdict.high is None:
        held = "there is only 1" if verdict.items == 1 else f"all {verdict.items} belong to one group"
        return f"too few items for a verdict: {held}"
    low, high = _told(measure, verdict.low), _told(measure, verdict.high)
    if verdict.outcome in ("better", "worse"):
        size = _with_unit(measure, abs(_told(measure, verdict.difference)))
        ends = sorted((abs(low), abs(high)))
        certainty = _certainty(ends[0], ends[1], verdict.p_adjusted, confidence)
        if measure.unit != "perplexity":
            return f"{verdict.outcome} by {size} ({certainty})"
        if verdict.outcome == "better":
            return f"better: perplexity lower by {size} ({certainty})"
        return f"worse: perplexity higher by {size} ({certainty})"
    certainty = _certainty(low, high, verdict.p_adjusted, confidence)
    difference = f"difference {_with_unit(measure, _told(measure, verdict.difference))}, {certainty}"
    if verdict.outcome == "too few items":
        return _too_few(verdict, fewest, difference)
    if verdict.difference == 0 and verdict.p_value == 1.0 and verdict.more_items is None:
        return f"no difference shown; the same score on all {verdict.items} items"
    return f"no difference shown{_outlook(verdict, measure, gap)} ({difference})"


def _too_few(verdict: Verdict, fewest: int, difference: str) -> str:
    """How many independent items there are, and how many it takes."""
    worth = int(verdict.effective_groups)
    if verdict.groups == verdict.items:
        return f"too few items for a verdict: only {verdict.items}, it takes {fewest} ({difference})"
    if worth < verdict.groups:
        held = f"{verdict.groups} groups of unequal size are worth {worth}"
        return f"too few items for a verdict: {held}, it takes {fewest} ({difference})"
    return f"too few items for a verdict: only {verdict.groups} independent groups, it takes {fewest} ({difference})"


def _outlook(verdict: Verdict, measure: Measure, gap: float) -> str:
    size = {"points": f"{gap * 100:.3g}-point gap", "perplexity": f"gap of {100 * gap:.3g} %"}
    wanted = size.get(measure.unit, f"gap of {gap:.3g}")
    if verdict.more_items is None:
        return ""
    if verdict.more_items == 0:
        return f"; {verdict.items} items were enough to show a {wanted}"
    return f"; about {_rounded(verdict.more_items):,} more items would settle a {wanted}"


def _told(measure: Measure, value: float) -> float:
    """A difference as it is told: points, percent of perplexity, or as it is."""
    if measure.unit == "points":
        return 100 * value
    return 100 * (exp(value) - 1) if measure.unit == "perplexity" else value


def _with_unit(measure: Measure, value: float) -> str:
    """One figure with its unit."""
    if measure.unit == "points":
        return f"{_figure(value)} point{'' if _figure(value) == '1.0' else 's'}"
    return f"{_figure(value)} %" if measure.unit == "perplexity" else _figure(value)


def _certainty(low: float, high: float, p_value: float, confidence: float) -> str:
    return f"{100 * confidence:.3g}% CI {_figure(low)} to {_figure(high)}, {told_p_value(p_value)}"


def told_p_value(p_value: float) -> str:
    """`p < 0.001`, else two or three decimals."""
    if p_value < 0.001:
        return "p < 0.001"
    return f"p = {p_value:.3f}" if p_value < 0.1 else f"p = {p_value:.2f}"


def _figure(value: float) -> str:
    """One decimal, more where the figure is small; never a minus zero."""
    digits = 1 if abs(value) >= 0.1 or value == 0 else 3
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _rounded(count: int) -> int:
    """Two significant digits, upwards: an estimate should look like one."""
    step = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // step) * step
