"""Rows that say nearly the same: MinHash finds candidates, the exact Jaccard similarity of their shingles decides.

A row's shingles are its runs of three words, as datasets_src/passages.py counts words: case, punctuation and line
breaks make no difference, and every Chinese character is a word. Two rows are near-duplicates when at least
`threshold` of all shingles that either has are shared by both. Three words are a compromise that was measured on rows
for fine-tuning, at a threshold of 0.8: one exchanged word leaves 85 % of Alpaca rows near-duplicates (73 % with five
words), while different positions of a game told in one template are taken for equal in 2 % (single words: 100 %; five
letters: 36 %). A row of fewer than three words equals only the same words; a row without words is alone.

Everything depends on the rows alone: neither their order nor the process that computes a signature matters.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from datasets_src.passages import Hashes, Passages, Places, batches, passages

SHINGLE_WORDS = 3
# Bytes of a signature, one for each hash function: 8 bits of a minimum are enough to compare by ("b-bit minwise
# hashing", Li and König 2010).
SLOTS = 128
SEED = 1
# The share of pairs exactly at the threshold that no band may bring together, and how many standard deviations below
# the threshold the signatures of a pair may agree for the pair to be read at all.
MISSED = 0.005
DEVIATIONS = 3.0
# In a larger bucket not all pairs are compared, but every row with at most so many leaders.
ALL_PAIRS = 16
LEADERS = 16
PAIRS_AT_A_TIME = 8192

Signatures = NDArray[np.uint8]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Clusters:
    """What belongs together, row by row.

    `cluster`: the first row of its cluster, a row alone being a cluster by itself. `partner`: a row of the cluster
    that it matches, an earlier one where there is one; -1 for the first row of a cluster. `similarity`: the Jaccard
    similarity to the partner, 0 where there is none.
    """

    cluster: Places
    partner: Places
    similarity: NDArray[np.float32]


@dataclass(frozen=True)
class Matches:
    """Pairs of rows (n × 2) that are near-duplicates, with their Jaccard similarity."""

    pairs: Places
    similarity: NDArray[np.float32]


NO_MATCHES = Matches(np.empty((0, 2), np.int64), np.empty(0, np.float32))


@dataclass(frozen=True)
class Candidates:
    """Pairs of rows (n × 2) that one band brought together, and in how many slots of SLOTS their signatures agree."""

    pairs: Places
    agreement: Counts

    def only(self, chosen: NDArray[np.bool_]) -> Candidates:
        """Those of the mask."""
        return Candidates(self.pairs[chosen], self.agreement[chosen])


def signatures(texts: Sequence[str]) -> Signatures:
    """One row of SLOTS bytes for each text; all zero where a text has no words. They suit every threshold.

    Worker processes that call this have to be spawned, not forked: rensa's threads don't survive a fork.
    """
    parts = [_signatures(passages(batch, SHINGLE_WORDS)) for batch in batches(texts)]
    return np.concatenate([np.empty((0, SLOTS), np.uint8), *parts])


def _signatures(shingles: Passages) -> Signatures:
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        shingles.hashes, shingles.offsets.astype(np.uint64), SLOTS, SEED
    )
    # Packing row by row is twice as fast as numpy's way from lists of integers.
    row = struct.Struct(f"{SLOTS}I")
    packed = b"".join([row.pack(*minima) for minima in matrix.to_rows()])
    minima = np.frombuffer(packed, np.uint32).reshape(-1, SLOTS)
    # The upper bits of a product depend on all bits of the minimum.
    short = ((minima * np.uint32(0x9E3779B1)) >> np.uint32(24)).astype(np.uint8)
    short[np.diff(shingles.offsets) == 0] = 0
    return short


def confirmed_clusters(
    signed: Signatures,
    text_of: Callable[[int], str],
    threshold: float,
    progress: Callable[[float], None] = lambda _share: None,
) -> Clusters:
    """Join all rows that are near-duplicates, also by way of others. Every join was confirmed on the texts.

    `signed`: the `signatures` of all rows, one after another in memory. `text_of` gives the text of a row; it is asked
    for candidates only. `progress` is told the share that is done, and may raise to stop. Of pairs with exactly the
    threshold's similarity less than one in a hundred is missed, of more similar ones fewer (up to three in a hundred
    where thousands of rows of one template are each nearly similar enough); no row is joined without reason.
    """
    label: NDArray[np.integer] = np.arange(len(signed))
    reader = _Reader(text_of, threshold, np.zeros(len(signed), np.uint8))
    confirmed = NO_MATCHES
    bands = band_sizes(threshold)
    for done, found in enumerate(candidates(signed, threshold), start=1):
        new = reader.confirm(found.only(label[found.pairs[:, 0]] != label[found.pairs[:, 1]]))
        if len(new.pairs):
            confirmed = _together([confirmed, new])
            label = _components(confirmed.pairs, len(signed))
        progress(done / bands.count)
    return _clusters(confirmed, label)


@dataclass(frozen=True)
class Bands:
    """How many bands a signature is cut into, and the slots of each. What is left over is used for agreement only."""

    count: int
    slots: int


def band_sizes(threshold: float) -> Bands:
    """The widest bands that bring nearly all pairs at the threshold together in at least one of them.

    A band of r slots is equal with probability J**r at similarity J ("Mining of Massive Datasets", Leskovec,
    Rajaraman and Ullman, chapter 3).
    """
    enough = [slots for slots in range(1, SLOTS + 1) if (1 - threshold**slots) ** (SLOTS // slots) <= MISSED]
    widest = max(enough)
    return Bands(SLOTS // widest, widest)


def least_agreement(threshold: float) -> int:
    """The slots in which the signatures of a pair must agree for its texts to be read."""
    deviation = math.sqrt(threshold * (1 - threshold) / SLOTS)
    return math.ceil(SLOTS * (threshold - DEVIATIONS * deviation))


def candidates(signed: Signatures, threshold: float) -> Iterator[Candidates]:
    """Band by band, the pairs whose signatures agree about as much as the threshold asks for.

    The number of pairs stays within ALL_PAIRS times the rows whatever the rows are. A bucket of more rows than
    that is one of two things. Either most of it is alike: then its members agree with one of few leaders. Or the band
    holds what a template gives to all its rows: then a pair that is alike meets in other bands, in small buckets.
    """
    bands, least = band_sizes(threshold), least_agreement(threshold)
    order = _order(signed)
    for band in range(bands.count):
        begin = band * bands.slots
        buckets = _buckets(signed[:, begin : begin + bands.slots], order)
        found = [*_all_pairs(buckets.only(buckets.sizes <= ALL_PAIRS), signed, least)]
        found.append(_nearest_leaders(buckets.only(buckets.sizes > ALL_PAIRS), signed, math.ceil(SLOTS * threshold)))
        pairs = np.concatenate([part.pairs for part in found])
        agreement = np.concatenate([part.agreement for part in found])
        yield Candidates(pairs, agreement).only(agreement >= least)


def _order(signed: Signatures) -> Places:
    """The rows that have words, by a hash of their signatures: an order that doesn't depend on where they stand."""
    hashes = _hash(signed.view(np.uint64))
    usable = np.flatnonzero(signed.any(axis=1))
    return usable[np.argsort(hashes[usable], kind="stable")]


