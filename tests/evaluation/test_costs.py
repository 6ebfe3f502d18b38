"""What answers cost: sums that survive a resume, and memory that is really looked at."""

from __future__ import annotations

import time

from evaluation.costs import CostMeter, Reading, cost_of
from evaluation.item_log import Reply


def reply(tokens: int | None, seconds: float) -> Reply:
    return Reply("x", tokens, 5, seconds, ended=True)


def test_costs_add_up_over_answers_and_stretches() -> None:
    readings = [Reading(100, 2.0), Reading(300, 1.5), Reading(200, None)]
    cost = cost_of([reply(10, 0.5), reply(30, 1.5)], readings, [0.3, 0.1, 0.2])
    assert cost is not None
    assert (cost.seconds, cost.answer_tokens, cost.tokens_per_answer, cost.tokens_per_second) == (2.0, 40, 20.0, 20.0)
    assert (cost.time_to_first_token, cost.peak_memory_bytes, cost.energy_joules) == (0.2, 300, 3.5)


def test_what_is_not_known_is_none_rather_than_nothing() -> None:
    cost = cost_of([reply(None, 1.0)], [Reading(None, None)], [])
    assert cost is not None
    assert (cost.tokens_per_answer, cost.tokens_per_second, cost.time_to_first_token) == (None, None, None)
    assert (cost.peak_memory_bytes, cost.energy_joules) == (None, None)
    assert cost_of([], [], []) is None, "a model that wrote no answers has no cost"


def test_memory_that_is_given_back_before_the_end_counts() -> None:
    with CostMeter("process").stretch() as before:
        time.sleep(0.1)
    with CostMeter("process").stretch() as during:
        held = bytearray(200_000_000)
        held[::4096] = b"x" * len(held[::4096])
        time.sleep(0.3)
        del held
    grown = (during().peak_memory_bytes or 0) - (before().peak_memory_bytes or 0)
    assert 150e6 < grown < 300e6


def test_the_memory_of_a_server_elsewhere_is_not_ours() -> None:
    with CostMeter("elsewhere").stretch() as reading:
        pass
    assert reading().peak_memory_bytes is None
