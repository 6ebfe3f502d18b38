"""Golden values from the literature's own examples, agreement with scipy, and coverage in simulated experiments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evaluation.statistics import (
    clustered_standard_error,
    cohen_d,
    cohen_h,
    compare_paired,
    effective_count,
    exact_mcnemar,
    holm,
    mean_interval,
    more_items_needed,
    sign_flip_test,
    t_interval,
    wilson_interval,
)

Experiment = Callable[[np.random.Generator], tuple[list[float], list[float], list[int]]]


def test_mcnemar_has_its_golden_value() -> None:
    assert exact_mcnemar(121, 59).p_value == pytest.approx(4.434e-06, rel=1e-3)


def test_wilson_has_its_golden_value() -> None:
    interval = wilson_interval(9, 10, 0.95)
    assert (interval.low, interval.high) == (pytest.approx(0.59585, abs=1e-5), pytest.approx(0.98212, abs=1e-5))


def test_holm_has_its_golden_value() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_clustered_standard_error_has_its_golden_value() -> None:
    assert clustered_standard_error(range(20), [number % 4 for number in range(20)]) == pytest.approx(0.645, abs=5e-4)


def test_groups_of_one_item_give_the_usual_standard_error_and_interval() -> None:
    from scipy import stats

    values = [0.3, 1.4, -0.2, 2.2, 0.9]
    expected = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    interval = t_interval(values, range(5), 0.95)
    assert clustered_standard_error(values, range(5)) == pytest.approx(stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx(expected)


def test_newcombe_interval_has_the_value_of_his_paper() -> None:
    # Table II of Newcombe 1998, paired, example (a) of 36, 12, 2, 0 of 50: method 10 gives 0.0569 to 0.3404.
    reference = [1.0] * 36 + [0.0] * 2 + [1.0] * 12
    candidate = [1.0] * 36 + [1.0] * 2 + [0.0] * 12
    result = compare_paired(candidate, reference, range(50), confidence=0.95, seed=0)
    assert result.interval is not None
    assert result.difference == pytest.approx(0.2)
    assert (result.interval.low, result.interval.high) == (
        pytest.approx(0.0569, abs=2e-4),
        pytest.approx(0.3404, abs=2e-4),
    )


def test_the_exact_sign_flip_test_equals_scipy() -> None:
    from scipy import stats

    values = [0.4, -0.1, 1.2, 0.3, -0.6, 0.8, 0.2, 0.9]
    expected = stats.permutation_test((values,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_test(values, seed=0).p_value == pytest.approx(expected.pvalue)


def test_random_sign_flips_come_near_the_exact_test_and_never_say_zero() -> None:
    from scipy import stats

    gained, lost = 30, 14
    flipped = sign_flip_test([1.0] * gained + [-1.0] * lost, seed=0)
    assert flipped.p_value == pytest.approx(stats.binomtest(gained, gained + lost).pvalue, abs=0.005)
    assert "20,000" in flipped.method
    assert sign_flip_test([1.0] * 300, seed=0).p_value == pytest.approx(1 / 20_001)


def test_effect_sizes_have_their_definitions() -> None:
    assert cohen_h(0.25, 0.5).value == pytest.approx(2 * np.arcsin(np.sqrt(0.5)) - 2 * np.arcsin(np.sqrt(0.25)))
    assert cohen_d([1.0, 2.0, 3.0]).value == pytest.approx(2.0)
    assert cohen_d([0.0, 0.0]).value == 0.0


def test_identical_items_in_a_group_count_as_one_item() -> None:
    outcomes = [0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0] * 5
    groups = [index for index in range(40) for _ in range(3)]
    repeated = [outcome for outcome in outcomes for _ in range(3)]
    assert effective_count(repeated, groups, 0.95) <= 40
    alone, together = mean_interval(outcomes, range(40), 0.95), mean_interval(repeated, groups, 0.95)
    assert alone is not None and together is not None
    assert together.high - together.low >= alone.high - alone.low


def test_one_group_gives_no_interval() -> None:
    result = compare_paired([0.0, 0.0], [1.0, 1.0], ["a", "a"], confidence=0.95, seed=0)
    assert result.interval is None and result.test.p_value == 1.0
    assert mean_interval([1.0, 0.0], ["a", "a"], 0.95) is None


def test_the_items_said_to_be_needed_give_the_power_they_promise() -> None:
    # Standard deviation 1, a gap of 0.5: (1.96 + 0.8416)² / 0.25 = 31.4 items.
    assert more_items_needed(10, 1 / np.sqrt(10), 0.5, 0.95) == 22
    assert more_items_needed(100, 0.1, 0.5, 0.95) == 0
    assert more_items_needed(100, 0.0, 0.5, 0.95) is None


def binary(count: int, before: float, after: float) -> Experiment:
    def draw(generator: np.random.Generator) -> tuple[list[float], list[float], list[int]]:
        shared, own = generator.random(count), generator.random(count)
        second = np.where(generator.random(count) < 0.3, shared, own)
        return list((shared < before) * 1.0), list((second < after) * 1.0), list(range(count))

    return draw


def clustered_binary(count: int, size: int, before: float, after: float) -> Experiment:
    def draw(generator: np.random.Generator) -> tuple[list[float], list[float], list[int]]:
        groups = np.arange(count) // size
        columns = []
        for share in (before, after):
            own, together = generator.random(count), generator.random(groups[-1] + 1)[groups]
            columns.append(list((np.where(generator.random(count) < 0.6, together, own) < share) * 1.0))
        return columns[0], columns[1], [int(group) for group in groups]

    return draw


def heavy_tailed(count: int, size: int, shift: float) -> Experiment:
    def draw(generator: np.random.Generator) -> tuple[list[float], list[float], list[int]]:
        groups = np.arange(count) // size
        together = 0.7 * generator.standard_t(3, groups[-1] + 1)[groups]
        before = generator.standard_normal(count)
        after = before + together + generator.standard_t(3, count) + shift
        return list(before), list(after), [int(group) for group in groups]

    return draw


@pytest.mark.parametrize(
    ("experiment", "truth"),
    [
        pytest.param(binary(50, 0.5, 0.5), 0.0, id="binary, equal"),
        pytest.param(binary(50, 0.5, 0.7), 0.2, id="binary, better"),
        pytest.param(binary(50, 0.05, 0.95), 0.9, id="binary, near the ends"),
        pytest.param(clustered_binary(200, 4, 0.5, 0.7), 0.2, id="binary, clustered"),
        pytest.param(heavy_tailed(50, 1, 0.3), 0.3, id="heavy-tailed"),
        pytest.param(heavy_tailed(100, 4, 0.0), 0.0, id="heavy-tailed, clustered"),
    ],
)
def test_intervals_cover_the_truth_and_false_alarms_are_rare(experiment: Experiment, truth: float) -> None:
    generator = np.random.default_rng(7)
    rounds, covered, alarms = 200, 0, 0
    for number in range(rounds):
        before, after, groups = experiment(generator)
        result = compare_paired(before, after, groups, confidence=0.95, seed=number)
        assert result.interval is not None
        covered += result.interval.low <= truth + 1e-9 and truth - 1e-9 <= result.interval.high
        alarms += result.test.p_value <= 0.05
    # 200 rounds have a standard error of 1.5 points around 95 %.
    assert covered / rounds >= 0.91
    if truth == 0:
        assert alarms / rounds <= 0.08


def test_ignoring_clusters_would_not_cover() -> None:
    """The simulation can tell: with every item as its own group the same data are covered too seldom."""
    generator = np.random.default_rng(7)
    covered = 0
    for number in range(200):
        before, after, _ = clustered_binary(200, 10, 0.5, 0.7)(generator)
        interval = compare_paired(before, after, range(200), confidence=0.95, seed=number).interval
        assert interval is not None
        covered += interval.low <= 0.2 <= interval.high
    assert covered / 200 < 0.85
