"""Golden values from the literature's own examples, and agreement with scipy and statsmodels."""

from __future__ import annotations

import time

import numpy as np
import pytest

from benchmarks.coverage import binary, experiment
from evaluation.groups import clustered_standard_error, effective_count, effective_groups, grouped
from evaluation.intervals import bca_interval, mean_interval, resampled_interval, t_interval, wilson_interval
from evaluation.significance import cohen_d, cohen_h, exact_mcnemar, holm, more_items_needed, sign_flip_test
from evaluation.statistics import compare_paired


def test_mcnemar_has_its_golden_value() -> None:
    assert exact_mcnemar(121, 59).p_value == pytest.approx(4.434e-06, rel=1e-3)


def test_wilson_has_its_golden_value() -> None:
    interval = wilson_interval(9, 10, 0.95)
    assert (interval.low, interval.high) == (pytest.approx(0.59585, abs=1e-5), pytest.approx(0.98212, abs=1e-5))


def test_holm_has_its_golden_value() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_holm_equals_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    p_values = [0.2, 0.001, 0.04, 0.04, 0.9, 0.012]
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


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


def test_the_bootstrap_equals_scipy_at_the_raised_level() -> None:
    from scipy import stats

    generator = np.random.default_rng(5)
    values = generator.lognormal(0, 1, 40)
    quantile = np.sqrt(40 / 39) * stats.t.ppf(0.975, 39)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=50_000, confidence_level=1 - 2 * stats.norm.sf(quantile), rng=1
    ).confidence_interval
    found = bca_interval(grouped(values.tolist(), range(40)), range(40), 0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.06 * np.ptp(expected))


def test_the_bootstrap_of_groups_equals_scipys_of_their_sums_and_sizes() -> None:
    from scipy import stats

    generator = np.random.default_rng(6)
    groups = np.repeat(np.arange(30), generator.integers(1, 6, 30))
    values = generator.standard_exponential(30)[groups] + generator.standard_normal(len(groups))
    data = grouped(values.tolist(), groups.tolist())
    worth = effective_groups(groups.tolist())
    quantile = np.sqrt(worth / (worth - 1)) * stats.t.ppf(0.975, worth - 1)
    expected = stats.bootstrap(
        (data.sums, data.sizes),
        lambda sums, sizes, axis: sums.sum(axis) / sizes.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=50_000,
        confidence_level=1 - 2 * stats.norm.sf(quantile),
        rng=1,
    ).confidence_interval
    found = bca_interval(data, groups.tolist(), 0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.06 * np.ptp(expected))


def test_the_interval_of_a_difference_is_never_narrower_than_students() -> None:
    values = [0.1, 0.4, 0.0, 2.5, 0.2, 0.3, 0.0, 9.0, 0.1, 0.2, 0.6, 0.2]
    student, widest = t_interval(values, range(12), 0.95), resampled_interval(values, range(12), 0.95, bounds=None)
    assert widest.low <= student.low and widest.high > student.high
    assert widest.method == "the wider of BCa bootstrap and Student's t"


def test_bounded_scores_that_hardly_differ_still_leave_room() -> None:
    """Fifty equal scores don't prove that there is no difference at all: Wilson's 0 of 50 reaches to 7.1 %."""
    result = compare_paired([0.4] * 50, [0.4] * 50, range(50), confidence=0.95, seed=0)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == (
        pytest.approx(-0.0713, abs=1e-4),
        pytest.approx(0.0713, abs=1e-4),
    )


def test_wilson_and_the_clustered_error_equal_statsmodels() -> None:
    import statsmodels.api as models
    from statsmodels.stats.contingency_tables import mcnemar

    generator = np.random.default_rng(2)
    groups = generator.integers(0, 12, 60)
    values = generator.standard_normal(60) + groups
    fitted = models.OLS(values, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    # statsmodels' small-sample factor is G/(G-1) · (n-1)/(n-1) for a mean.
    assert clustered_standard_error(values.tolist(), groups.tolist()) == pytest.approx(fitted.bse[0])
    assert exact_mcnemar(12, 3).p_value == pytest.approx(mcnemar([[30, 12], [3, 30]], exact=True).pvalue)


def test_lopsided_groups_are_worth_fewer() -> None:
    assert effective_groups([0, 0, 1, 1, 2, 2]) == pytest.approx(3)
    assert effective_groups([0] * 9 + [1] + [2]) == pytest.approx(11**2 / 83)


def test_alike_groups_with_hardly_an_event_count_as_one_item_each() -> None:
    """One wrong answer in 40 groups of five can't show how alike the items of a group are."""
    groups = [number for number in range(40) for _ in range(5)]
    assert effective_count([0.0] * 199 + [1.0], groups, 0.95) <= 40
    half = [float(number % 2) for number in range(200)]
    assert effective_count(half, groups, 0.95) > 100


def test_ignoring_clusters_would_not_cover() -> None:
    """The simulation can tell: with every item as its own group the same data are covered too seldom."""
    generator = np.random.default_rng(7)
    kind = binary("clustered", 0.5, 0.7, (10,), 0.6)
    covered = 0
    for number in range(200):
        before, after = experiment(kind, 20, generator).scores
        interval = compare_paired(before, after, range(200), confidence=0.95, seed=number).interval
        assert interval is not None
        covered += interval.low <= 0.2 <= interval.high
    assert covered / 200 < 0.85


def test_a_verdict_on_a_thousand_items_takes_less_than_three_tenths_of_a_second() -> None:
    generator = np.random.default_rng(0)
    before, after = generator.random(1000).tolist(), generator.random(1000).tolist()
    started = time.process_time()
    compare_paired(before, after, range(1000), confidence=0.95, seed=0)
    assert time.process_time() - started < 0.3
