"""Simulated experiments that are looked at after every user: how often they mislead, and how soon they tell.

    python -m tests.serving.experiments.simulation [EXPERIMENTS]

prints the whole table; the tests run it with fewer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np

from serving.experiments.betting import capital_path, difference_steps, step_limits
from serving.experiments.outcomes import MOST_TIMES

ALPHA = 0.05
Draw = np.random.Generator
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Shape:
    """A kind of experiment. `draw(generator, treated)` gives scaled values; `truth`: the scaled difference."""

    name: str
    truth: float
    draw: Callable[[Draw, Array], Array]
    share: float = 0.5
    is_ratio: bool = False


@dataclass(frozen=True)
class Misled:
    """How often an experiment's interval ever left out the truth, and its error (two standard errors)."""

    name: str
    truth: float
    users: int
    share: float
    error: float

    def __str__(self) -> str:
        what = "false alarms" if self.truth == 0 else "interval misses the truth"
        return f"{self.name:<58}{self.users:>6} users  {100 * self.share:4.1f} % ± {100 * self.error:.1f} {what}"


def success(control: float, treated: float) -> Callable[[Draw, Array], Array]:
    """One yes or no for each user."""
    return lambda generator, arm: (generator.random(arm.shape) < np.where(arm, treated, control)) * 1.0


def several_answers(control: float, treated: float) -> Callable[[Draw, Array], Array]:
    """The mean of 1 to 20 answers for each user, some of whom mostly succeed and some mostly fail."""

    def draw(generator: Draw, arm: Array) -> Array:
        chance = np.where(arm, treated, control)
        own = generator.beta(2 * chance, 2 * (1 - chance))
        answers = generator.integers(1, 21, arm.shape)
        return generator.binomial(answers, own) / answers

    return draw


def ratings(moved: float) -> Callable[[Draw, Array], Array]:
    """Stars, mostly 5 and 1; in the treated arm a share `moved` of the users gives 5 instead."""

    def draw(generator: Draw, arm: Array) -> Array:
        stars = generator.choice([1, 2, 3, 4, 5], arm.shape, p=[0.2, 0.05, 0.1, 0.2, 0.45])
        stars = np.where(arm & (generator.random(arm.shape) < moved), 5, stars)
        return (stars - 1) / 4

    return draw


RATED = 0.2 * 1 + 0.05 * 2 + 0.1 * 3 + 0.2 * 4 + 0.45 * 5


def latency(times: float, noise: Callable[[Draw, Any], Array]) -> Callable[[Draw, Array], Array]:
    """Logarithms of seconds, in the treated arm so many times as long."""
    return lambda generator, arm: (log(3.0) + noise(generator, arm.shape) + arm * log(times)) / log(MOST_TIMES)


def skewed(generator: Draw, shape: Any) -> Array:
    return generator.normal(0, 1, shape)


def hardly_bounded(generator: Draw, shape: Any) -> Array:
    """Seconds with Pareto's tail of index 1.1: a few answers take a hundred times as long as others."""
    return np.log1p(generator.pareto(1.1, shape))


def by_day_and_night(generator: Draw, arm: Array) -> Array:
    """Users who come by day mostly succeed, those by night mostly fail, whatever the arm."""
    chance = 0.6 + 0.3 * np.sin(np.arange(arm.shape[-1]) / 30)
    return (generator.random(arm.shape) < chance) * 1.0


def ratio(times: float) -> float:
    return log(times) / log(MOST_TIMES)


ALIKE = (
    Shape("success, 60 %", 0, success(0.6, 0.6)),
    Shape("success, 60 %, means of 1 to 20 answers that are alike", 0, several_answers(0.6, 0.6)),
    Shape("success, 90 % of users in one arm", 0, success(0.6, 0.6), share=0.1),
    Shape("success, 99 % of users in one arm", 0, success(0.6, 0.6), share=0.99),
    Shape("success that changes from day to night", 0, by_day_and_night, share=0.3),
    Shape("failures, 1 %", 0, success(0.01, 0.01)),
    Shape("failures, 1 %, 90 % of users in one arm", 0, success(0.01, 0.01), share=0.1),
    Shape("failures, 99 %", 0, success(0.99, 0.99), share=0.8),
    Shape("ratings, mostly 1 and 5", 0, ratings(0)),
    Shape("ratings, mostly 1 and 5, 80 % of users in one arm", 0, ratings(0), share=0.2),
    Shape("latency, skewed (lognormal)", 0, latency(1, skewed), is_ratio=True),
    Shape("latency, skewed, 90 % of users in one arm", 0, latency(1, skewed), share=0.1, is_ratio=True),
    Shape("latency, tail without a mean (Pareto)", 0, latency(1, hardly_bounded), share=0.7, is_ratio=True),
)
APART = (
    Shape("success, 60 % to 70 %", 0.1, success(0.6, 0.7)),
    Shape("success, 60 % to 50 %, 80 % of users in one arm", -0.1, success(0.6, 0.5), share=0.2),
    Shape("success, 50 % to 65 %, means of 1 to 20 answers", 0.15, several_answers(0.5, 0.65)),
    Shape("failures, 1 % to 5 %", 0.04, success(0.01, 0.05)),
    Shape("ratings, a fifth of users gives 5 instead", 0.2 * (5 - RATED) / 4, ratings(0.2)),
    Shape("latency, 1.5 times", ratio(1.5), latency(1.5, skewed), is_ratio=True),
    Shape("latency, half, 70 % of users in one arm", ratio(0.5), latency(0.5, skewed), share=0.7, is_ratio=True),
)


