"""Weights, balance and shares repeat training lines as asked, and the order depends on the seed and the rows alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from datasets_src.mix import balanced, repeated, shared_out, shuffled, weighted
from jobs.errors import BadInput

KEYS = np.random.default_rng(0).integers(0, 2**63, 1000, dtype=np.int64).astype(np.uint64)
ROWS = np.arange(100)


def test_a_weight_takes_rows_whole_times_and_a_part_of_them_once_more() -> None:
    counts = Counter(repeated(KEYS, ROWS, 2.5, 0).tolist())
    assert Counter(counts.values()) == {2: 50, 3: 50}
    assert len(repeated(KEYS, ROWS, 0.001, 0)) == 1


def test_each_source_has_its_own_weight() -> None:
    source = np.array([0] * 60 + [1] * 40, dtype=np.uint16)
    lines = weighted(KEYS, ROWS, source, [1, 3], 0)
    assert Counter(source[lines].tolist()) == {0: 60, 1: 120}


def test_balancing_brings_every_tag_to_the_most_frequent_one() -> None:
    tags = np.array([0] * 70 + [1] * 20 + [-1] * 10, dtype=np.int32)
    lines = balanced(KEYS, ROWS, tags, 0)
    assert Counter(tags[lines].tolist()) == {0: 70, 1: 70, -1: 10}


@pytest.mark.parametrize("shares", [{"code": 0.7, "words": 0.3}, {"code": 0.5}, {"code": 0.1, "words": 0.6}])
def test_shares_are_reached_and_no_row_is_lost(shares: dict[str, float]) -> None:
    tags = np.array([0] * 30 + [1] * 50 + [-1] * 20, dtype=np.int32)
    if sum(shares.values()) == 1:
        tags[80:] = 1
    lines = shared_out(KEYS, ROWS, tags, ["code", "words"], shares, 0)
    got = Counter(tags[lines].tolist())
    for name, share in shares.items():
        assert got[["code", "words"].index(name)] / len(lines) == pytest.approx(share, abs=0.01)
    assert set(lines.tolist()) == set(ROWS.tolist())


def test_a_share_for_a_tag_that_no_row_has_is_refused() -> None:
    with pytest.raises(BadInput, match="no training row has"):
        shared_out(KEYS, ROWS, np.zeros(100, dtype=np.int32), ["code"], {"cod": 0.5}, 0)


def test_the_order_keeps_every_copy_and_follows_the_seed() -> None:
    lines = np.concatenate([ROWS, ROWS[:10]])
    source, numbers = np.zeros(1000, dtype=np.uint16), np.arange(1000, dtype=np.uint32)
    first, again, other = (shuffled(KEYS, source, numbers, lines, seed) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()
    assert Counter(first.tolist()) == Counter(lines.tolist())
    assert abs(np.corrcoef(np.arange(len(first)), first)[0, 1]) < 0.3
