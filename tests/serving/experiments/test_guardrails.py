"""An arm that fails or slows is stopped soon, with the reason; noise stops one no more often than promised."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from jobs.workspace import Workspace
from serving.experiments import Experiments, Outcome, watch
from serving.experiments.betting import capital_path, difference_steps, step_limits
from serving.experiments.guardrails import VIEWS
from serving.experiments.outcomes import MOST_TIMES
from tests.serving.experiments.people import BEGAN, HOUR, Behave, come, two_arms

SOON = BEGAN + 0.2 * HOUR
NEEDED = log(VIEWS * 2 / 0.05)


@pytest.fixture
def experiments(workspace: Workspace) -> Experiments:
    return Experiments(workspace)


def failing(chance: float, slower: float = 1.0) -> Behave:
    """B fails with a chance and takes so many times as long; A fails seldom."""

    def behave(arm: str, generator: np.random.Generator) -> Outcome:
        seconds = float(generator.lognormal(0, 0.7)) * (slower if arm == "B" else 1)
        return Outcome(error=bool(generator.random() < (chance if arm == "B" else 0.02)), seconds=seconds)

    return behave


def test_an_arm_that_always_fails_is_stopped_as_soon_as_it_may_be(experiments: Experiments) -> None:
    experiments.start(two_arms(guardrails={"least_answers": 4}))
    come(experiments, range(3), failing(1.0))
    assert watch(experiments, "greeting", SOON) == []
    come(experiments, range(3, 12), failing(1.0))
    (breach,) = watch(experiments, "greeting", SOON)
    assert breach.arm == "B"
    assert breach.reason.startswith("B fails: 100 % of the requests of ")
    assert breach.reason.endswith("surely more than the 10 % allowed")
    stopped = experiments.find("greeting")
    assert stopped.stopped_arms == {"B": breach.reason} and stopped.running
    assert {experiments.assign("greeting", str(user), None).model for user in range(50)} == {"A"}
    assert watch(experiments, "greeting", SOON) == []


def test_few_failures_stop_nothing_before_there_are_enough_answers(experiments: Experiments) -> None:
    experiments.start(two_arms(guardrails={"least_answers": 40}))
    come(experiments, range(40), failing(1.0))
    assert watch(experiments, "greeting", SOON) == []


def test_an_arm_that_takes_four_times_as_long_is_stopped(experiments: Experiments) -> None:
    experiments.start(two_arms())
    come(experiments, range(400), failing(0.02, slower=4.0))
    (breach,) = watch(experiments, "greeting", SOON)
    assert breach.reason.startswith("B is slow: its answers take ") and "2 times allowed" in breach.reason


def test_an_arm_that_breaks_later_in_the_hour_is_stopped_when_that_is_over(experiments: Experiments) -> None:
    experiments.start(two_arms())
    come(experiments, range(60), failing(0.0))
    come(experiments, range(60), lambda arm, _: Outcome(error=arm == "B"), answers=3, began=BEGAN + 0.5 * HOUR)
    assert watch(experiments, "greeting", BEGAN + 0.9 * HOUR) == []
    assert [breach.arm for breach in watch(experiments, "greeting", BEGAN + 2 * HOUR)] == ["B"]


def test_one_user_whose_requests_all_fail_stops_nothing(experiments: Experiments) -> None:
    experiments.start(two_arms())
    come(experiments, range(40), failing(0.0))
    arms = {user: experiments.assign("greeting", f"user-{user}", None).arm for user in range(40)}
    user = next(user for user, arm in arms.items() if arm == "B")
    always = range(user, user + 1)
    come(experiments, always, lambda *_: Outcome(error=True), answers=50, began=BEGAN + 60)
    assert watch(experiments, "greeting", BEGAN + 9 * HOUR) == []


def test_one_looks_again_when_there_is_more_to_see(experiments: Experiments) -> None:
    experiments.start(two_arms())
    come(experiments, range(200), failing(0.0))
    assert experiments.worth_a_look("greeting", SOON)
    assert not experiments.worth_a_look("greeting", SOON + 5)
    come(experiments, range(200, 203), failing(0.0))
    assert not experiments.worth_a_look("greeting", SOON + 10)
    come(experiments, range(203, 206), failing(0.0))
    assert experiments.worth_a_look("greeting", SOON + 15)
    assert experiments.worth_a_look("greeting", SOON + 15 + 600)


def test_guardrails_can_be_switched_off(experiments: Experiments) -> None:
    off = {"most_error_rate": None, "most_latency_times": None}
    experiments.start(two_arms(guardrails=off))
    come(experiments, range(60), failing(1.0))
    assert watch(experiments, "greeting", SOON) == []


def test_a_stopped_experiment_is_watched_no_more(experiments: Experiments) -> None:
    experiments.start(two_arms())
    come(experiments, range(60), failing(1.0))
    experiments.stop("greeting", "enough")
    assert watch(experiments, "greeting", SOON) == []


def test_noise_seldom_stops_an_arm_that_is_just_within_its_limits() -> None:
    """Both guardrails in both views, each exactly at its limit, looked at after every user."""
    generator = np.random.default_rng(0)
    shape = (600, 600)
    stopped = np.zeros(shape[0], dtype=bool)
    for limit in (0.1, 0.1):
        failed = (generator.random(shape) < limit) * 1.0
        stopped |= (capital_path(failed, limit, limit) >= np.exp(NEEDED)).any(axis=-1)
    for spread in (0.7, 1.5):
        treated = generator.random(shape) < 0.5
        values = (generator.normal(0, spread, shape) + treated * log(2)) / log(MOST_TIMES)
        steps = difference_steps(values, treated, 0.5, is_ratio=True)
        slow = capital_path(steps, step_limits(0.5), log(2) / log(MOST_TIMES)) >= np.exp(NEEDED)
        stopped |= slow.any(axis=-1)
    print(f"stopped by noise: {stopped.mean():.1%}")
    assert stopped.mean() <= 0.05


@pytest.mark.parametrize(("rate", "most"), [(1.0, 6), (0.5, 30), (0.2, 300)])
def test_users_until_a_failing_arm_is_stopped(rate: float, most: int) -> None:
    generator = np.random.default_rng(1)
    failed = (generator.random((300, 2000)) < rate) * 1.0
    over = capital_path(failed, 0.1, 0.1) >= np.exp(NEEDED)
    users = np.where(over.any(axis=-1), over.argmax(axis=-1) + 1, np.inf)
    print(f"fails on {rate:.0%}: stopped after {np.median(users):.0f} of its users")
    assert np.median(users) <= most
