"""Runs of words as numbers: the shingles that near-duplicates are told by, and 12-grams shared with an evaluation set.

What a word is, here and for near-duplicates alike: a run of letters and digits, in lower case. Punctuation and white
space only separate words. A sign that carries meaning by itself (+, =, $, an emoji) is one word, and so is every
character of a script written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese); Korean has spaces. Full
width, ligatures and composed accents are equal to their plain forms (Unicode NFKC).

A text shorter than a passage counts as one passage, of another kind than all longer ones: it is shared only with a
text that is equal to it as a whole. A text without any word has no passages and shares nothing.

Hashes are 64 bits wide and depend on the text alone: they are the same in every process and on every machine. Memory
grows with the longest text, by 40 to 70 bytes for each of its characters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

CONTAMINATION_WORDS = 12

# Small enough that what is computed for a batch stays in the processor's cache.
BATCH_TEXTS = 512
BATCH_CHARACTERS = 2**18

SEPARATOR, LETTER, ALONE, MARK = range(4)
# Whether a character of the second kind begins a word after one of the first: BEGINS[4 * first + second].
BEGINS = np.array([0, 1, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0], bool)
KIND_OF_CATEGORY = {"L": LETTER, "N": LETTER, "M": MARK, "Sm": ALONE, "Sc": ALONE, "So": ALONE}
WITHOUT_SPACES = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3040, 0x30FF),
    (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF),
)  # fmt: skip
ASCII = 0x80
ALL_CHARACTERS = 0x110000
# Unicode assigns no letter, mark or sign beyond.
LAST_ASSIGNED = 0x323AF

BASE = 0x9E3779B97F4A7C15
INVERSE_BASE = pow(BASE, -1, 2**64)
WORD_BASE = np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class Passages:
    """The passages of several texts: those of text i are `hashes[offsets[i]:offsets[i + 1]]`, in the text's order."""

    hashes: Hashes
    offsets: Places


@dataclass(frozen=True)
class _Words:
    """The words of several texts, joined to `text`: hash and first character of each; those of text i begin at
    `offsets[i]`. `kinds` says of each character what it is.
    """

    text: str
    kinds: NDArray[np.uint8]
    hashes: Hashes
    starts: Places
    offsets: Places


def passages(texts: Sequence[str], words: int) -> Passages:
    """All runs of `words` words of every text."""
    return _passages(_words(texts), words)


def passage_hashes(texts: Iterable[str], words: int = CONTAMINATION_WORDS) -> Hashes:
    """The distinct passages of an evaluation set, sorted: what `contaminated` looks for."""
    found = [np.unique(passages(batch, words).hashes) for batch in batches(texts)]
    return np.unique(np.concatenate([np.empty(0, np.uint64), *found]))


def contaminated(texts: Sequence[str], known: Hashes, words: int = CONTAMINATION_WORDS) -> NDArray[np.bool_]:
    """Which texts share a passage with an evaluation set. `known` and `words` are those of `passage_hashes`."""
    flags = np.zeros(len(texts), bool)
    begin = 0
    for batch in batches(texts):
        here = passages(batch, words)
        shared = np.flatnonzero(_is_known(here.hashes, known))
        flags[begin + np.searchsorted(here.offsets, shared, side="right") - 1] = True
        begin += len(batch)
    return flags


def shared_passage(text: str, known: Hashes, words: int = CONTAMINATION_WORDS) -> str | None:
    """The first stretch of `text` that an evaluation set has too, as long as it goes on; None when there is none.

    A text with other characters than ASCII is shown in the form in which it was compared.
    """
    found = _words([text])
    shared = _is_known(_passages(found, words).hashes, known)
    if not shared.any():
        return None
    first = int(shared.argmax())
    gaps = np.flatnonzero(~shared[first:])
    last = (int(gaps[0]) if gaps.size else len(shared) - first) + first - 1
    following = last + words
    stop = int(found.starts[following]) if following < len(found.starts) else len(found.kinds)
    begin = int(found.starts[first])
    return found.text[begin : begin + int(np.flatnonzero(found.kinds[begin:stop])[-1]) + 1]


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts in batches of bounded size, so that memory doesn't grow with their number."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if len(batch) == BATCH_TEXTS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _is_known(hashes: Hashes, known: Hashes) -> NDArray[np.bool_]:
    if not known.size:
        return np.zeros(len(hashes), bool)
    # Looking up in order is several times faster than in the texts' own: neighbours then lie in the cache.
    asked = np.sort(hashes)
    places = np.minimum(np.searchsorted(known, asked), known.size - 1)
    return np.isin(hashes, asked[known[places] == asked])


def _passages(found: _Words, words: int) -> Passages:
    """Every passage's hash is a polynomial over the hashes of its words."""
    lengths = np.diff(found.offsets)
    counts = np.where(lengths >= words, lengths - words + 1, lengths > 0)
    offsets = _offsets(counts)
    starts = np.repeat(found.offsets[:-1] - offsets[:-1], counts) + np.arange(offsets[-1])
    hashes = _runs(found.hashes, words)[starts] if offsets[-1] else np.empty(0, np.uint64)
    short = np.flatnonzero((lengths > 0) & (lengths < words))
    hashes[offsets[short]] = _wholes(found.hashes, found.offsets[short], lengths[short])
    return Passages(hashes, offsets)