def _hash(words: Hashes) -> Hashes:
    """A hash of each row of 64-bit words: every word times an odd number of its own."""
    hashes = np.zeros(len(words), np.uint64)
    for place in range(words.shape[1]):
        hashes += words[:, place] * np.uint64((0x9E3779B97F4A7C15 * (2 * place + 1)) % 2**64)
        hashes ^= hashes >> np.uint64(29)
    return hashes * np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class _Buckets:
    """Rows that agree in a band, bucket after bucket. `bucket` numbers that of each row, `sizes` holds its size."""

    rows: Places
    bucket: Counts
    sizes: Counts

    def only(self, chosen: NDArray[np.bool_]) -> _Buckets:
        """Those of the mask, without changing numbers and sizes."""
        return _Buckets(self.rows[chosen], self.bucket[chosen], self.sizes[chosen])


def _buckets(band: Signatures, order: Places) -> _Buckets:
    """All buckets of two rows or more, their rows in the given order.

    A key is a band's hash with the row's place in its lower bits, so that one sort of plain numbers does it. What the
    place takes from the hash lets a few unequal bands meet; their signatures tell them apart.
    """
    bits = np.uint64(max(len(order) - 1, 1).bit_length())
    padded = np.zeros((len(band), 8 * math.ceil(band.shape[1] / 8)), np.uint8)
    padded[:, : band.shape[1]] = band
    keys = _hash(padded.view(np.uint64))[order]
    keys >>= bits
    keys <<= bits
    keys |= np.arange(len(order), dtype=np.uint64)
    keys.sort()
    rows = order[(keys & np.uint64((1 << int(bits)) - 1)).astype(np.int64)]
    keys >>= bits
    same = keys[1:] == keys[:-1]
    together = np.zeros(len(keys), bool)
    together[1:] |= same
    together[:-1] |= same
    begins = together.copy()
    begins[1:] &= ~same
    bucket = np.cumsum(begins)[together] - 1
    return _Buckets(rows[together], bucket, np.bincount(bucket)[bucket])


def _all_pairs(buckets: _Buckets, signed: Signatures, least: int) -> Iterator[Candidates]:
    """Every pair of rows of a bucket that agrees in at least `least` slots."""
    for distance in range(1, min(ALL_PAIRS, len(buckets.rows))):
        together = np.flatnonzero(buckets.bucket[distance:] == buckets.bucket[:-distance])
        if not together.size:
            return
        pairs = np.stack([buckets.rows[together], buckets.rows[together + distance]], axis=1)
        found = Candidates(pairs, _agreement(signed, pairs))
        yield found.only(found.agreement >= least)


