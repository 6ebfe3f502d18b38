"""Confidence intervals of a mean score and of a paired difference. Pure functions on numbers.

Which method for which scores was decided by simulation: `python -m benchmarks.coverage` prints how often each interval
holds the truth.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import Any

from evaluation.groups import (
    FEWEST_STANDING_OUT,
    Grouped,
    clustered_standard_error,
    degrees_of_freedom,
    effective_count,
    effective_groups,
    grouped,
    mean,
    score_kind,
    standard_error,
    standing_out,
    usual_value,
)

RESAMPLES = 2000
# With more groups the ends of the bootstrap and of Student's t are the same for every practical purpose.
MOST_RESAMPLED = 2000
# A standard error below this share of the values is one of rounding: they are all the same.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """A confidence interval, and how it was computed."""

    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest value that a score, or a difference of scores, can have."""

    low: float
    high: float


def mean_interval(scores: Sequence[float], groups: Sequence[Hashable], confidence: float) -> Interval | None:
    """Interval of one model's mean score: Wilson's for 0/1 scores, else `resampled_interval`; None for one group."""
    if len(set(groups)) < 2:
        return None
    kind = score_kind(scores)
    if kind != "binary":
        return resampled_interval(scores, groups, confidence, bounds=Bounds(0, 1) if kind == "bounded" else None)
    count = effective_count(scores, groups, confidence)
    interval = wilson_interval(mean(scores) * count, count, confidence)
    return Interval(interval.low, interval.high, _counted("Wilson", groups, count))


def difference_interval(
    reference: Sequence[float], candidate: Sequence[float], groups: Sequence[Hashable], confidence: float
) -> Interval | None:
    """Interval of the mean difference on the same items: Newcombe's for 0/1 scores, else `resampled_interval`.

    None with fewer than two groups: nothing can then be said of the spread.
    """
    if len(set(groups)) < 2:
        return None
    kind = score_kind((*reference, *candidate))
    if kind == "binary":
        return paired_binary_interval(reference, candidate, groups, confidence)
    differences = [after - before for before, after in zip(reference, candidate, strict=True)]
    return resampled_interval(differences, groups, confidence, bounds=Bounds(-1, 1) if kind == "bounded" else None)


def resampled_interval(
    values: Sequence[float], groups: Sequence[Hashable], confidence: float, *, bounds: Bounds | None
) -> Interval:
    """The BCa bootstrap interval of whole groups, widened to Student's t where that is wider, and cut at `bounds`.

    Alone, the bootstrap is too narrow for symmetric heavy tails and Student's t for skewed ones. Bounded values that
    are nearly all the same hide what the few others could be: there the interval also reaches as far as Wilson's
    interval of their share allows.
    """
    student = t_interval(values, groups, confidence)
    data = grouped(values, groups)
    low, high = student.low, student.high
    parts = ["Student's t"]
    if ROUNDING * max(map(abs, values)) < standard_error(data) and len(data.sums) <= MOST_RESAMPLED:
        low, high = _widened(low, high, bca_interval(data, groups, confidence))
        parts.insert(0, "BCa bootstrap")
    if bounds is not None:
        if standing_out(values, groups) < FEWEST_STANDING_OUT:
            low, high = _widened(low, high, _rare_interval(values, groups, confidence, bounds))
            parts.append("Wilson for few items that stand out")
        low, high = max(bounds.low, low), min(bounds.high, high)
    whole = " of whole groups" if len(data.sums) < len(values) else ""
    widest = "the wider of " if len(parts) > 1 else ""
    return Interval(low, high, f"{widest}{' and '.join(parts)}{whole}")


def t_interval(values: Sequence[float], groups: Sequence[Hashable], confidence: float) -> Interval:
    """Interval of the mean from clustered standard errors and Student's t, see `degrees_of_freedom`."""
    from scipy.special import stdtrit

    freedom = degrees_of_freedom(groups)
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * clustered_standard_error(values, groups)
    centre = mean(values)
    clustered = "clustered standard errors, " if len(set(groups)) < len(values) else ""
    return Interval(centre - reach, centre + reach, f"{clustered}Student's t with {freedom:.0f} degrees of freedom")


def bca_interval(data: Grouped, groups: Sequence[Hashable], confidence: float) -> Interval:
    """Bias-corrected and accelerated bootstrap interval (Efron 1987) of the mean, resampling whole groups.

    The level is raised as by Hesterberg, "What Teachers Should Know About the Bootstrap" (2015), for expanded
    percentiles: the normal quantile becomes sqrt(n/(n-1)) times Student's t's, since a resample spreads less than a new
    sample. Apart from that it is what scipy.stats.bootstrap gives, several times faster: resamples are drawn once for
    each number of groups.
    """
    import numpy as np
    from scipy.special import ndtr, ndtri, stdtrit

    drawn = _resamples(len(data.sums))
    means = drawn @ data.sums / (drawn @ data.sizes)
    level = np.mean((means < data.mean) + 0.5 * (means == data.mean))
    bias = ndtri(np.clip(level, 0.5 / RESAMPLES, 1 - 0.5 / RESAMPLES))
    without = (data.sums.sum() - data.sums) / (data.sizes.sum() - data.sizes)
    influence = without.mean() - without
    acceleration = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    freedom = degrees_of_freedom(groups)
    reach = sqrt((freedom + 1) / freedom) * stdtrit(freedom, (1 + confidence) / 2)
    shifted = bias + np.array([-reach, reach])
    levels = ndtr(bias + shifted / (1 - acceleration * shifted))
    low, high = np.quantile(means, levels)
    return Interval(float(low), float(high), "BCa bootstrap")


@lru_cache(maxsize=4)
def _resamples(count: int) -> Any:
    """How often each of `count` groups is drawn in each resample: (resamples, count), the same at every call."""
    import numpy as np

    drawn = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    numbered = drawn + count * np.arange(RESAMPLES)[:, None]
    return np.bincount(numbered.ravel(), minlength=RESAMPLES * count).reshape(RESAMPLES, count).astype(np.float32)


def _rare_interval(values: Sequence[float], groups: Sequence[Hashable], confidence: float, bounds: Bounds) -> Interval:
    """How far the mean can be from the most frequent value: the share of those beyond it is at most Wilson's upper end,
    and none of them lies beyond the bounds. It generalises the rule of three (Hanley and Lippman-Hand 1983)."""
    usual = usual_value(values)
    count = effective_groups(groups)

    def at_most(share: float) -> float:
        return wilson_interval(share * count, count, confidence).high

    above = at_most(mean([float(value > usual) for value in values]))
    below = at_most(mean([float(value < usual) for value in values]))
    return Interval(usual - below * (usual - bounds.low), usual + above * (bounds.high - usual), "Wilson")


def wilson_interval(successes: float, count: float, confidence: float) -> Interval:
    """Score interval of a proportion (Wilson 1927). `count` may be an effective, fractional number of items."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, count, 1 - confidence, method="wilson")
    return Interval(max(0.0, float(low)), min(1.0, float(high)), "Wilson")


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
    method = _counted("Newcombe's paired score interval", groups, count)
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


def _widened(low: float, high: float, other: Interval) -> tuple[float, float]:
    """The wider of both at each end."""
    return (other.low if other.low < low else low), (other.high if other.high > high else high)


def _counted(name: str, groups: Sequence[Hashable], count: float) -> str:
    if len(set(groups)) == len(groups):
        return name
    return f"{name} on an effective {count:.0f} of {len(groups)} items (clustered by group)"
