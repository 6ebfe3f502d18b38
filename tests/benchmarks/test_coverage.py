"""A small simulation: intervals hold the truth, false alarms are rare, and the simulation would notice otherwise."""

from __future__ import annotations

import pytest

from benchmarks import coverage
from benchmarks.coverage import (
    ALIKE,
    KINDS,
    Alarms,
    Coverage,
    alarms_of,
    broken_promises,
    coverage_of,
    coverage_of_share,
)
from evaluation.intervals import Interval, t_interval

EXPERIMENTS = 250
# Three standard errors below the promise of 93 %, three above that of 5 %: a chance failure of about 1 in 700.
LEAST, MOST = 0.93 - 0.048, 0.05 + 0.041


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_intervals_from_50_items_on_hold_the_truth(kind: coverage.Kind) -> None:
    found = coverage_of(kind, 50, EXPERIMENTS)
    assert found.covered >= LEAST


def test_where_intervals_fall_short_the_verdict_says_too_few_items() -> None:
    skewed = next(kind for kind in KINDS if kind.name.startswith("skewed"))
    found = coverage_of(skewed, 20, EXPERIMENTS)
    assert found.falls_short and found.enough == 0.0


@pytest.mark.parametrize("most", [1.0, 0.1])
def test_one_models_share_is_held_by_its_interval(most: float) -> None:
    assert coverage_of_share("share", most, coverage.SEVERAL, 50, EXPERIMENTS).covered >= LEAST


@pytest.mark.parametrize("kind", ALIKE, ids=lambda kind: kind.name)
def test_models_that_are_alike_are_rarely_told_apart(kind: coverage.Kind) -> None:
    assert alarms_of(kind, 50, 1, EXPERIMENTS).share <= MOST


def test_the_best_of_four_models_that_are_alike_is_rarely_told_apart() -> None:
    assert alarms_of(ALIKE[0], 50, 4, EXPERIMENTS).share <= MOST


def test_the_simulation_notices_an_interval_that_is_too_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    def narrow(before: list[float], after: list[float], groups: list[int], confidence: float) -> Interval:
        differences = [right - left for left, right in zip(before, after, strict=True)]
        return t_interval(differences, groups, confidence)

    skewed = next(kind for kind in KINDS if kind.name.startswith("skewed"))
    monkeypatch.setattr(coverage, "difference_interval", narrow)
    assert coverage_of(skewed, 20, 2 * EXPERIMENTS).certainly


def test_a_broken_promise_is_named() -> None:
    short = Coverage("0/1", 50, "difference", 0.88, 0.02, 0.1, 1.0)
    excused = Coverage("0/1", 20, "difference", 0.88, 0.02, 0.1, 0.0)
    assert short.certainly and excused.certainly
    assert broken_promises([short, excused], [Alarms("0/1", 50, 1, 0.09, 0.01)]) == [
        "Coverage of 88.0 %: 0/1, 50",
        "9.0 % false alarms: 0/1, 50",
    ]
    assert broken_promises([excused], [Alarms("0/1", 50, 1, 0.055, 0.01)]) == []
