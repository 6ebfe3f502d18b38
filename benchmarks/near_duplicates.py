"""The near-duplicate stage against datasketch: the same rows, the same shingles, the same machine, one core.

    python -m benchmarks.near_duplicates            (100,000 rows; about a minute)

Rows are made up: instructions from a few hundred patterns, answers in words as frequent as words are, 10 to 150 words
in all, as in Alpaca. Into them go copies in which words were exchanged until the Jaccard similarity of the shingles
was within 0.80 to 0.82 (near-duplicates, the hardest to find) or 0.70 to 0.78 (not near-duplicates, the hardest to
tell). Similarities are computed here once more, with Python's sets, so that the product's own code is not its judge.

Both sides start from texts and end with what is a near-duplicate of what. datasketch gets its fast paths
(`MinHash.generator`, LSH without the check for repeated keys), once as its documentation shows it and once with a
fast hash function and the same bands as ours, which is what it takes to reach the same recall. Seconds are those of
the processor, so that whatever else runs on the machine counts for neither side.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from datasets_src.near_duplicates import SHINGLE_WORDS, SLOTS, band_sizes, confirmed_clusters, signatures

THRESHOLD = 0.8
PLANTED_SHARE = 0.05
NEAR, NOT_QUITE = (0.80, 0.82), (0.70, 0.78)
WORD = re.compile(r"[a-z0-9]+")

Pair = tuple[int, int]


@dataclass(frozen=True)
class Planted:
    """Rows, and the pairs among them that are near-duplicates or just not (places of original and copy)."""

    texts: list[str]
    near: list[Pair]
    not_quite: list[Pair]


@dataclass(frozen=True)
class Measured:
    """What one program took and found. `recall` is that of the planted pairs, `precision` the share of reported pairs
    that are similar enough, `not_quite_joined` the share of the other planted pairs that it took for near-duplicates.
    """

    name: str
    rows: int
    seconds: float
    rows_per_second: int
    recall: float
    precision: float
    not_quite_joined: float


def shingles(text: str) -> set[tuple[str, ...]]:
    """The shingles of a row in small letters and ASCII, as datasets_src/passages.py tells them."""
    words = WORD.findall(text.lower())
    return {tuple(words[place : place + SHINGLE_WORDS]) for place in range(len(words) - SHINGLE_WORDS + 1)}


def similarity(left: str, right: str) -> float:
    """Jaccard, by Python's sets."""
    one, other = shingles(left), shingles(right)
    return len(one & other) / len(one | other)


def planted_rows(rows: int, seed: int = 0) -> Planted:
    """`rows` rows, about 5 % of them copies of each kind."""
    writer = _Writer(random.Random(seed))
    copies = round(PLANTED_SHARE * rows)
    texts = [writer.row() for _ in range(rows - 2 * copies)]
    kinds: list[list[Pair]] = []
    originals = iter(writer.random.sample(range(len(texts)), len(texts)))
    for wanted in (NEAR, NOT_QUITE):
        pairs: list[Pair] = []
        while len(pairs) < copies:
            original = next(originals)
            copy = writer.altered(texts[original], wanted)
            if copy is not None:
                pairs.append((original, len(texts)))
                texts.append(copy)
        kinds.append(pairs)
    return _shuffled(texts, kinds, writer.random)


def _shuffled(texts: list[str], kinds: list[list[Pair]], generator: random.Random) -> Planted:
    order = generator.sample(range(len(texts)), len(texts))
    place = {old: new for new, old in enumerate(order)}
    near, not_quite = ([(place[one], place[other]) for one, other in pairs] for pairs in kinds)
    return Planted([texts[old] for old in order], near, not_quite)


