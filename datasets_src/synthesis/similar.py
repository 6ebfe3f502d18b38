"""Which earlier text a new one is nearly equal to, by ROUGE-L, without comparing it to all of them.

ROUGE-L (Lin 2004) is the F-measure of the longest common subsequence of words; Self-Instruct (Wang et al. 2023) refuses
tasks from 0.7 on. Two texts that reach a threshold share some words among their first ones in any fixed order (prefix
filtering, Chaudhuri et al. 2006); with the longest words first, those are rare and few texts have to be compared.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

# A character of a script without spaces counts as a word.
WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
# So many words have to be met before two texts are compared: more make the comparisons fewer and the index larger.
SHARED = 4
WORD = re.compile(rf"[{WIDE}]|[^\W{WIDE}]+")


@dataclass(frozen=True)
class _Text:
    """A text's words in order, those that similar texts are found by, and how many of them such a text shares."""

    words: list[str]
    prefix: list[str]
    shared: int

    @property
    def behind(self) -> int:
        """How many words are not in the prefix."""
        return len(self.words) - len(self.prefix)


class SimilarTexts:
    """Texts seen so far. `threshold` is the ROUGE-L from which two count as nearly equal."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._texts: list[_Text] = []
        self._holders: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, text: str) -> None:
        """Remember a text."""
        prepared = self._prepared(text)
        for word in prepared.prefix:
            self._holders[word].append(len(self._texts))
        self._texts.append(prepared)

    def has_similar(self, text: str) -> bool:
        """Whether a text that was added is nearly equal to this one."""
        prepared = self._prepared(text)
        times_met: Counter[int] = Counter()
        for word in prepared.prefix:
            times_met.update(self._holders.get(word, ()))
        return any(
            self._alike(prepared, self._texts[place], times)
            for place, times in times_met.items()
            if times >= prepared.shared or times >= self._texts[place].shared
        )

    def _alike(self, one: _Text, other: _Text, times_met: int) -> bool:
        # Words in common stand in both prefixes, or behind the one that ends first.
        most_common = times_met + max(one.behind, other.behind)
        if 2 * most_common < self._threshold * (len(one.words) + len(other.words)):
            return False
        return rouge_l_of_words(one.words, other.words) >= self._threshold

    def _prepared(self, text: str) -> _Text:
        words = _words(text)
        # A repeated word counts as so many different ones.
        numbered = [f"{word}#{n}" for word, times in Counter(words).items() for n in range(times)]
        numbered.sort(key=lambda word: (-len(word), word))
        # A similar text has at least this many in common: 2·common / (length + its length) ≥ threshold, common ≤ both.
        common = math.ceil(self._threshold / (2 - self._threshold) * len(words) - 1e-9)
        shared = min(SHARED, common)
        return _Text(words, numbered[: len(numbered) - common + shared], shared)


def rouge_l(one: str, other: str) -> float:
    """ROUGE-L of two texts, from 0 to 1."""
    return rouge_l_of_words(_words(one), _words(other))


def rouge_l_of_words(one: list[str], other: list[str]) -> float:
    """ROUGE-L of two lists of words, from 0 to 1; 0 where one is empty."""
    if not one or not other:
        return 0.0
    return 2 * _common_subsequence(one, other) / (len(one) + len(other))


def _words(text: str) -> list[str]:
    return [word.lower() for word in WORD.findall(text)]


def _common_subsequence(one: list[str], other: list[str]) -> int:
    """The length of the longest common subsequence, a word of `other` at a time for all of `one` at once.

    The bits of an integer stand for the words of `one` (Hyyrö 2004).
    """
    places: defaultdict[str, int] = defaultdict(int)
    for place, word in enumerate(one):
        places[word] |= 1 << place
    everything = (1 << len(one)) - 1
    open_places = everything
    for word in other:
        matching = open_places & places.get(word, 0)
        open_places = ((open_places + matching) | (open_places - matching)) & everything
    return len(one) - open_places.bit_count()
