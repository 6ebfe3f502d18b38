"""Looking after every user misleads no more often than promised, and a real difference is found in good time."""

from __future__ import annotations

import numpy as np
import pytest

from serving.experiments.betting import (
    FRACTIONS,
    capital_path,
    difference_steps,
    interval,
    log_capital,
    lower_end,
    step_limits,
    users_needed,
)
from tests.serving.experiments.simulation import (
    ALIKE,
    ALPHA,
    APART,
    Shape,
    misled,
    misled_by_several,
    missed,
    steps_of,
    success,
    users_of_a_fixed_test,
    users_until_shown,
)


@pytest.mark.parametrize("shape", [*ALIKE, *APART], ids=lambda shape: shape.name)
def test_looking_after_every_user_seldom_misleads(shape: Shape) -> None:
    found = misled(shape, experiments=600, users=500)
    print(found)
    assert found.share <= ALPHA


@pytest.mark.slow
@pytest.mark.parametrize("shape", [*ALIKE, *APART], ids=lambda shape: shape.name)
def test_longer_experiments_seldom_mislead_either(shape: Shape) -> None:
    found = misled(shape, experiments=2000, users=3000, seed=1)
    print(found)
    assert found.share <= ALPHA


@pytest.mark.parametrize("arms", [3, 5])
def test_several_arms_share_the_false_alarms_of_one(arms: int) -> None:
    found = misled_by_several(arms, experiments=400, users=600)
    print(found)
    assert found.share <= ALPHA


def test_percentages_that_change_on_the_way_do_not_mislead() -> None:
    generator = np.random.default_rng(3)
    share = np.where(np.arange(500) < 200, 0.5, 0.9)
    treated = generator.random((600, 500)) < share
    # Later users succeed more often, whatever their arm: comparing plain means would blame it on the change.
    values = (generator.random(treated.shape) < np.where(np.arange(500) < 200, 0.3, 0.8)) * 1.0
    steps = difference_steps(values, treated, share, is_ratio=False)
    limits = step_limits(share)
    false = (capital_path(steps, limits, 0) >= 2 / ALPHA) | (capital_path(-steps, limits, 0) >= 2 / ALPHA)
    assert false.any(axis=-1).mean() <= ALPHA
    plain = [row[arm].mean() - row[~arm].mean() for row, arm in zip(values, treated, strict=True)]
    assert np.mean(plain) > 0.15


def test_a_ten_point_difference_is_found_with_at_most_three_times_the_users_of_a_fixed_test() -> None:
    needed = users_until_shown(Shape("", 0.1, success(0.6, 0.7)), experiments=300, users=4000)
    fixed = users_of_a_fixed_test(0.6, 0.7)
    half, most = np.median(needed), np.quantile(needed, 0.8)
    print(f"60 % to 70 %: half after {half:.0f} users, 80 % after {most:.0f}; a fixed test needs {fixed}")
    assert half < 2 * fixed
    assert most < 3 * fixed


@pytest.mark.parametrize("gap", [0.05, 0.1, 0.2])
def test_the_number_of_users_foretold_shows_the_difference_four_times_in_five(gap: float) -> None:
    shape = Shape("", gap, success(0.5 - gap / 2, 0.5 + gap / 2))
    foretold = users_needed(1.0, 3.0, gap, ALPHA)
    assert foretold is not None
    shown = np.isfinite(users_until_shown(shape, 300, foretold)).mean()
    print(f"{gap:.0%}: {foretold} users, shown in {shown:.0%}")
    assert 0.7 <= shown <= 0.95


def test_nothing_is_foretold_without_any_spread() -> None:
    assert users_needed(0.0, 3.0, 0.05, ALPHA) is None


def test_the_interval_is_where_the_capital_stays_low() -> None:
    shape = APART[0]
    steps = steps_of(shape, 1, 800, np.random.default_rng(0))[0]
    limits = step_limits(np.full(800, 0.5))
    low, high = interval(steps, limits, ALPHA)
    assert low < steps.mean() < high
    for end, outside in ((low, low - 1e-4), (high, high + 1e-4)):
        assert bool(missed(steps, 0.5, outside, ALPHA)[-1]) and not bool(missed(steps, 0.5, end * 0.999, ALPHA)[-1])


def test_a_long_experiment_is_computed_in_parts_with_the_same_result() -> None:
    steps = steps_of(ALIKE[0], 1, 45_000, np.random.default_rng(0))[0]
    path = capital_path(steps[:3000], 3.0, 0.01)
    assert log_capital(steps[:3000], 3.0, 0.01) == pytest.approx(float(np.log(path[-1])))
    limits = np.full(45_000, 3.0)
    whole = sum(np.exp(np.log1p(f * (steps - 0.01) / 3).sum()) for f in FRACTIONS) / len(FRACTIONS)
    assert log_capital(steps, limits, 0.01) == pytest.approx(float(np.log(whole)))


def test_before_anybody_came_everything_is_possible() -> None:
    nobody = np.array([])
    assert interval(nobody, nobody, ALPHA) == (-1, 1)
    assert lower_end(nobody, 3.0, ALPHA) == -1


def test_no_sequence_of_users_makes_the_capital_negative() -> None:
    for share in (0.01, 0.5, 0.99):
        treated = np.array([True, False, True, False])
        for values in ([0, 1, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]):
            steps = difference_steps(np.array(values, dtype=float), treated, share, is_ratio=False)
            for sign in (1, -1):
                assert (capital_path(sign * steps, step_limits(share), 1.0) > 0).all()
