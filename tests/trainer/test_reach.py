"""The largest models that machines reach, and what a beginner is offered."""

from __future__ import annotations

import pytest

from models.hardware import GB, Gpu, Hardware
from trainer.memory.reach import EMBEDDED, emptied, preset_for, reach


def machine(card_gb: float | None, free_gb: float | None = None) -> Hardware:
    """A machine with one card of that size, or with none."""
    free = card_gb if free_gb is None else free_gb
    cards = [Gpu(0, "a card", round(card_gb * GB), round((free or 0) * GB), (8, 9), "570")] if card_gb else []
    return Hardware(cards, 8, round(32 * GB), round(24 * GB), round(400 * GB), "x86_64")


@pytest.mark.parametrize(
    ("gb", "trains", "begin", "preset"),
    [
        (8, "Qwen/Qwen3-8B", "Qwen/Qwen3-4B", "card_8gb"),
        (12, "Qwen/Qwen3-14B", "Qwen/Qwen3-4B", "card_12gb"),
        (16, "Qwen/Qwen3-14B", "Qwen/Qwen3-4B", "card_16gb"),
        (24, "Qwen/Qwen3-14B", "Qwen/Qwen3-4B", "card_16gb"),
    ],
)
def test_a_larger_card_reaches_further(gb: float, trains: str, begin: str, preset: str) -> None:
    found = reach(machine(gb))
    assert (found.trains, found.begin, found.preset) == (trains, begin, preset)


def test_what_others_hold_is_out_of_reach_until_they_are_closed() -> None:
    held = machine(12, free_gb=5)
    assert reach(held).trains == "Qwen/Qwen3-4B"
    assert reach(emptied(held)).trains == "Qwen/Qwen3-14B"
    assert reach(machine(12, free_gb=0.3)).trains is None


def test_a_processor_begins_with_the_model_that_comes_along() -> None:
    found = reach(machine(None))
    assert found.begin == EMBEDDED and found.preset == preset_for(machine(None)) == "quick_lora"
    assert found.trains == "Qwen/Qwen3-0.6B"
    assert found.answers == "Qwen/Qwen3-30B-A3B"
