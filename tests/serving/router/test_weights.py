"""Weights: in proportion, the same for the same asker everywhere, moved as little as possible by a change."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from serving.router.chooser import Chooser
from serving.router.question import Question
from serving.router.spec import RouterSpec
from serving.router.weights import drawn_choice, sticky_choice

WEIGHTS = {"small": 0.7, "large": 0.3}
USERS = [f"user {n}" for n in range(20_000)]
PROJECT = Path(__file__).resolve().parents[3]


def choices(weights: dict[str, float], salt: str = "s", purpose: str = "rule") -> list[str]:
    return [sticky_choice(weights, salt, purpose, user) for user in USERS]


def test_askers_are_shared_out_in_proportion_within_the_binomial_error() -> None:
    counts = Counter(choices({"a": 1, "b": 2, "c": 5}))
    for name, share in (("a", 1 / 8), ("b", 2 / 8), ("c", 5 / 8)):
        error = (share * (1 - share) / len(USERS)) ** 0.5
        assert abs(counts[name] / len(USERS) - share) < 4 * error


def test_another_process_chooses_the_same() -> None:
    code = (
        "from serving.router.weights import sticky_choice\n"
        f"print(*[sticky_choice({WEIGHTS!r}, 's', 'rule', f'user {{n}}') for n in range(300)])"
    )
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == choices(WEIGHTS)[:300]


def test_the_order_of_names_does_not_matter_and_the_scale_of_weights_neither() -> None:
    assert choices(WEIGHTS)[:500] == choices({"large": 3, "small": 7})[:500]


def test_a_changed_weight_moves_only_who_has_to_move() -> None:
    before, after = choices({"a": 50, "b": 50}), choices({"a": 50, "b": 50, "c": 25})
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {"c"}
    assert abs(len(moved) / len(USERS) - 0.2) < 0.015


def test_salt_and_rule_share_askers_out_independently() -> None:
    first = choices(WEIGHTS)
    for other in (choices(WEIGHTS, salt="t"), choices(WEIGHTS, purpose="another rule")):
        both = sum(a == b == "large" for a, b in zip(first, other, strict=True)) / len(USERS)
        assert abs(both - 0.09) < 0.01


def test_the_user_decides_before_the_conversation_and_nobody_is_drawn() -> None:
    spec = RouterSpec.parse({"default": WEIGHTS})
    router = Chooser(spec, list(WEIGHTS), draw=lambda: 0.8)
    by_user = {router.choose(Question("x", user="anna", conversation=str(n))).target for n in range(50)}
    by_conversation = {router.choose(Question("x", conversation="one")).target for _ in range(50)}
    assert len(by_user) == len(by_conversation) == 1
    assert len({router.choose(Question("x", conversation=str(n))).target for n in range(50)}) == 2
    nobody = router.choose(Question("x"))
    assert nobody.target == "large"
    assert nobody.reason == "there are no rules; large by its weight of 30% (drawn, since nobody is named as asking)"


def test_every_fraction_draws_a_name() -> None:
    assert [drawn_choice(WEIGHTS, fraction) for fraction in (0.0, 0.69, 0.71, 0.999999)] == [
        "small",
        "small",
        "large",
        "large",
    ]
    assert drawn_choice({"a": 0.1, "b": 0.2}, 1 - 2**-53) == "b"
