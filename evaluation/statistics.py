"""Paired comparison of per-item scores: intervals, exact tests, effect sizes, Holm. Pure functions on numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import asin, ceil, inf, sqrt
from typing import Any

EXACT_FLIPS = 16
RANDOM_FLIPS = 20_000
POWER = 0.8


@dataclass(frozen=True)
class Interval:
    """A confidence interval, and how it was computed."""

    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Test:
    """A two-sided p-value, and how it was computed."""

    p_value: float
    method: str


@dataclass(frozen=True)
class Effect:
    """A standardised effect size and its name."""

    value: float
    name: str


@dataclass(frozen=True)
class PairedResult:
    """Scores of two models on the same items. `difference` is candidate minus reference, in the scores' own unit."""

    items: int
    groups: int
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

    0/1 scores: Newcombe's interval and the exact McNemar test; other scores: Student's t and a sign-flip test.
    Where items share a group, standard errors are clustered and the test flips whole groups.
    `interval` is None with fewer than two groups: nothing can then be said of the spread.
    """
    differences = [after - before for before, after in zip(reference, candidate, strict=True)]
    sums = _group_sums(differences, groups)
    binary = is_binary(reference) and is_binary(candidate)
    clustered = len(sums) < len(differences)
    error = clustered_standard_error(differences, groups)
    interval = None
    if len(sums) > 1 and binary:
        interval = paired_binary_interval(reference, candidate, groups, confidence)
    elif len(sums) > 1:
        interval = t_interval(differences, groups, confidence)
    return PairedResult(
        items=len(differences),
        groups=len(sums),
        mean_reference=mean(reference),
        mean_candidate=mean(candidate),
        difference=mean(differences),
        standard_error=error,
        interval=interval,
        test=exact_mcnemar(*_discordant(differences)) if binary and not clustered else sign_flip_test(sums, seed),
        effect=cohen_h(mean(reference), mean(candidate)) if binary else cohen_d(differences),
    )


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of at least one value."""
    return sum(values) / len(values)


def is_binary(values: Sequence[float]) -> bool:
    """Whether every score is 0 or 1."""
    return all(value in (0.0, 1.0) for value in values)


def clustered_standard_error(values: Sequence[float], groups: Sequence[Hashable]) -> float:
    """Standard error of the mean when values of one group may be correlated; infinite for a single group.

    sqrt(G/(G-1) · Σ_g (Σ_{i∈g} (x_i - mean))²) / n: Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), with
    the small-sample factor of Cameron and Miller, "A Practitioner's Guide to Cluster-Robust Inference" (2015).
    With groups of one item it is the usual standard error.
    """
    centre = mean(values)
    sums = _group_sums([value - centre for value in values], groups)
    count = len(sums)
    if count < 2:
        return inf
    return sqrt(count / (count - 1) * sum(total * total for total in sums)) / len(values)


def t_interval(values: Sequence[float], groups: Sequence[Hashable], confidence: float) -> Interval:
    """Interval of the mean from clustered standard errors and Student's t with (groups - 1) degrees of freedom."""
    from scipy.stats import t

    count = len(set(groups))
    reach = float(t.ppf((1 + confidence) / 2, count - 1)) * clustered_standard_error(values, groups)
    centre = mean(values)
    clustered = "clustered standard errors, " if count < len(values) else ""
    return Interval(centre - reach, centre + reach, f"{clustered}Student's t with {count - 1} degrees of freedom")


def wilson_interval(successes: float, count: float, confidence: float) -> Interval:
    """Score interval of a proportion (Wilson 1927). `count` may be an effective, fractional number of items."""
    z = _normal_quantile(confidence)
    share = successes / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return Interval(max(0.0, centre - reach), min(1.0, centre + reach), "Wilson")


def mean_interval(scores: Sequence[float], groups: Sequence[Hashable], confidence: float) -> Interval | None:
    """Interval of one model's mean score: Wilson's for 0/1 scores, else Student's t; None for fewer than two groups."""
    if len(set(groups)) < 2:
        return None
    if not is_binary(scores):
        interval = t_interval(scores, groups, confidence)
        bounded = all(0 <= score <= 1 for score in scores)
        return replace(interval, low=max(0.0, interval.low), high=min(1.0, interval.high)) if bounded else interval
    count = effective_count(scores, groups, confidence)
    interval = wilson_interval(mean(scores) * count, count, confidence)
    return Interval(interval.low, interval.high, _binary_method("Wilson", scores, groups, count))


def paired_binary_interval(
    reference: Sequence[float], candidate: Sequence[float], groups: Sequence[Hashable], confidence: float
) -> Interval:
    """Interval of the difference of two proportions on the same items.

    Method 10 of Newcombe, "Improved confidence intervals for the difference between binomial proportions based on
    paired data" (Statistics in Medicine 17, 1998). Correlated items count as an effective number of items (see
    `effective_count`), as Korn and Graubard do for proportions.
    """
    differences = [after - before for before, after in zip(reference, candidate, strict=True)]
    count = effective_count(differences, groups, confidence)
    before, after = mean(reference), mean(candidate)
    both = mean([x * y for x, y in zip(reference, candidate, strict=True)])
    wilson_before = wilson_interval(before * count, count, confidence)
    wilson_after = wilson_interval(after * count, count, confidence)
    phi = _newcombe_phi(before, after, both, count)
    below_after, above_after = after - wilson_after.low, wilson_after.high - after
    below_before, above_before = before - wilson_before.low, wilson_before.high - before
    down = sqrt(max(0.0, below_after**2 - 2 * phi * below_after * above_before + above_before**2))
    up = sqrt(max(0.0, above_after**2 - 2 * phi * above_after * below_before + below_before**2))
    difference = after - before
    method = _binary_method("Newcombe's paired score interval", differences, groups, count)
    return Interval(max(-1.0, difference - down), min(1.0, difference + up), method)