class _Writer:
    """Writes rows in made-up words, frequent ones as often as in a language (Zipf)."""

    def __init__(self, generator: random.Random) -> None:
        self.random = generator
        syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
        self.words = ["".join(generator.choices(syllables, k=generator.randint(1, 4))) for _ in range(20_000)]
        totals = [0.0]
        for rank in range(1, len(self.words) + 1):
            totals.append(totals[-1] + 1 / rank)
        self.totals = totals[1:]
        self.patterns = [self.sentence(generator.randint(4, 12)) for _ in range(300)]

    def sentence(self, words: int) -> str:
        chosen = self.random.choices(self.words, cum_weights=self.totals, k=words)
        return " ".join(chosen).capitalize()

    def row(self) -> str:
        """An instruction and its answer; the median has about 60 words."""
        words = min(150, max(10, round(self.random.lognormvariate(4.1, 0.6))))
        pattern = self.random.choice(self.patterns)
        instruction = f"{pattern} {self.sentence(3).lower()}."
        sentences = []
        left = words - len(instruction.split())
        while left > 0:
            sentences.append(self.sentence(min(left, self.random.randint(6, 18))))
            left -= 18
        return instruction + "\n" + ", ".join(sentences) + "."

    def altered(self, text: str, wanted: tuple[float, float]) -> str | None:
        """The text with words exchanged until its similarity is within `wanted`; None when it steps over that.

        A word within exchanges three shingles, the last but one two and the last one.
        """
        words = text.split(" ")
        count = len(words) - SHINGLE_WORDS + 1
        aim = self.random.uniform(*wanted)
        lost = round(count * (1 - aim) / (1 + aim))
        places = [len(words) - rest for rest in ([lost % SHINGLE_WORDS] if lost % SHINGLE_WORDS else [])]
        inner = range(SHINGLE_WORDS - 1, len(words) - 2 * SHINGLE_WORDS, SHINGLE_WORDS)
        places += self.random.sample(inner, min(len(inner), lost // SHINGLE_WORDS))
        for place in places:
            words[place] = f"{self.random.choice(self.words)}{self.random.randrange(1000)}"
        copy = " ".join(words)
        return copy if wanted[0] <= similarity(text, copy) <= wanted[1] else None


def measure_ours(planted: Planted) -> Measured:
    """The product's whole stage, from texts to clusters."""
    texts = planted.texts
    started = time.process_time()
    found = confirmed_clusters(signatures(texts), texts.__getitem__, THRESHOLD)
    seconds = time.process_time() - started
    pairs = [(row, int(partner)) for row, partner in enumerate(found.partner) if partner >= 0]
    cluster = found.cluster
    return _measured("ours", planted, seconds, pairs, lambda one, other: bool(cluster[one] == cluster[other]))


def measure_datasketch(planted: Planted, *, tuned: bool) -> Measured:
    """datasketch on the same rows; `tuned` gives it a fast hash function and our bands."""
    import xxhash
    from datasketch import MinHash, MinHashLSH

    bands = band_sizes(THRESHOLD)
    choices = {"hashfunc": xxhash.xxh32_intdigest} if tuned else {}
    index = MinHashLSH(THRESHOLD, SLOTS, params=(bands.count, bands.slots) if tuned else None)
    pairs: list[Pair] = []
    started = time.process_time()
    for row, minhash in enumerate(MinHash.generator(map(_joined_shingles, planted.texts), num_perm=SLOTS, **choices)):
        pairs += [(row, other) for other in index.query(minhash)]
        index.insert(row, minhash, check_duplication=False)
    seconds = time.process_time() - started
    known = set(pairs) | {(other, row) for row, other in pairs}
    name = "datasketch, tuned" if tuned else "datasketch"
    return _measured(name, planted, seconds, pairs, lambda one, other: (one, other) in known)


def _joined_shingles(text: str) -> list[bytes]:
    words = WORD.findall(text.lower())
    return [" ".join(words[place : place + SHINGLE_WORDS]).encode() for place in range(len(words) - SHINGLE_WORDS + 1)]


def _measured(
    name: str, planted: Planted, seconds: float, pairs: list[Pair], joined: Callable[[int, int], bool]
) -> Measured:
    right = sum(similarity(planted.texts[one], planted.texts[other]) >= THRESHOLD for one, other in pairs)
    return Measured(
        name, len(planted.texts), round(seconds, 2), round(len(planted.texts) / seconds),
        recall=round(sum(joined(*pair) for pair in planted.near) / len(planted.near), 4),
        precision=round(right / max(1, len(pairs)), 4),
        not_quite_joined=round(sum(joined(*pair) for pair in planted.not_quite) / len(planted.not_quite), 4),
    )  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """All measurements, and how many times faster ours was than each of datasketch's."""

    measured: list[Measured]
    times_faster: dict[str, float]


def compare(rows: int = 100_000, seed: int = 0) -> Comparison:
    """Measure ours and datasketch on the same rows, on one core where the system lets a process be bound to one."""
    planted = planted_rows(rows, seed)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if cores:
        os.sched_setaffinity(0, {min(cores)})
    try:
        measure_ours(planted_rows(1000))  # loads what the stage imports, as datasketch is loaded before its time starts
        measured = [measure_ours(planted)]
        for tuned in (False, True):
            gc.collect()
            measured.append(measure_datasketch(planted, tuned=tuned))
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
    ours = measured[0]
    return Comparison(measured, {other.name: round(other.seconds / ours.seconds, 1) for other in measured[1:]})


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="The near-duplicate stage against datasketch.")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    print(json.dumps(asdict(compare(chosen.rows, chosen.seed)), indent=1))


if __name__ == "__main__":
    main()
