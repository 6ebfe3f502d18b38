"""Items that share a group are not independent: sums over groups, clustered standard errors, how much they are worth.

Pure functions on numbers. `values` and `groups` have one entry per item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any, Literal

ScoreKind = Literal["binary", "bounded", "open"]

# With fewer groups (of equal size) that stand out, how alike the items of a group are can't be told from the data.
FEWEST_STANDING_OUT = 10


@dataclass(frozen=True)
class Grouped:
    """Sum and number of the values of each group (numpy arrays), and for each value the number of its group."""

    sums: Any
    sizes: Any
    codes: Any

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.sizes.sum())


def grouped(values: Sequence[float], groups: Sequence[Hashable]) -> Grouped:
    """Gather the values by group, in the order in which the groups come up."""
    import numpy as np

    if len(values) != len(groups):
        raise ValueError(f"{len(values)} values, but {len(groups)} groups")
    places: dict[Hashable, int] = {}
    codes = np.array([places.setdefault(group, len(places)) for group in groups])
    sizes = np.bincount(codes).astype(float)
    return Grouped(np.bincount(codes, weights=np.asarray(values, dtype=float)), sizes, codes)


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of at least one value."""
    return sum(values) / len(values)


def score_kind(values: Iterable[float]) -> ScoreKind:
    """Binary: every score is 0 or 1; bounded: from 0 to 1; else open (a loss, a number of points)."""
    found: ScoreKind = "binary"
    for value in values:
        if not 0 <= value <= 1:
            return "open"
        if value not in (0.0, 1.0):
            found = "bounded"
    return found


def clustered_standard_error(values: Sequence[float], groups: Sequence[Hashable]) -> float:
    """Standard error of the mean when values of one group may be correlated; infinite for a single group.

    sqrt(G/(G-1) · Σ_g (Σ_{i∈g} (x_i - mean))²) / n: Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), with
    the small-sample factor of Cameron and Miller, "A Practitioner's Guide to Cluster-Robust Inference" (2015).
    With groups of one item it is the usual standard error.
    """
    return standard_error(grouped(values, groups))


def standard_error(data: Grouped) -> float:
    """`clustered_standard_error` of values that are gathered already."""
    count = len(data.sums)
    if count < 2:
        return inf
    residuals = data.sums - data.mean * data.sizes
    return float(sqrt(count / (count - 1) * (residuals @ residuals)) / data.sizes.sum())


def effective_groups(groups: Sequence[Hashable]) -> float:
    """How many groups of equal size these are worth: (Σ m)² / Σ m² (Kish 1965). All groups, when they are equal.

    A few groups that hold most of the items decide the mean, whatever the number of the others: Carter, Schnepel and
    Steigerwald, "Asymptotic behavior of a t-test robust to cluster heterogeneity" (2017).
    """
    return _kish(Counter(groups).values())


def degrees_of_freedom(groups: Sequence[Hashable]) -> float:
    """Of Student's t for a mean with clustered standard errors: effective groups less one, at least 1."""
    return max(1.0, effective_groups(groups) - 1)


def effective_count(values: Sequence[float], groups: Sequence[Hashable], confidence: float) -> float:
    """How many independent items the values are worth: n for groups of one, fewer when groups are alike.

    n divided by the design effect (Kish 1965), and by the squared ratio of the t to the normal quantile for few
    groups (Korn and Graubard, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", 1998). Never more than n. Where hardly any group stands out from the most frequent
    value, the design effect can't be estimated: each group then counts as one item, as if all in it were alike.
    """
    from scipy.special import ndtri, stdtrit

    if len(set(groups)) == len(values):
        return float(len(values))
    count = effective_groups(groups)
    alone = clustered_standard_error(values, range(len(values)))
    if alone > 0:
        design_effect = max(1.0, (clustered_standard_error(values, groups) / alone) ** 2)
        estimated = len(values) / design_effect
        count = min(count, estimated) if standing_out(values, groups) < FEWEST_STANDING_OUT else estimated
    tail = (1 + confidence) / 2
    return count * float(ndtri(tail) / stdtrit(degrees_of_freedom(groups), tail)) ** 2


def standing_out(values: Sequence[float], groups: Sequence[Hashable]) -> float:
    """The (effective) number of groups that hold another value than the most frequent one."""
    usual = usual_value(values)
    standing = {group for value, group in zip(values, groups, strict=True) if value != usual}
    sizes = Counter(group for group in groups if group in standing)
    return _kish(sizes.values())


def usual_value(values: Sequence[float]) -> float:
    """The most frequent of at least one value."""
    return Counter(values).most_common(1)[0][0]


def _kish(sizes: Any) -> float:
    squares = sum(size * size for size in sizes)
    return sum(sizes) ** 2 / squares if squares else 0.0