def _nearest_leaders(buckets: _Buckets, signed: Signatures, enough: int) -> Candidates:
    """For each row the one it agrees with most of its bucket's leaders.

    In each of LEADERS rounds the first row left of a bucket is its leader, and rows that agree with it in `enough`
    slots are done with.
    """
    leader = np.full(len(buckets.rows), -1)
    agreement = np.zeros(len(buckets.rows), np.int64)
    left = np.arange(len(buckets.rows))
    for _ in range(LEADERS):
        bucket = buckets.bucket[left]
        first = np.flatnonzero(np.diff(bucket, prepend=-1))
        leads = np.zeros(len(left), bool)
        leads[first] = True
        leaders = np.repeat(buckets.rows[left[first]], np.diff(first, append=len(left)))[~leads]
        left = left[~leads]
        agrees = _agreement(signed, np.stack([leaders, buckets.rows[left]], axis=1))
        better = agrees > agreement[left]
        leader[left[better]] = leaders[better]
        agreement[left[better]] = agrees[better]
        left = left[agrees < enough]
    led = leader >= 0
    return Candidates(np.stack([leader[led], buckets.rows[led]], axis=1), agreement[led])


def _agreement(signed: Signatures, pairs: Places) -> Counts:
    """In how many slots the signatures of each pair agree: an estimate of SLOTS times the Jaccard similarity."""
    parts = [np.empty(0, np.int64)]
    for begin in range(0, len(pairs), PAIRS_AT_A_TIME):
        left, right = pairs[begin : begin + PAIRS_AT_A_TIME].T
        # Eight truth values of a byte each are added at once; a byte's sum stays below 256.
        equal = (signed[left] == signed[right]).view(np.uint64).sum(axis=1, dtype=np.uint64)
        parts.append(((equal * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int64))
    return np.concatenate(parts)


def _together(parts: Sequence[Matches]) -> Matches:
    """The parts as one."""
    pairs = np.concatenate([part.pairs for part in parts])
    return Matches(pairs, np.concatenate([part.similarity for part in parts]))


@dataclass(frozen=True)
class _Reader:
    """Reads the texts of candidates. `refuted` counts for each row how often it was read in vain.

    Every reading in vain asks one more slot of agreement of a row's next pair. So a row is read at most as often as
    there are slots between what the threshold asks for and all of them, even when thousands of rows are each nearly
    similar enough, and then the most promising pairs are those that are read.
    """

    text_of: Callable[[int], str]
    threshold: float
    refuted: NDArray[np.uint8]

    def confirm(self, found: Candidates) -> Matches:
        """The candidates that are near-duplicates indeed."""
        order = np.argsort(-found.agreement, kind="stable")
        least = least_agreement(self.threshold)
        parts = [NO_MATCHES]
        for begin in range(0, len(order), PAIRS_AT_A_TIME):
            some = order[begin : begin + PAIRS_AT_A_TIME]
            pairs = found.pairs[some[found.agreement[some] >= least + self.refuted[found.pairs[some, 1]]]]
            if len(pairs):
                similarity = _jaccard(pairs, self.text_of)
                alike = similarity >= self.threshold
                np.add.at(self.refuted, pairs[~alike, 1], 1)
                parts.append(Matches(pairs[alike], similarity[alike].astype(np.float32)))
        return _together(parts)


def _jaccard(pairs: Places, text_of: Callable[[int], str]) -> NDArray[np.float64]:
    """The exact Jaccard similarity of the shingles of each pair of rows."""
    from scipy.sparse import csr_array

    rows, place = np.unique(pairs, return_inverse=True)
    parts = [passages(batch, SHINGLE_WORDS) for batch in batches(text_of(int(row)) for row in rows)]
    columns = np.concatenate([part.hashes >> np.uint64(1) for part in parts]).astype(np.int64)
    counts = np.concatenate([np.diff(part.offsets) for part in parts])
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    # A matrix with a row for each text and a column for every possible shingle.
    shingles = csr_array((np.ones(len(columns), bool), columns, offsets), shape=(len(rows), 2**63 - 1))
    shingles.sum_duplicates()
    sizes = np.diff(shingles.indptr)
    left, right = place.reshape(-1, 2).T
    shared = np.diff(shingles[left].multiply(shingles[right]).indptr)
    return np.asarray(shared / (sizes[left] + sizes[right] - shared))


def _components(pairs: Places, rows: int) -> NDArray[np.integer]:
    """A number for each row, equal for rows that are joined, also by way of others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(rows, rows))
    return np.asarray(connected_components(graph.tocsr(), directed=False)[1])


def _clusters(confirmed: Matches, label: NDArray[np.integer]) -> Clusters:
    rows = len(label)
    first_of = np.full(rows, rows)
    np.minimum.at(first_of, label, np.arange(rows))
    cluster = first_of[label]
    row = confirmed.pairs.ravel()
    other = confirmed.pairs[:, ::-1].ravel()
    similarity = np.repeat(confirmed.similarity, 2)
    # The partner of each row is the best of the earlier rows it matches, else the best of the later ones.
    order = np.lexsort((other, -similarity, other > row, row))
    best = order[np.flatnonzero(np.diff(row[order], prepend=-1))]
    best = best[cluster[row[best]] != row[best]]
    partner, value = np.full(rows, -1), np.zeros(rows, np.float32)
    partner[row[best]] = other[best]
    value[row[best]] = similarity[best]
    return Clusters(cluster, partner, value)
