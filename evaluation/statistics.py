"""Paired comparison of per-item scores: interval, test and effect size by the kind of score. Pure functions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from evaluation.groups import ScoreKind, effective_groups, grouped, mean, score_kind, standard_error
from evaluation.intervals import Interval, difference_interval
from evaluation.significance import Effect, Test, cohen_d, cohen_h, exact_mcnemar, sign_flip_test


@dataclass(frozen=True)
class PairedResult:
    """Scores of two models on the same items. `difference` is candidate minus reference, in the scores' own unit;
    `effective_groups` is the number of equal groups that the groups are worth."""

    items: int
    groups: int
    effective_groups: float
    kind: ScoreKind
    mean_reference: float
    mean_candidate: float
    difference: float
    standard_error: float
    interval: Interval | None
    test: Test
    effect: Effect


def compare_paired(
    reference: Sequence[float],
    candidate: Sequence[float],
    groups: Sequence[Hashable],
    *,
    confidence: float,
    seed: int,
) -> PairedResult:
    """Compare two models' scores, item by item. All three sequences have one entry per item.

    0/1 scores: Newcombe's interval and the exact McNemar test; other scores: a bootstrap interval and a sign-flip test.
    Where items share a group, standard errors are clustered, and whole groups are resampled and flipped.
    `interval` is None with fewer than two groups: nothing can then be said of the spread.
    """
    differences = [after - before for before, after in zip(reference, candidate, strict=True)]
    data = grouped(differences, groups)
    kind = score_kind((*reference, *candidate))
    exact = kind == "binary" and len(data.sums) == len(differences)
    return PairedResult(
        items=len(differences),
        groups=len(data.sums),
        effective_groups=effective_groups(groups),
        kind=kind,
        mean_reference=mean(reference),
        mean_candidate=mean(candidate),
        difference=mean(differences),
        standard_error=standard_error(data),
        interval=difference_interval(reference, candidate, groups, confidence),
        test=exact_mcnemar(*_discordant(differences)) if exact else sign_flip_test(data.sums, seed),
        effect=cohen_h(mean(reference), mean(candidate)) if kind == "binary" else cohen_d(differences),
    )


def _discordant(differences: Sequence[float]) -> tuple[int, int]:
    """How many items were gained and lost."""
    return sum(value > 0 for value in differences), sum(value < 0 for value in differences)
