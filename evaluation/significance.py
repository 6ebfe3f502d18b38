"""Tests of a paired difference, effect sizes, Holm's adjustment, and how many more items would settle it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, ceil, inf, sqrt

from evaluation.groups import mean

EXACT_FLIPS = 16
RANDOM_FLIPS = 20_000
FLIPS_AT_ONCE = 200
POWER = 0.8


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


def exact_mcnemar(gained: int, lost: int) -> Test:
    """Exact two-sided McNemar test on the items where the models differ: a sign test of `gained` against `lost`."""
    from scipy.stats import binomtest

    p_value = float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0
    return Test(p_value, f"exact McNemar ({gained} items gained, {lost} lost)")


def sign_flip_test(totals: Sequence[float], seed: int) -> Test:
    """Paired permutation test: under no difference each total (one per group) is as likely to have the other sign.

    All sign patterns are counted when at most 16 totals are not zero, else 20,000 random ones, for which
    p = (1 + hits) / (1 + draws): Phipson and Smyth, "Permutation p-values should never be zero" (2010).
    scipy.stats.permutation_test says the same ten times more slowly.
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
    for _ in range(RANDOM_FLIPS // FLIPS_AT_ONCE):
        drawn = np.frombuffer(generator.bytes(FLIPS_AT_ONCE * -(-len(values) // 8)), dtype=np.uint8)
        kept = np.unpackbits(drawn.reshape(FLIPS_AT_ONCE, -1), axis=1, count=len(values)).astype(float)
        hits += int((np.abs(2 * (kept @ values) - values.sum()) >= reached).sum())
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
    """p-values adjusted for a family of comparisons (Holm 1979), in the given order.

    As statsmodels' multipletests, which runs a garbage collection of the whole process at every call.
    """
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
    from scipy.special import ndtri

    if standard_error in (0.0, inf):
        return None
    quantiles = float(ndtri((1 + confidence) / 2) + ndtri(POWER))
    needed = (quantiles / gap) ** 2 * standard_error**2 * items
    return max(0, ceil(needed) - items)
