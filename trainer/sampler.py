"""The order in which rows are trained: a function of (seed, epoch) alone, so a resumed run sees the same batches."""

from __future__ import annotations

import random
from collections.abc import Iterator

# Batches that are sorted by length together: more saves padding, fewer mixes better.
BATCHES_PER_POOL = 50


class EpochSampler:
    """Row numbers for one epoch after another.

    `batch_size` is the effective one: a change of the weights is made from the same rows however these are cut into
    smaller batches on the way. `by_length` brings rows of similar length together; batches come in random order.
    """

    def __init__(self, lengths: list[int], batch_size: int, seed: int, *, by_length: bool = True) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._by_length = by_length
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called at the start of every epoch, also of the one that a resumed run continues."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order(self._epoch))

    def order(self, epoch: int) -> list[int]:
        """All row numbers in the order of `epoch`."""
        generator = random.Random(f"{self._seed}/{epoch}")
        rows = list(range(len(self._lengths)))
        generator.shuffle(rows)
        if not self._by_length:
            return rows
        pool = self._batch_size * BATCHES_PER_POOL
        whole: list[list[int]] = []
        rest: list[int] = []
        for start in range(0, len(rows), pool):
            chunk = sorted(rows[start : start + pool], key=lambda row: self._lengths[row])
            batches = [chunk[first : first + self._batch_size] for first in range(0, len(chunk), self._batch_size)]
            whole += [batch for batch in batches if len(batch) == self._batch_size]
            rest += [row for batch in batches if len(batch) < self._batch_size for row in batch]
        generator.shuffle(whole)
        return [row for batch in whole for row in batch] + rest
