"""Choices drawn by seeded hashes: the same rows give the same sample, split and order on every machine.

A choice about a row depends on the seed and the row alone, so that rows added later move no others.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]


def seeded_numbers(seed: int, purpose: str, keys: Keys) -> Keys:
    """A 64-bit number for each key. `purpose` (16 characters at most) keeps different choices independent.

    SplitMix64's finaliser (Steele, Lea and Flood 2014) over the key and a hash of seed and purpose.
    """
    salt = hashlib.blake2b(str(seed).encode(), digest_size=8, person=purpose.encode()).digest()
    mixed = keys ^ np.uint64(int.from_bytes(salt, "big"))
    with np.errstate(over="ignore"):
        mixed = mixed + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def seeded_fractions(seed: int, purpose: str, keys: Keys) -> NDArray[np.float64]:
    """The same, from 0 up to 1."""
    return (seeded_numbers(seed, purpose, keys) >> np.uint64(11)) / float(2**53)


def key_of(text: str) -> int:
    """A text as a key."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def lowest(keys: Keys, rows: NDArray[np.int64], count: int, seed: int, purpose: str) -> NDArray[np.int64]:
    """`count` of `rows` (indices into `keys`) drawn by the seed, in their own order."""
    if count >= len(rows):
        return rows
    drawn = seeded_numbers(seed, purpose, keys[rows])
    return np.sort(rows[np.lexsort((rows, drawn))[:count]])