def _runs(words: Hashes, length: int) -> Hashes:
    """The hash of the `length` words from each word on; nothing sensible for the last ones, which nobody asks for."""
    padded = np.concatenate([words, np.zeros(length, np.uint64)])
    runs = padded[: len(words)].copy()
    for place in range(1, length):
        runs *= WORD_BASE
        runs += padded[place : place + len(words)]
    return runs


def _wholes(words: Hashes, starts: Places, lengths: Places) -> Hashes:
    """The hashes of whole short texts: the same polynomial as that of runs, over fewer words."""
    hashes = np.zeros(len(starts), np.uint64)
    for place in range(int(lengths.max(initial=0))):
        longer = lengths > place
        hashes[longer] = hashes[longer] * WORD_BASE + words[starts[longer] + place]
    return hashes


def _words(texts: Sequence[str]) -> _Words:
    """Find and hash the words of all texts at once.

    A word's hash is the sum of value(character) * BASE**place over its characters. Places are counted from the
    beginning of the joined text, and the power of the word's own place is divided out again (BASE has an inverse
    modulo 2**64), so that the sums of all words come from one pass.
    """
    joined = "\n".join(texts)
    if joined.isascii():
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        codes = np.frombuffer(joined.encode("ascii"), np.uint8)
    else:
        plain = [text if text.isascii() else unicodedata.normalize("NFKC", text).lower() for text in texts]
        lengths = np.fromiter(map(len, plain), np.int64, len(texts))
        joined = "\n".join(plain)
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    tables = _tables(ASCII if codes.dtype == np.uint8 else ALL_CHARACTERS)
    kinds = tables.kinds.take(codes)
    starts = _word_starts(kinds)
    offsets = np.searchsorted(starts, _offsets(lengths + 1))
    return _Words(joined, kinds, _word_hashes(tables.values.take(codes), starts), starts, offsets)


def _word_starts(kinds: NDArray[np.uint8]) -> Places:
    before = np.zeros_like(kinds)
    np.left_shift(kinds[:-1], 2, out=before[1:])
    before |= kinds
    return np.flatnonzero(BEGINS.take(before))


def _word_hashes(values: Hashes, starts: Places) -> Hashes:
    if not starts.size:
        return np.empty(0, np.uint64)
    powers, inverses = _batch_powers() if len(values) <= 2 * BATCH_CHARACTERS else _powers(len(values))
    values *= powers[: len(values)]
    before = np.cumsum(values)
    before -= values
    sums = np.diff(before[starts], append=before[-1:] + values[-1:])
    return _mixed(sums * inverses[starts])


@lru_cache(maxsize=1)
def _batch_powers() -> tuple[Hashes, Hashes]:
    """Those that suit all texts but very long ones."""
    return _powers(2 * BATCH_CHARACTERS)


def _powers(count: int) -> tuple[Hashes, Hashes]:
    """The first `count` powers of BASE and of its inverse, modulo 2**64."""
    powers, inverses = np.full(count, BASE, np.uint64), np.full(count, INVERSE_BASE, np.uint64)
    powers[0] = inverses[0] = 1
    np.cumprod(powers, out=powers)
    np.cumprod(inverses, out=inverses)
    return powers, inverses


@dataclass(frozen=True)
class _Tables:
    """For every character: what it is to a word, and its value in a word's hash (0 for what is no part of one)."""

    kinds: NDArray[np.uint8]
    values: Hashes


@lru_cache(maxsize=2)
def _tables(characters: int) -> _Tables:
    """The tables for the first `characters` characters of Unicode."""
    kinds = np.zeros(characters, np.uint8)
    for code in range(min(characters, LAST_ASSIGNED + 1)):
        category = unicodedata.category(chr(code))
        kinds[code] = KIND_OF_CATEGORY.get(category) or KIND_OF_CATEGORY.get(category[0], SEPARATOR)
    for first, last in WITHOUT_SPACES:
        block = kinds[first : last + 1]
        block[block == LETTER] = ALONE
    values = _mixed(np.arange(1, characters + 1, dtype=np.uint64))
    values[kinds == SEPARATOR] = 0
    # Texts in ASCII alone are not put into lower case before.
    values[ord("A") : ord("Z") + 1] = values[ord("a") : ord("z") + 1]
    return _Tables(kinds, values)


def _mixed(values: Hashes) -> Hashes:
    """Spread every bit over the whole word (the finaliser of MurmurHash3, Austin Appleby, public domain)."""
    values = values ^ (values >> np.uint64(33))
    values *= np.uint64(0xFF51AFD7ED558CCD)
    values ^= values >> np.uint64(33)
    values *= np.uint64(0xC4CEB9FE1A85EC53)
    values ^= values >> np.uint64(33)
    return values


def _offsets(counts: NDArray[np.integer]) -> Places:
    """Where each of consecutive parts begins, and the end of the last."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