def steps_of(shape: Shape, experiments: int, users: int, generator: Draw) -> Array:
    """Steps of simulated experiments, each a row, through the code that real ones go through."""
    treated = generator.random((experiments, users)) < shape.share
    values = shape.draw(generator, treated)
    steps: Array = difference_steps(values, treated, shape.share, is_ratio=shape.is_ratio)
    return steps


def missed(steps: Array, share: float, value: float, alpha: float) -> Array:
    """After each user: whether the interval at that moment leaves out `value`."""
    limits = step_limits(share)
    needed = 2 / alpha
    above: Array = capital_path(steps, limits, value) >= needed
    below: Array = capital_path(-steps, limits, -value) >= needed
    return above | below


def misled(shape: Shape, experiments: int, users: int, seed: int = 0) -> Misled:
    """How often the interval leaves out the truth after any of the users."""
    steps = steps_of(shape, experiments, users, np.random.default_rng([seed, users]))
    share = float(missed(steps, shape.share, shape.truth, ALPHA).any(axis=-1).mean())
    return Misled(shape.name, shape.truth, users, share, _error(share, experiments))


def misled_by_several(arms: int, experiments: int, users: int) -> Misled:
    """The same with several arms like control: whether any of them is ever told apart from it."""
    generator = np.random.default_rng(arms)
    given = generator.integers(0, arms, (experiments, users))
    values = success(0.6, 0.6)(generator, given > 0)
    false = np.zeros(experiments, dtype=bool)
    for number in range(experiments):
        for arm in range(1, arms):
            pair = (given[number] == 0) | (given[number] == arm)
            steps = difference_steps(values[number][pair], given[number][pair] == arm, 0.5, is_ratio=False)
            false[number] |= missed(steps, 0.5, 0.0, ALPHA / (arms - 1)).any()
    share = float(false.mean())
    return Misled(f"success, {arms} arms", 0, users, share, _error(share, experiments))


def users_until_shown(shape: Shape, experiments: int, users: int, seed: int = 0) -> Array:
    """After how many users the difference first shows; infinite where it doesn't within `users`."""
    steps = steps_of(shape, experiments, users, np.random.default_rng(seed))
    shown = missed(steps, shape.share, 0.0, ALPHA)
    return np.where(shown.any(axis=-1), shown.argmax(axis=-1) + 1.0, np.inf)


def users_of_a_fixed_test(control: float, treated: float) -> int:
    """Users of both arms that a test with one look at its end needs for 80 % power at 5 % (normal approximation)."""
    variance = control * (1 - control) + treated * (1 - treated)
    return int(2 * (1.96 + 0.8416) ** 2 * variance / (treated - control) ** 2)


def _error(share: float, experiments: int) -> float:
    return 2 * sqrt(max(share * (1 - share), 1 / experiments) / experiments)


def main() -> None:
    """Print all figures."""
    experiments = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for users in (300, 2000):
        for shape in (*ALIKE, *APART):
            print(misled(shape, experiments, users), flush=True)
    for arms in (3, 5):
        print(misled_by_several(arms, experiments // 2, 1000), flush=True)
    for control, treated in ((0.6, 0.7), (0.6, 0.65), (0.6, 0.8)):
        shape = Shape("", treated - control, success(control, treated))
        needed = users_until_shown(shape, 500, 12_000)
        print(
            f"success {control:.0%} to {treated:.0%}: shown after {np.median(needed):,.0f} users in half, "
            f"{np.quantile(needed, 0.8):,.0f} in 80 % of the experiments; a test with a single look at its end needs "
            f"{users_of_a_fixed_test(control, treated):,} for 80 %"
        )


if __name__ == "__main__":
    main()
