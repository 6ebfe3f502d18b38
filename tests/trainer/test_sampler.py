"""The order of rows depends on (seed, epoch) alone and keeps rows of similar length together."""

from __future__ import annotations

import random

from trainer.sampler import EpochSampler

LENGTHS = [5 + 37 * number % 196 for number in range(103)]


def test_every_row_comes_exactly_once_an_epoch() -> None:
    sampler = EpochSampler(LENGTHS, 8, seed=3)
    for epoch in range(3):
        assert sorted(sampler.order(epoch)) == list(range(103))


def test_the_order_is_that_of_seed_and_epoch_whatever_happened_before() -> None:
    random.seed(1)
    first = EpochSampler(LENGTHS, 8, seed=3)
    list(first)
    first.set_epoch(2)
    random.seed(2)
    second = EpochSampler(LENGTHS, 8, seed=3)
    second.set_epoch(2)
    assert list(first) == list(second)
    assert first.order(2) != first.order(1)
    assert first.order(2) != EpochSampler(LENGTHS, 8, seed=4).order(2)


def test_batches_of_similar_length_need_less_padding_than_random_ones() -> None:
    def padding(order: list[int]) -> int:
        batches = [order[start : start + 8] for start in range(0, len(order), 8)]
        return sum(
            max(LENGTHS[row] for row in batch) * len(batch) - sum(LENGTHS[row] for row in batch) for batch in batches
        )

    shuffled = random.Random(0).sample(range(103), 103)
    assert padding(EpochSampler(LENGTHS, 8, seed=0).order(0)) < 0.5 * padding(shuffled)
