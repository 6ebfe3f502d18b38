"""Which combinations are made: a grid has each once, a sample is a seeded, even or weighted choice without repeats."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_src.expansion import ExpansionSpec
from datasets_src.expansion.plan import make_plans
from datasets_src.expansion.scenarios import Candidates, candidates, permuted


def found(parameters: dict[str, Any], limit: int = 1000, seed: int = 0, **options: Any) -> Candidates:
    template = {"prompt": "?", "answer": "!"}
    spec = ExpansionSpec.parse({"name": "toy", "parameters": parameters, "template": template, **options})
    return candidates(make_plans(spec)[0], seed, limit)


TWO_BY_THREE = {"a": [1, 2], "b": ["x", "y", "z"]}


def test_a_grid_has_every_combination_in_order() -> None:
    grid = found(TWO_BY_THREE)
    assert grid.total == 6
    assert [(values["a"], values["b"]) for values in grid.values] == [
        *((1, "x"), (1, "y"), (1, "z"), (2, "x"), (2, "y"), (2, "z"))
    ]


@given(st.integers(1, 500), st.integers(0, 2**63 - 1))
def test_a_permutation_gives_every_number_once(total: int, seed: int) -> None:
    assert sorted(permuted(place, total, seed, "order") for place in range(total)) == list(range(total))


def test_a_permutation_has_no_favourites() -> None:
    first = Counter(permuted(0, 10, seed, "order") for seed in range(2000))
    assert all(140 < first[number] < 260 for number in range(10))


def test_a_sample_of_all_is_the_grid_in_another_order() -> None:
    sample = [tuple(values.values()) for values in found(TWO_BY_THREE, mode="sample", count=6).values]
    grid = [tuple(values.values()) for values in found(TWO_BY_THREE).values]
    assert sorted(sample) == sorted(grid)
    assert sample != grid


def test_a_sample_from_more_combinations_than_memory_holds_is_spread_over_them() -> None:
    parameters = {name: {"start": 1, "stop": 1000, "step": 1} for name in "abcdefghijklmnop"}
    sample = found(parameters, mode="sample", count=300)
    assert sample.total is None
    values = list(islice(sample.values, 300))
    for name in parameters:
        assert 430 < sum(value[name] for value in values) / 300 < 570


def test_weights_decide_first_and_what_they_leave_out_comes_last() -> None:
    often = {"sampler": "choice", "values": ["often", "seldom", "never"], "weights": [9, 1, 0]}
    sample = found({"kind": often, "n": {"start": 1, "stop": 50, "step": 1}}, mode="sample", count=150)
    kinds = [values["kind"] for values in sample.values]
    assert sample.total == len(kinds) == 150
    assert Counter(kinds[:40])["often"] > 30
    assert set(kinds[-50:]) == {"never"}


@pytest.mark.parametrize("seed", [0, 1])
def test_a_sample_from_a_curve_never_repeats_a_combination(seed: int) -> None:
    few = {"sampler": "normal", "mean": 0, "deviation": 1, "digits": 0}
    values = [values["x"] for values in found({"x": few}, mode="sample", count=3, seed=seed).values]
    assert len(values) == len(set(values))
    assert {-1, 0, 1} <= set(values)