def _newcombe_phi(before: float, after: float, both: float, count: float) -> float:
    """Correlation of the two scores, with Newcombe's continuity correction when it is positive."""
    spread = before * (1 - before) * after * (1 - after)
    if spread <= 0:
        return 0.0
    covariance = both - before * after
    if covariance > 0:
        covariance = max(covariance - 1 / (2 * count), 0.0)
    return covariance / sqrt(spread)


def effective_count(values: Sequence[float], groups: Sequence[Hashable], confidence: float) -> float:
    """How many independent items the values are worth: n for groups of one, fewer when groups are alike.

    n divided by the design effect (Kish 1965), and by the squared ratio of the t to the normal quantile for few
    groups (Korn and Graubard, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", 1998). Never more than n. Values without any spread count as one per group.
    """
    from scipy.stats import t

    count = len(set(groups))
    if count == len(values):
        return float(count)
    alone = clustered_standard_error(values, range(len(values)))
    if alone == 0:
        return float(count)
    design_effect = max(1.0, (clustered_standard_error(values, groups) / alone) ** 2)
    few_groups = (_normal_quantile(confidence) / float(t.ppf((1 + confidence) / 2, count - 1))) ** 2
    return len(values) / design_effect * few_groups


def _binary_method(name: str, values: Sequence[Any], groups: Sequence[Hashable], count: float) -> str:
    if len(set(groups)) == len(values):
        return name
    return f"{name} on an effective {count:.0f} of {len(values)} items (clustered by group)"


def exact_mcnemar(gained: int, lost: int) -> Test:
    """Exact two-sided McNemar test on the items where the models differ: a sign test of `gained` against `lost`."""
    from scipy.stats import binomtest

    p_value = float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0
    return Test(p_value, f"exact McNemar ({gained} items gained, {lost} lost)")


def sign_flip_test(totals: Sequence[float], seed: int) -> Test:
    """Paired permutation test: under no difference each total (one per group) is as likely to have the other sign.

    All sign patterns are counted when at most 16 totals are not zero, else 20,000 random ones, for which
    p = (1 + hits) / (1 + draws): Phipson and Smyth, "Permutation p-values should never be zero" (2010).
    """
    import numpy as np

    values = np.array([total for total in totals if total != 0.0])
    if len(values) == 0:
        return Test(1.0, "sign-flip permutation (no item differs)")
    reached = abs(values.sum()) - 1e-9 * np.abs(values).sum()
    if len(values) <= EXACT_FLIPS:
        patterns = np.arange(2 ** len(values))[:, None] >> np.arange(len(values)) & 1
        hits = int((np.abs((2 * patterns - 1) @ values) >= reached).sum())
        return Test(hits / 2 ** len(values), f"exact sign-flip permutation of {len(values)} groups that differ")
    generator = np.random.default_rng(seed)
    hits = 0
    for _ in range(RANDOM_FLIPS // 1000):
        signs = generator.integers(0, 2, (1000, len(values)), dtype=np.int8) * 2.0 - 1.0
        hits += int((np.abs(signs @ values) >= reached).sum())
    p_value = (1 + hits) / (1 + RANDOM_FLIPS)
    return Test(p_value, f"sign-flip permutation of {len(values)} groups that differ, {RANDOM_FLIPS:,} random draws")


def cohen_h(reference: float, candidate: float) -> Effect:
    """Effect size of two proportions: 2·asin√p₂ - 2·asin√p₁ (Cohen 1988, chapter 6)."""
    return Effect(2 * asin(sqrt(candidate)) - 2 * asin(sqrt(reference)), "Cohen's h")


def cohen_d(differences: Sequence[float]) -> Effect:
    """Effect size of paired scores: mean difference over the differences' standard deviation (Cohen's d_z, 1988)."""
    centre = mean(differences)
    if len(differences) < 2 or centre == 0:
        return Effect(0.0, "Cohen's d")
    spread = sqrt(sum((value - centre) ** 2 for value in differences) / (len(differences) - 1))
    return Effect(centre / spread if spread else inf if centre > 0 else -inf, "Cohen's d")


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for a family of comparisons (Holm 1979), in the given order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def more_items_needed(items: int, standard_error: float, gap: float, confidence: float) -> int | None:
    """How many more items would show a true difference of `gap` with 80 % probability; 0 when there are enough.

    Normal approximation n = ((z_{1-α/2} + z_{0.8}) · σ / gap)², σ² taken from the standard error found, so that
    correlated items count for less. None when the items show no spread to judge by.
    """
    from scipy.stats import norm

    if standard_error in (0.0, inf):
        return None
    quantiles = _normal_quantile(confidence) + float(norm.ppf(POWER))
    needed = (quantiles / gap) ** 2 * standard_error**2 * items
    return max(0, ceil(needed) - items)


def _normal_quantile(confidence: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf((1 + confidence) / 2))


def _group_sums(values: Sequence[float], groups: Sequence[Hashable]) -> list[float]:
    sums: dict[Hashable, float] = defaultdict(float)
    for value, group in zip(values, groups, strict=True):
        sums[group] += value
    return list(sums.values())


def _discordant(differences: Sequence[float]) -> tuple[int, int]:
    """How many items were gained and lost."""
    return sum(value > 0 for value in differences), sum(value < 0 for value in differences)
