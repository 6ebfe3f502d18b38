"""Results are told as sentences: how much better or worse, how sure, of how many users, and what is still missing."""

from __future__ import annotations

import re

import numpy as np
import pytest

from jobs.workspace import Workspace
from serving.experiments import Experiments, Outcome, compare
from serving.experiments.outcomes import MEASURES
from serving.experiments.verdict import Found, sentence
from tests.serving.experiments.people import BEGAN, HOUR, Behave, come, succeeding, two_arms

LATER = BEGAN + 9 * HOUR


@pytest.fixture
def experiments(workspace: Workspace) -> Experiments:
    return Experiments(workspace)


def found(measure: str, difference: float, low: float, high: float, **changes: object) -> Found:
    values = {
        "arm": "B", "control": "A", "measure": MEASURES[measure], "users": {"B": 400, "A": 412},
        "difference": difference, "low": low, "high": high, "confidence": 0.95, "more_users": None, "uneven": None,
        "kept_together": "user", **changes,
    }  # fmt: skip
    return Found(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            found("success", 0.062, 0.01, 0.114),
            "B is better than A by 6.2 points of success (always-valid 95 % interval 1.0 to 11.4; 812 users), looked "
            "at any time",
        ),
        (
            found("edited", 0.01, 0.002, 0.05),
            "B is worse than A by 1.0 point of edited (always-valid 95 % interval 0.2 to 5.0; 812 users), looked at "
            "any time",
        ),
        (
            found("rating", -0.1, -0.15, -0.05),
            "B is worse than A by 0.40 stars of rating (always-valid 95 % interval 0.20 to 0.60; 812 users), looked at "
            "any time",
        ),
        (
            found("latency", -1 / 3, -0.5, -1 / 6),
            "B is better than A by 50.0 % of latency (always-valid 95 % interval 29.3 to 64.6; 812 users), looked at "
            "any time",
        ),
        (
            found("length", 1 / 3, 1 / 6, 0.5, confidence=0.99, kept_together="conversation"),
            "B is worse than A by 100.0 % of length (always-valid 99 % interval 41.4 to 182.8; 812 conversations), "
            "looked at any time",
        ),
        (
            found("success", 0.02, -0.03, 0.07, more_users=1234),
            "no difference in success shown yet between B and A (always-valid 95 % interval -3.0 to 7.0; 812 users); "
            "about 1,300 more users would settle a 5-point difference, looked at any time",
        ),
        (
            found("latency", 0.0, -0.1, 0.1, more_users=0),
            "no difference in latency shown yet between B and A (always-valid 95 % interval -18.8 to 23.1; 812 users); "
            "one of 10 % would most likely have shown by now, looked at any time",
        ),
        (
            found("success", 0.0, -1, 1, users={"B": 0, "A": 3}),
            "nothing can be said yet: no user of B with a figure for success counts",
        ),
        (
            found("success", 0.3, 0.2, 0.4, uneven="B has 61.0 % of the users in place of 50.0 %"),
            "B and A can't be compared: B has 61.0 % of the users in place of 50.0 %; look for what keeps users of one "
            "of them from being counted",
        ),
    ],
)
def test_the_sentence(given: Found, said: str) -> None:
    assert sentence(given) == said


def test_a_better_arm_is_found_through_the_store(experiments: Experiments) -> None:
    experiments.start(two_arms())
    come(experiments, range(300), succeeding(A=0.4, B=0.8))
    (comparison,) = compare(experiments, "greeting", LATER)
    assert comparison.result == "better"
    assert 0 < comparison.low < 40 < comparison.high < 70
    assert sum(comparison.users.values()) == 300
    assert re.fullmatch(
        r"B is better than A by [\d.]+ points of success \(always-valid 95 % interval [\d.]+ to [\d.]+; 300 users\), "
        r"looked at any time",
        comparison.sentence,
    )


def test_fewer_edits_are_better_and_longer_answers_are_worse(experiments: Experiments) -> None:
    def behave(arm: str, generator: np.random.Generator) -> Outcome:
        edited = bool(generator.random() < (0.1 if arm == "B" else 0.6))
        return Outcome(error=False, edited=edited or None, tokens=300 if arm == "B" else 100)

    for name, outcome in (("edits", "edited"), ("lengths", "length")):
        experiments.start(two_arms(name=name, outcome=outcome))
        come(experiments, range(200), behave, name=name)
    assert compare(experiments, "edits", LATER)[0].result == "better"
    longer = compare(experiments, "lengths", LATER)[0]
    assert (longer.result, longer.unit) == ("worse", "%")
    assert longer.low < 200 < longer.high


def test_each_of_three_arms_is_compared_with_control(experiments: Experiments) -> None:
    arms = [{"model": name, "percentage": share} for name, share in (("A", 40), ("B", 30), ("C", 30))]
    experiments.start(two_arms(arms=arms, control="B"))
    come(experiments, range(400), succeeding(A=0.9, B=0.3, C=0.3))
    one, two = compare(experiments, "greeting", LATER)
    assert (one.arm, one.control, one.result) == ("A", "B", "better")
    assert (two.arm, two.control, two.result) == ("C", "B", "no difference shown yet")


def test_heavy_users_count_once(experiments: Experiments) -> None:
    """A user who asks a thousand times is one user: nothing can be known from one each."""
    experiments.start(two_arms())
    come(experiments, range(8), succeeding(A=0.0, B=1.0), answers=30)
    (comparison,) = compare(experiments, "greeting", LATER)
    assert comparison.result == "no difference shown yet"
    assert sum(comparison.users.values()) == 8


def test_an_arm_that_loses_its_users_is_not_compared(experiments: Experiments) -> None:
    experiments.start(two_arms())

    def behave(arm: str, generator: np.random.Generator) -> Outcome:
        # Only those whom B pleased say anything.
        pleased = generator.random() < 0.3
        return Outcome(error=False, success=1.0 if pleased or arm == "A" else None)

    come(experiments, range(400), behave)
    (comparison,) = compare(experiments, "greeting", LATER)
    assert comparison.result == "not comparable"
    assert comparison.uneven is not None
    assert re.fullmatch(
        r"B has \d\d\.\d % of the users with a figure for success in place of 50.0 %", comparison.uneven
    )


def test_nothing_is_said_before_anybody_came(experiments: Experiments) -> None:
    experiments.start(two_arms())
    (comparison,) = compare(experiments, "greeting", LATER)
    assert comparison.result == "too few users"
    assert comparison.sentence == "nothing can be said yet: no user of B and A with a figure for success counts"


def test_looking_every_few_minutes_shows_nothing_where_arms_are_alike(
    experiments: Experiments,
) -> None:
    experiments.start(two_arms())
    behave: Behave = succeeding(A=0.5, B=0.5)
    come(experiments, range(200), behave, answers=2, apart_seconds=60)
    looks = np.arange(1, 300, 5) * 60 + BEGAN + HOUR
    results = [compare(experiments, "greeting", float(moment))[0] for moment in looks]
    assert {each.result for each in results} <= {"too few users", "no difference shown yet"}
    assert [sum(each.users.values()) for each in results] == sorted(sum(each.users.values()) for each in results)
