"""What a run gives up, in which order, and what it says then."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from trainer.plan import Plan, difference, with_changes
from trainer.recovery import after_divergence, after_memory_was_full, largest_divisor_below

PLAN = Plan(
    backend="peft",
    dtype="bf16",
    learning_rate=2e-4,
    total_steps=100,
    evaluate_every=20,
    batch_size=8,
    gradient_accumulation=1,
    gradient_checkpointing=False,
    batching="packing",
    optimiser="adamw_torch_fused",
    max_length=1000,
)


def ladder(plan: Plan, longest_row: int) -> list[Plan]:
    """All plans that a run comes to whose memory is always full."""
    change = after_memory_was_full(plan, longest_row)
    return [] if change is None else [change.plan, *ladder(change.plan, longest_row)]


def test_the_ladder_goes_from_smaller_batches_to_checkpointing_to_shorter_packs_and_ends() -> None:
    rungs = [
        (plan.batch_size, plan.gradient_accumulation, plan.gradient_checkpointing, plan.max_length)
        for plan in ladder(PLAN, longest_row=300)
    ]
    assert rungs == [
        (4, 2, False, 1000),
        (2, 4, False, 1000),
        (1, 8, False, 1000),
        (1, 8, True, 1000),
        (1, 8, True, 500),
        (1, 8, True, 300),
    ]


@pytest.mark.parametrize(("batch", "accumulation"), [(8, 1), (6, 1), (5, 2), (7, 3), (12, 1), (1, 4)])
def test_no_rung_changes_the_effective_batch_or_the_number_of_steps(batch: int, accumulation: int) -> None:
    plan = replace(PLAN, batch_size=batch, gradient_accumulation=accumulation)
    for rung in ladder(plan, 300):
        assert rung.effective_batch == batch * accumulation
        assert rung.total_steps == plan.total_steps


def test_a_batch_is_at_least_halved_to_one_that_divides_the_effective_batch() -> None:
    assert [largest_divisor_below(12, size) for size in (12, 6, 3)] == [6, 3, 1]
    assert largest_divisor_below(10, 5) == 2
    assert largest_divisor_below(7, 7) == 1
    assert largest_divisor_below(8, 1) is None


def test_rows_are_never_cut_and_packs_of_rows_that_are_not_packed_never_shortened() -> None:
    last = ladder(PLAN, longest_row=990)[-1]
    assert last.max_length == 990
    assert ladder(PLAN, longest_row=10)[-1].max_length == 128, "shorter ones would save next to nothing"
    assert {plan.max_length for plan in ladder(replace(PLAN, batching="padding_free"), 10)} == {1000}


def test_each_change_is_told_with_both_values() -> None:
    change = after_memory_was_full(PLAN, 300)
    assert change is not None
    assert change.what == "Batch 8 → 4, accumulation 1 → 2: still 8 rows a step"
    change = after_divergence(PLAN, tries=0, allowed=1)
    assert change is not None
    assert change.what == "Learning rate 0.0002 → 0.0001"


def test_the_rate_is_halved_as_often_as_allowed() -> None:
    change = after_divergence(PLAN, tries=2, allowed=3)
    assert change is not None
    assert change.plan == replace(PLAN, learning_rate=1e-4)
    assert after_divergence(PLAN, tries=3, allowed=3) is None
    assert after_divergence(PLAN, tries=0, allowed=0) is None


def test_a_plan_is_found_again_from_the_changes_that_were_recorded() -> None:
    plans = [PLAN, *ladder(PLAN, 300)]
    slower = after_divergence(plans[-1], 0, 1)
    assert slower is not None
    plans.append(slower.plan)
    changes = [{"what": "", "plan": difference(before, after)} for before, after in pairwise(plans)]
    assert with_changes(PLAN, [{"what": "Going on from checkpoint 2"}, *changes]) == plans[-1]
