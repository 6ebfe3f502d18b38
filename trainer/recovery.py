"""What a run gives up so that it can go on: step by step, told each time, never the effective batch.

Memory full: smaller batches with more accumulation → gradient checkpointing → shorter packs. Loss that is no number:
back to the last checkpoint with half the learning rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainer.plan import Plan

SHORTEST_PACK = 128
LOWER_RATE = 0.5


class Diverged(Exception):
    """The loss or the gradient is no number. `step` is the one that could not be made."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(f"{what} at step {step}")
        self.step = step
        self.what = what


@dataclass(frozen=True)
class Change:
    """The plan to go on with, and what was changed, in words."""

    plan: Plan
    what: str


def after_memory_was_full(plan: Plan, longest_row: int) -> Change | None:
    """The next thing to give up; None when nothing is left. `longest_row` in tokens: no pack can be shorter."""
    smaller = largest_divisor_below(plan.effective_batch, plan.batch_size)
    if smaller is not None:
        accumulation = plan.effective_batch // smaller
        return Change(
            replace(plan, batch_size=smaller, gradient_accumulation=accumulation),
            f"Batch {plan.batch_size} → {smaller}, accumulation {plan.gradient_accumulation} → {accumulation}: "
            f"still {plan.effective_batch} rows a step",
        )
    if not plan.gradient_checkpointing:
        return Change(
            replace(plan, gradient_checkpointing=True),
            "Gradient checkpointing on: parts are computed twice instead of kept",
        )
    shortest = max(SHORTEST_PACK, longest_row)
    if plan.batching == "packing" and plan.max_length > shortest:
        shorter = max(shortest, plan.max_length // 2)
        return Change(
            replace(plan, max_length=shorter), f"Packs of {plan.max_length} → {shorter} tokens; no row is cut"
        )
    return None


def largest_divisor_below(effective: int, batch: int) -> int | None:
    """The largest batch of at most half of `batch` that divides the effective one; None for a batch of one row."""
    return next((size for size in range(batch // 2, 0, -1) if effective % size == 0), None)


def after_divergence(plan: Plan, tries: int, allowed: int) -> Change | None:
    """Half the learning rate; None when that was done `allowed` times already."""
    if tries >= allowed:
        return None
    rate = plan.learning_rate * LOWER_RATE
    return Change(replace(plan, learning_rate=rate), f"Learning rate {plan.learning_rate:.3g} → {rate:.3g}")
