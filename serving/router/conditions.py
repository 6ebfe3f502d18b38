"""Whether a rule's condition holds for a question, and the words that say why or why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from datasets_src.checks.language import DENSE, language_of
from serving.router.patterns import PatternClock, TooSlow
from serving.router.question import Question, plain
from serving.router.spec import ClassifiedAs, Condition

# All patterns of all rules together, for one request.
SECONDS_FOR_PATTERNS = 0.05


class Guess(Protocol):
    """What a classifier found: the likeliest label, and how probable each label is."""

    @property
    def label(self) -> str: ...
    @property
    def probabilities(self) -> Mapping[str, float]: ...


class Classifies(Protocol):
    """A trained classifier."""

    @property
    def labels(self) -> Sequence[str]: ...
    def classify(self, text: str) -> Guess: ...


@dataclass(frozen=True)
class Fit:
    """Whether something holds, and why (not), as in "the tag is sql"."""

    holds: bool
    why: str


class Evidence:
    """A question and what is found out about it, each thing once and only when a rule asks for it."""

    def __init__(self, question: Question, classifiers: Mapping[str, Classifies]) -> None:
        self.question = question
        self.patterns = PatternClock(SECONDS_FOR_PATTERNS)
        self._classifiers = classifiers
        self._guesses: dict[str, Guess] = {}

    @cached_property
    def plain(self) -> str:
        return plain(self.question.text)

    @cached_property
    def language(self) -> str | None:
        return language_of(self.question.text)

    def guess(self, classifier: str) -> Guess:
        if classifier not in self._guesses:
            self._guesses[classifier] = self._classifiers[classifier].classify(self.question.text)
        return self._guesses[classifier]


def fits(condition: Condition, evidence: Evidence) -> Fit:
    """Whether all of the condition holds. Looked at from cheap to dear; the first that doesn't hold ends it."""
    reasons = []
    for name, check in _CHECKS.items():
        if getattr(condition, name):
            found = check(condition, evidence)
            if not found.holds:
                return found
            reasons.append(found.why)
    return Fit(True, " and ".join(reasons))


def _tag(condition: Condition, evidence: Evidence) -> Fit:
    return _one_of(condition.tags, evidence.question.tag, "the tag")


def _mode(condition: Condition, evidence: Evidence) -> Fit:
    return _one_of(condition.reasoning_modes, evidence.question.reasoning_mode, "the reasoning mode")


def _language(condition: Condition, evidence: Evidence) -> Fit:
    return _one_of(condition.languages, evidence.language, "the language")


def _one_of(wanted: tuple[str, ...], given: str | None, what: str) -> Fit:
    if given in wanted:
        return Fit(True, f"{what} is {given}")
    unknown = " (it is not known)" if given is None else ""
    return Fit(False, f"{what} is not {' or '.join(wanted)}{unknown}")


def _any_words(condition: Condition, evidence: Evidence) -> Fit:
    found = next((word for word in condition.any_words if contains_word(evidence.plain, word)), None)
    if found is None:
        return Fit(False, f"none of the words {_quoted(condition.any_words)} is there")
    return Fit(True, f"the word {_quoted([found])} is there")


def _all_words(condition: Condition, evidence: Evidence) -> Fit:
    missing = [word for word in condition.all_words if not contains_word(evidence.plain, word)]
    if missing:
        return Fit(False, f"the word {_quoted(missing[:1])} is not there")
    return Fit(True, f"all of the words {_quoted(condition.all_words)} are there")


def _pattern(condition: Condition, evidence: Evidence) -> Fit:
    try:
        found = evidence.patterns.search(condition.pattern or "", evidence.question.text)
    except TooSlow:
        return Fit(False, "its pattern took too long, so it was passed over")
    return Fit(found is not None, "its pattern is found" if found else "its pattern is not found")


def _classified(condition: Condition, evidence: Evidence) -> Fit:
    wanted = condition.classified
    assert wanted is not None
    return _sure_enough(wanted, evidence.guess(wanted.classifier))


def _sure_enough(wanted: ClassifiedAs, guess: Guess) -> Fit:
    probability = guess.probabilities.get(wanted.label, 0.0)
    if guess.label != wanted.label:
        return Fit(False, f"{wanted.classifier} finds {guess.label} likelier than {wanted.label} ({probability:.0%})")
    sure = f"{wanted.classifier} finds {wanted.label} {probability:.0%} sure"
    if probability < wanted.at_least:
        return Fit(False, f"{sure}, and {wanted.at_least:.0%} are asked for")
    return Fit(True, sure)


_CHECKS: dict[str, Callable[[Condition, Evidence], Fit]] = {
    "tags": _tag,
    "reasoning_modes": _mode,
    "any_words": _any_words,
    "all_words": _all_words,
    "pattern": _pattern,
    "languages": _language,
    "classified": _classified,
}


def contains_word(text: str, word: str) -> bool:
    """Whether `word` (or words) stands in `text`, which is `plain`, not inside a longer word.

    In scripts that write no blanks between words (Chinese, Japanese, Thai), anywhere.
    """
    wanted = plain(word)
    start = text.find(wanted) if wanted else -1
    while start >= 0:
        end = start + len(wanted)
        if _ends(text[start - 1 : start], wanted[0]) and _ends(text[end : end + 1], wanted[-1]):
            return True
        start = text.find(wanted, start + 1)
    return False


def _ends(neighbour: str, edge: str) -> bool:
    """Whether a word that has `edge` as its outermost sign ends there, beside `neighbour` ("" for nothing)."""
    inside = neighbour.isalnum() or neighbour == "_"
    return not inside or not (edge.isalnum() or edge == "_") or DENSE.match(edge) is not None


def _quoted(words: Sequence[str], most: int = 3) -> str:
    rest = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(f"'{word}'" for word in words[:most]) + rest
