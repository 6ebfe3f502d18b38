"""What comes only after the split, in the training part alone: weights, balance, shares, and the order of the lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets_src.hashing import Keys, key_of, lowest, seeded_numbers
from jobs.errors import BadInput

Places = NDArray[np.int64]


def repeated(keys: Keys, rows: Places, times: float, seed: int) -> Places:
    """`rows` (places in `keys`) taken `times` times: 2.5 takes every row twice and a random half of them again.

    Never none: at least one row stays.
    """
    whole = int(times)
    part = round((times - whole) * len(rows))
    if whole == 0 and len(rows):
        part = max(1, part)
    return np.concatenate([*[rows] * whole, lowest(keys, rows, part, seed, "weight")])


def weighted(keys: Keys, train: Places, source_of: NDArray[np.uint16], weights: Sequence[float], seed: int) -> Places:
    """The training rows with copies, source by source."""
    own = [repeated(keys, train[source_of[train] == place], weight, seed) for place, weight in enumerate(weights)]
    return np.concatenate(own) if own else train


def balanced(keys: Keys, lines: Places, tags: NDArray[np.int32], seed: int) -> Places:
    """Lines repeated until every tag has as many as the most frequent one; those without a tag stay as they are."""
    counts = {int(tag): int((tags[lines] == tag).sum()) for tag in np.unique(tags[lines]) if tag >= 0}
    most = max(counts.values(), default=0)
    return _to_counts(keys, lines, tags, dict.fromkeys(counts, most), seed)


def shared_out(
    keys: Keys, lines: Places, tags: NDArray[np.int32], names: Sequence[str], shares: Mapping[str, float], seed: int
) -> Places:
    """Lines repeated until each named tag has its share of all; the others share what is left as they did before.

    Raises BadInput for a tag that no training row has.
    """
    counts = {name: int((tags[lines] == names.index(name)).sum()) if name in names else 0 for name in shares}
    absent = [name for name, number in counts.items() if number == 0]
    if absent:
        raise BadInput(
            f"`shares` names the tag {', '.join(absent)}, which no training row has.",
            f"The tags are {', '.join(names) or '(none)'}.",
            "Name one of them, or give the sources tags.",
        )
    others, left = len(lines) - sum(counts.values()), 1 - sum(shares.values())
    # The total at which no tag has to lose a row.
    needed = [number / shares[name] for name, number in counts.items()] + ([others / left] if left > 1e-9 else [])
    total = max(needed)
    wanted = {names.index(name): round(total * shares[name]) for name in shares}
    if others and left > 1e-9:
        rest = np.isin(tags[lines], list(wanted), invert=True)
        lines = np.concatenate([lines[~rest], repeated(keys, lines[rest], total * left / others, seed)])
    return _to_counts(keys, lines, tags, wanted, seed)


def _to_counts(keys: Keys, lines: Places, tags: NDArray[np.int32], wanted: Mapping[int, int], seed: int) -> Places:
    kept = [lines[np.isin(tags[lines], list(wanted), invert=True)]]
    for tag, number in wanted.items():
        own = lines[tags[lines] == tag]
        kept.append(repeated(keys, own, number / len(own), seed) if len(own) else own)
    return np.concatenate(kept)


def shuffled(keys: Keys, sources: NDArray[Any], numbers: NDArray[Any], lines: Places, seed: int) -> Places:
    """The lines in an order that depends on the seed and the rows alone; each copy of a row has a place of its own."""
    ordered = np.sort(lines)
    first = np.r_[True, ordered[1:] != ordered[:-1]] if len(ordered) else np.empty(0, dtype=bool)
    starts = np.maximum.accumulate(np.where(first, np.arange(len(ordered)), 0)) if len(ordered) else ordered
    copies = (np.arange(len(ordered)) - starts).astype(np.uint64)
    salt = np.uint64(key_of("copy"))
    identity = seeded_numbers(0, "row", keys[ordered] ^ (sources[ordered].astype(np.uint64) << np.uint64(48)))
    identity ^= seeded_numbers(0, "number", numbers[ordered].astype(np.uint64))
    with np.errstate(over="ignore"):
        identity ^= copies * salt
    return ordered[np.argsort(seeded_numbers(seed, "order", identity), kind="stable")]
