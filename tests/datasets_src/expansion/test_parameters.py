"""Parameters give the values that they describe, each as often as it says, and the same ones every time."""

from __future__ import annotations

import math
import time
from collections import Counter
from statistics import mean, stdev
from typing import Any

import pytest
from pydantic import ValidationError

from datasets_src.expansion.parameters import Parameter, ParameterSpec
from jobs.errors import BadInput


def parameter(**options: Any) -> Parameter:
    return Parameter(ParameterSpec.model_validate(options))


def all_values(**options: Any) -> list[Any]:
    found = parameter(**options)
    assert found.size is not None
    return [found.at(place) for place in range(found.size)]


def draws(count: int = 4000, **options: Any) -> list[Any]:
    found = parameter(**options)
    return [found.draw(0, str(attempt)) for attempt in range(count)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"start": 1, "stop": 10, "step": 3}, [1, 4, 7, 10]),
        ({"start": 1, "stop": 9, "step": 3}, [1, 4, 7]),
        ({"start": 0, "stop": 0.5, "step": 0.1}, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"start": -1, "stop": 1, "count": 3}, [-1, 0, 1]),
        ({"start": 0, "stop": 1, "count": 4, "digits": 2}, [0, 0.33, 0.67, 1]),
        ({"start": 5, "stop": 5, "step": 1}, [5]),
        ({"sampler": "uniform", "low": 0.95, "high": 1.25, "digits": 1}, [1.0, 1.1, 1.2]),
    ],
)
def test_a_range_has_exactly_its_numbers(options: dict[str, Any], expected: list[Any]) -> None:
    assert all_values(**options) == expected


def test_whole_ranges_stay_whole_and_decimal_ones_decimal() -> None:
    assert {type(value) for value in all_values(start=1, stop=9, step=2)} == {int}
    assert {type(value) for value in all_values(start=1, stop=3, step=0.5)} == {float}


def test_a_plain_list_is_its_values() -> None:
    assert Parameter(ParameterSpec.model_validate(["a", 2, {"b": [1]}])).at(2) == {"b": [1]}


def test_a_huge_range_costs_nothing_until_it_is_looked_into() -> None:
    found = parameter(start=0, stop=1e15, step=0.001)
    assert found.size == 10**18 + 1
    assert found.at(10**18) == 1e15


def test_a_uniform_draw_reaches_both_ends_as_often_as_the_middle() -> None:
    counts = Counter(draws(6000, sampler="uniform", low=1, high=6, digits=0))
    assert sorted(counts) == [1, 2, 3, 4, 5, 6]
    assert all(850 < count < 1150 for count in counts.values())


def test_a_normal_draw_has_its_mean_and_deviation_and_keeps_its_bounds() -> None:
    free = draws(sampler="normal", mean=100, deviation=15)
    assert mean(free) == pytest.approx(100, abs=1)
    assert stdev(free) == pytest.approx(15, abs=0.7)
    bound = draws(sampler="normal", mean=0, deviation=10, low=-0.004, high=5, digits=1)
    assert min(bound) == 0.0
    assert max(bound) == 5.0
    # The curve within its bounds, not heaped up at them.
    assert Counter(bound).most_common(1)[0][1] < 200


def test_a_log_uniform_draw_reaches_each_order_of_magnitude_equally_often() -> None:
    found = draws(sampler="log_uniform", low=1e-5, high=1)
    orders = Counter(math.floor(math.log10(value)) for value in found)
    assert all(700 < orders[order] < 900 for order in range(-5, 0))
    assert all(value == float(f"{value:.3g}") for value in found)


def test_a_choice_goes_by_its_weights() -> None:
    counts = Counter(draws(sampler="choice", values=["a", "b", "never"], weights=[3, 1, 0]))
    assert counts["never"] == 0
    assert counts["a"] / counts["b"] == pytest.approx(3, rel=0.15)


def test_a_draw_depends_on_seed_and_key_alone() -> None:
    found = parameter(sampler="uniform", low=0, high=1, digits=6)
    assert found.draw(1, "a") == found.draw(1, "a")
    assert len({found.draw(1, "a"), found.draw(2, "a"), found.draw(1, "b")}) == 3
    # Written down, so that another machine or another version of Python that drew otherwise would be noticed.
    assert [found.draw(0, key) for key in "abc"] == [0.873209, 0.468883, 0.667175]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "either a list of values, or start and stop, or a sampler"),
        ({"values": [1], "start": 1, "stop": 2, "step": 1}, "either a list of values"),
        ({"values": []}, "at least 1"),
        ({"start": 1, "stop": 2}, "either step or count"),
        ({"start": 1, "stop": 2, "step": 1, "count": 2}, "either step or count"),
        ({"start": 2, "stop": 1, "step": 1}, "lies below start"),
        ({"start": 1, "stop": 2, "step": 0}, "greater than or equal"),
        ({"start": 1, "stop": 2, "step": 1, "low": 3}, "low has no meaning for a range"),
        ({"sampler": "uniform", "low": 1}, "takes low and high"),
        ({"sampler": "uniform", "low": 2, "high": 1}, "lies below low"),
        ({"sampler": "uniform", "low": 0.001, "high": 0.002}, "no number of 2 decimals"),
        ({"sampler": "normal", "mean": 1}, "takes mean and deviation"),
        ({"sampler": "log_uniform", "low": 0, "high": 1}, "above 0"),
        ({"sampler": "choice"}, "takes values"),
        ({"sampler": "choice", "values": [1, 2], "weights": [1]}, "1 weights are given for 2 values"),
        ({"sampler": "choice", "values": [1], "weights": [0]}, "not all 0"),
        ({"values": [{1: 2}]}, "names a part by a number"),
        ({"values": [float("nan")]}, "JSON has no number for"),
        ({"values": ["x" * 20_001]}, "20,000 characters"),
        ({"values": [[[[[[[[[[[[1]]]]]]]]]]]]}, "nested more than 10 deep"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_with_the_reason(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ParameterSpec.model_validate(options)


def test_a_value_that_repeats_itself_endlessly_is_refused_in_no_time() -> None:
    part: list[Any] = ["lol"] * 10
    for _ in range(8):
        part = [part] * 10
    started = time.perf_counter()
    with pytest.raises(BadInput, match="more than 100,000 values"):
        ParameterSpec.parse({"values": part})
    assert time.perf_counter() - started < 2
