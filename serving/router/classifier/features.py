"""A text as numbers: which short runs of characters it holds, each hashed into one of a fixed number of buckets.

Runs of characters also tell something of words that no training row had, and of misspelled ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets_src.hashing import seeded_numbers
from serving.router.question import looked_at, plain

BUCKET_BITS = 15
BUCKETS = 2**BUCKET_BITS
RUN_LENGTHS = (2, 3, 4)
LONGEST_TEXT = 4000
# Changes whenever the lines below give another bucket for the same text: what was trained before can't be used then.
FEATURES_VERSION = 1
_MULTIPLIER = np.uint64(0x100000001B3)


@dataclass(frozen=True)
class Counts:
    """The buckets that a text's runs fall into, each once and in order, and how many runs fell into each."""

    buckets: NDArray[np.int64]
    counts: NDArray[np.float64]


def count_runs(text: str) -> Counts:
    """The runs of 2 to 4 characters of a text, in any case, the blanks around words included."""
    padded = f" {plain(looked_at(text, LONGEST_TEXT))} "
    characters = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    found = [_buckets(characters, length) for length in RUN_LENGTHS if len(characters) >= length]
    buckets, counts = np.unique(np.concatenate(found), return_counts=True)
    return Counts(buckets, counts.astype(np.float64))


def _buckets(characters: NDArray[np.uint64], length: int) -> NDArray[np.int64]:
    """The bucket of every run of `length` characters: a polynomial hash, mixed so that its high bits depend on all."""
    hashes = np.zeros(len(characters) - length + 1, dtype=np.uint64)
    for place in range(length):
        hashes = hashes * _MULTIPLIER + characters[place : place + len(hashes)]
    mixed = seeded_numbers(length, "runs", hashes)
    return (mixed >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)


def weighted(counts: Counts, rarity: NDArray[np.float32]) -> NDArray[np.float64]:
    """The values of the buckets of `counts`: log(1 + count) × `rarity` (one for each of BUCKETS), made length 1."""
    values = np.log1p(counts.counts) * rarity[counts.buckets]
    length = float(np.linalg.norm(values))
    return np.asarray(values / length if length > 0 else values, dtype=np.float64)
