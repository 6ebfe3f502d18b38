"""Answers that repeat themselves, by the rules of Rae et al. 2021 (Gopher), table A1 (https://arxiv.org/abs/2112.11446).

The rules are for web pages. Here they are applied to the prose of answers; code and tables, which repeat themselves by
nature, are left out. In a page of 500 words a share of 15 % is a loop, in an answer of 100 words a refrain or a formula
that is worked through: below 500 words the thresholds grow as the text gets shorter, up to three times.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from datasets_src.checks.check import CheckSettings, RowCheck
from datasets_src.checks.texts import said_to_be_learned
from datasets_src.rows import Candidate, Finding

FEWEST_WORDS = 50
ENOUGH_WORDS, MOST_LENIENT = 500, 3.0
# Shares from which on a text repeats itself.
DUPLICATE_LINES, DUPLICATE_LINE_CHARACTERS = 0.30, 0.20
DUPLICATE_PARAGRAPHS, DUPLICATE_PARAGRAPH_CHARACTERS = 0.30, 0.20
TOP_NGRAM = {2: 0.20, 3: 0.18, 4: 0.16}
DUPLICATE_NGRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
LEAST_SHARE = min(DUPLICATE_NGRAMS.values())
# Where fewer pairs of words come back than this share, there are no longer passages that do: most texts end here.
FEW_REPEATED_PAIRS = 0.06
# Lines of one or two words are answers or labels; a refrain comes back once or twice.
SHORTEST_LINE, FEWEST_DUPLICATES = 3, 3
FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
TABLE_LINE = re.compile(r"^[ \t]*\|.*$", re.MULTILINE)
CODE_SIGNS, CODE_SHARE = "(){}[];=<>\\", 0.05
# Scripts without spaces between words: there every character counts as a word.
UNSPACED = 30


def find_repetition(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Answers that break one of the rules; the first that they break is named."""
    for turn in said_to_be_learned(row):
        found = repetition(turn.text)
        if found:
            yield Finding(turn.field, f"repeats itself: {found}", "the model would learn to go round in circles")


def repetition(text: str) -> str:
    """The rule that a text breaks, in words; "" where it breaks none."""
    if len(text) < 2 * FEWEST_WORDS:
        return ""
    if "```" in text:
        text = FENCED.sub("", text)
    if "|" in text:
        text = TABLE_LINE.sub("", text)
    words: Sequence[str] = text.split()
    if len(words) * UNSPACED < len(text):
        words = [sign for sign in text if not sign.isspace()]
    lenience = min(MOST_LENIENT, max(1.0, ENOUGH_WORDS / max(1, len(words))))
    if len(words) < FEWEST_WORDS or _repeated_pairs(words) < FEW_REPEATED_PAIRS * lenience or _is_code(text):
        return ""
    return _repeated_lines(text, lenience) or _repeated_ngrams(words, lenience)


def _repeated_pairs(words: Sequence[str]) -> float:
    return 1 - len(set(pairwise(words))) / (len(words) - 1)


def _is_code(text: str) -> bool:
    return sum(map(text.count, CODE_SIGNS)) > CODE_SHARE * len(text)


def _repeated_lines(text: str, lenience: float) -> str:
    for separator, name, share, characters in (
        ("\n\n", "paragraphs", DUPLICATE_PARAGRAPHS, DUPLICATE_PARAGRAPH_CHARACTERS),
        ("\n", "lines", DUPLICATE_LINES, DUPLICATE_LINE_CHARACTERS),
    ):
        pieces = [piece.strip() for piece in text.split(separator) if piece.strip()]
        duplicates = [piece for piece in _again(pieces) if len(piece.split()) >= SHORTEST_LINE]
        too_many = len(duplicates) > share * lenience * len(pieces)
        too_many |= sum(map(len, duplicates)) > characters * lenience * len(text)
        if len(duplicates) >= FEWEST_DUPLICATES and too_many:
            return f"{len(duplicates)} of {len(pieces)} {name} came before"
    return ""


def _again(pieces: Sequence[str]) -> list[str]:
    """The pieces that are equal to an earlier one."""
    seen: set[str] = set()
    return [piece for piece in pieces if piece in seen or seen.add(piece)]  # type: ignore[func-returns-value]


def _repeated_ngrams(words: Sequence[str], lenience: float) -> str:
    total = sum(map(len, words)) * lenience
    for size, share in TOP_NGRAM.items():
        ngram, count = Counter(zip(*(words[start:] for start in range(size)), strict=False)).most_common(1)[0]
        if count > 1 and count * sum(map(len, ngram)) > share * total:
            return f"“{' '.join(ngram)}” stands there {count} times"
    for size, share in DUPLICATE_NGRAMS.items():
        repeated = _characters_in_repeated(words, size) / total
        if repeated > share:
            return f"{repeated * lenience:.0%} of it lies in groups of {size} words that came before"
        # Longer groups that come back lie within shorter ones that do.
        if repeated < LEAST_SHARE:
            break
    return ""


def _characters_in_repeated(words: Sequence[str], size: int) -> int:
    """Characters in n-grams that were there before, none counted twice."""
    seen: set[tuple[str, ...]] = set()
    place = repeated = 0
    while place + size <= len(words):
        ngram = tuple(words[place : place + size])
        if ngram in seen:
            repeated += sum(map(len, ngram))
            place += size
        else:
            seen.add(ngram)
            place += 1
    return repeated


CHECKS = (
    RowCheck(
        "repetition",
        "Answers that repeat themselves",
        "The same words, lines or paragraphs over and over, as models and broken exports produce them (the Gopher "
        "rules). "
        "The model would learn to go round in circles. Code and tables are not judged.",
        "quality",
        "keep",
        find=find_repetition,
    ),
)
