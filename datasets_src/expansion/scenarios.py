"""Which combinations of a plan's parameters are made: all of a grid in order, or a seeded sample, each at most once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from datasets_src.expansion.parameters import seeded_number
from datasets_src.expansion.plan import Plan
from jobs.errors import BadInput

# Draws by weights or from a curve repeat combinations; after so many for each one wanted, the rest is filled otherwise.
DRAWS_PER_SCENARIO = 20
FEWEST_DRAWS = 10_000
# Its halves are mixed with numbers of 64 bits. Among more combinations than this, draws don't repeat anyway.
LARGEST_PERMUTATION = 2**128


@dataclass(frozen=True)
class Candidates:
    """Combinations to try in order. `total`: how many there are if they are all that exist, None if more may exist."""

    total: int | None
    values: Iterator[dict[str, Any]]


def candidates(plan: Plan, seed: int, limit: int) -> Candidates:
    """The combinations of a plan. Raises BadInput, before anything is made, for a grid of more than `limit`."""
    total = plan.combinations
    if plan.count is None:
        assert total is not None, "the spec refuses samplers in a grid"
        if total > limit:
            raise _grid_too_large(plan, total, limit)
        return Candidates(total, (plan.combination(place) for place in range(total)))
    tries = max(limit, DRAWS_PER_SCENARIO * plan.count)
    if total is not None and total <= tries:
        every = _permuted(plan, seed, total, total) if plan.even else _drawn_and_filled(plan, seed, total)
        return Candidates(total, every)
    if total is not None and total <= LARGEST_PERMUTATION and plan.even:
        return Candidates(None, _permuted(plan, seed, total, tries))
    return Candidates(None, _drawn(plan, seed, tries))


def _grid_too_large(plan: Plan, total: int, limit: int) -> BadInput:
    sizes = " × ".join(f"{parameter.size:,} {name}" for name, parameter in plan.parameters.items())
    domain = f" of the domain {plan.tag}" if plan.tag else ""
    return BadInput(
        f"The grid{domain} has {total:,} combinations ({sizes}).",
        f"At most {limit:,} are gone through.",
        "Take a sample (`mode: sample` and `count`), give fewer values, or raise `limit`.",
    )


def _permuted(plan: Plan, seed: int, total: int, tries: int) -> Iterator[dict[str, Any]]:
    key = f"{plan.tag or ''}/order"
    return (plan.combination(permuted(place, total, seed, key)) for place in range(min(total, tries)))


def _drawn(plan: Plan, seed: int, tries: int) -> Iterator[dict[str, Any]]:
    """Draws without repeats: what was drawn before is passed over in silence."""
    seen: set[bytes] = set()
    for attempt in range(tries):
        values = plan.draw(seed, attempt)
        key = _key(values)
        if key not in seen:
            seen.add(key)
            yield values


def _drawn_and_filled(plan: Plan, seed: int, total: int) -> Iterator[dict[str, Any]]:
    """Draws by weights first; then, since weights may leave some out for ever, all that were not drawn."""
    assert plan.count is not None, "a sample has a count"
    seen: set[bytes] = set()
    for values in _drawn(plan, seed, max(FEWEST_DRAWS, DRAWS_PER_SCENARIO * plan.count)):
        seen.add(_key(values))
        yield values
    for values in _permuted(plan, seed, total, total):
        if _key(values) not in seen:
            yield values


def _key(values: dict[str, Any]) -> bytes:
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=12).digest()


def permuted(place: int, total: int, seed: int, key: str) -> int:
    """Where `place` goes in a seeded permutation of the numbers below `total`, which is never held in memory.

    A Feistel network of four rounds over the next power of four, walked until it falls below `total` (Black and
    Rogaway 2002, "Ciphers with arbitrary finite domains").
    """
    half = max(1, ((total - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = place >> half, place & mask
        for turn in range(4):
            left, right = right, left ^ (seeded_number(seed, f"{key}/{turn}/{right}") & mask)
        place = left << half | right
        if place < total:
            return place
