"""Who gets which arm: shared out as the percentages say, the same everywhere, and moved no more than needed."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import BadInput
from serving.experiments import ExperimentSpec, arm_of
from serving.experiments.assignment import Segment, arm_at, place_of, resized, segments_of

PROJECT = Path(__file__).resolve().parents[3]
USERS = [f"user-{number}" for number in range(100_000)]
THREE = [{"model": "a", "percentage": 50}, {"model": "b", "percentage": 30}, {"model": "c", "percentage": 20}]


def described(**changes: Any) -> ExperimentSpec:
    return ExperimentSpec.parse({"name": "greeting", "arms": THREE, "salt": "s1", **changes})


def within_binomial_error(count: int, total: int, share: float) -> bool:
    return abs(count - total * share) < 4 * sqrt(total * share * (1 - share))


def test_a_hundred_thousand_users_split_within_the_binomial_error() -> None:
    spec = described()
    found = [arm_of(spec, user) for user in USERS]
    for arm, share in (("a", 0.5), ("b", 0.3), ("c", 0.2)):
        assert within_binomial_error(found.count(arm), len(USERS), share), (arm, found.count(arm))


def test_another_salt_shares_users_out_independently() -> None:
    one, other = described(), described(salt="s2")
    both = [(arm_of(one, user), arm_of(other, user)) for user in USERS]
    for first, first_share in (("a", 0.5), ("b", 0.3), ("c", 0.2)):
        for second, second_share in (("a", 0.5), ("b", 0.3), ("c", 0.2)):
            assert within_binomial_error(both.count((first, second)), len(USERS), first_share * second_share)


def test_the_same_user_gets_the_same_arm_in_another_process() -> None:
    code = (
        "import sys; from serving.experiments import ExperimentSpec, arm_of\n"
        "spec = ExperimentSpec.parse_raw(sys.argv[1])\n"
        "print(' '.join(arm_of(spec, f'user-{number}') for number in range(500)))"
    )
    spec = described()
    here = [arm_of(spec, user) for user in USERS[:500]]
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code.replace("parse_raw", "model_validate_json"), spec.model_dump_json()],
            cwd=PROJECT, env={"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.split() == here


def test_the_arm_is_pinned_so_that_no_later_version_moves_anybody() -> None:
    assert place_of("s1", "user alice") == pytest.approx(34.73528399759468, abs=1e-9)
    assert [arm_of(described(), f"user-{number}") for number in range(12)] == list("bbaababbcaca")


@given(st.text(), st.text(min_size=1))
def test_every_id_has_a_place(user: str, salt: str) -> None:
    assert 0 <= place_of(salt, user) < 100


def test_half_a_surrogate_pair_is_an_id_too() -> None:
    assert arm_of(described(), "\ud83d") in ("a", "b", "c")


shares = st.lists(st.integers(1, 50), min_size=3, max_size=3).map(lambda parts: [100 * p / sum(parts) for p in parts])


@given(shares, shares, shares)
def test_a_change_of_percentages_moves_only_as_many_as_it_has_to(
    one: list[float], two: list[float], three: list[float]
) -> None:
    segments: tuple[Segment, ...] = tuple(Segment(arm, share) for arm, share in zip("abc", one, strict=True))
    for before, after in ((one, two), (two, three)):
        changed = resized(segments, dict(zip("abc", after, strict=True)))
        for arm, share in zip("abc", after, strict=True):
            assert sum(each.width for each in changed if each.arm == arm) == pytest.approx(share, abs=1e-6)
        moved = moved_share(segments, changed)
        assert moved == pytest.approx(sum(max(0, x - y) for x, y in zip(before, after, strict=True)), abs=1e-6)
        segments = changed


def moved_share(before: tuple[Segment, ...], after: tuple[Segment, ...]) -> float:
    """The percentage of places that belong to another arm."""
    ends: set[float] = set()
    for segments in (before, after):
        end = 0.0
        for segment in segments:
            end += segment.width
            ends.add(end)
    marks = [0.0, *sorted(ends)]
    pairs = list(pairwise(marks))
    return sum(high - low for low, high in pairs if arm_at(before, (low + high) / 2) != arm_at(after, (low + high) / 2))


def test_the_places_of_a_new_experiment_are_in_the_arms_order() -> None:
    assert segments_of(described()) == (Segment("a", 50), Segment("b", 30), Segment("c", 20))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"arms": THREE[:2]}, "make 80, not 100"),
        ({"arms": [{"model": "a", "percentage": 50}] * 2}, "two arms are called a"),
        ({"arms": [{"model": "a", "percentage": 100}]}, "arms"),
        ({"arms": [{"model": "a", "percentage": 99.5}, {"model": "b", "percentage": 0.5}]}, "percentage"),
        ({"control": "z"}, "control 'z' is no arm"),
        ({"name": "../up"}, "name"),
        ({"outcome": "profit"}, "outcome"),
        ({"alpha": 0}, "alpha"),
        ({"window_hours": 0}, "window_hours"),
        ({"guardrails": {"most_latency_times": 1}}, "most_latency_times"),
        ({"armz": []}, "did you mean arms"),
    ],
)
def test_a_description_that_cannot_be_run_is_refused_with_the_reason(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        described(**changes)


def test_two_arms_of_one_model_are_told_apart_by_their_names() -> None:
    spec = described(arms=[{"model": "a", "percentage": 50}, {"model": "a", "name": "again", "percentage": 50}])
    assert (spec.control_arm.label, spec.others) == ("a", ["again"])


def test_every_experiment_has_a_salt_of_its_own() -> None:
    assert len({ExperimentSpec.parse({"name": "x", "arms": THREE}).salt for _ in range(3)}) == 3
