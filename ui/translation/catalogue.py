"""The texts of one language: looked up whole, as a pattern with places for what changes, or sentence by sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
PLACE = re.compile(r"\{(\d+)\}")
# Longer texts are nobody's interface, and a pattern could take long over them.
LONGEST = 1500
DEEPEST = 5
MOST_SENTENCES = 6  # of one text in the code
KEPT = 20_000
# Where a text that is not known as a whole may be made of several, the widest seams first.
SEAMS = (r" · ", r"; ", r": ", r", ", r" ?\(|\)")
WIDEST_SEAM = " · "
SENTENCE_ENDS = re.compile(r"(?<=[.!?…]) +")
HINT = re.compile(r"(.+) \(([^()]*)\)", re.DOTALL)
PROSE = re.compile(r"[a-z]{2,} [a-z]{2,}")
# What a place of a weak pattern may hold besides known texts: a number, with its unit.
NUMBER = re.compile(r"[^A-Za-z]*\d[^A-Za-z]*([A-Z]{0,2}|ms|s|h)")
ENDINGS = ".,:;!?…"
# Letters that are fixed in a text with places, up to which any other text may look like it.
WEAK = 5
LONGEST_WEAK = 160  # characters of a text that such a pattern is tried on
COUNTED = re.compile(r"\{0\} [\w-]+( [\w-]+)?")


@dataclass(frozen=True)
class _Pattern:
    """A text with places. `word`: its longest fixed part, without which it needn't be tried.

    `weak`: so little of it is fixed that other texts look like it; then its places have to hold numbers or known texts.
    """

    word: str
    expression: re.Pattern[str]
    wanted: str
    weak: bool


class Catalogue:
    """`texts`: English to the language; one without a translation is shown as it is. A place may be left out in the
    language where it only holds the ending of a plural.

    `punctuation`: how marks at the end of a text are written.
    """

    def __init__(self, language: str, texts: Mapping[str, str | None], punctuation: Mapping[str, str]) -> None:
        self.language = language
        self._punctuation = punctuation
        self._plain: dict[str, str] = {}
        patterns = []
        for text, wanted in texts.items():
            if PLACE.search(text):
                patterns += list(_pattern(text, wanted)) if wanted else []
            else:
                for variant in _variants(text):
                    self._plain.setdefault(variant, wanted or text)
        self._patterns = sorted(patterns, key=lambda each: (each.weak, -len(each.expression.pattern)))
        self._found = lru_cache(maxsize=KEPT)(self._look_up)

    def text(self, text: str) -> str:
        """`text` in the language, with the white space around it; what isn't known stays as it is."""
        core = text.strip()
        if not any(letter.isalpha() for letter in core) or len(core) > LONGEST:
            return text
        found = self._found(core, DEEPEST)
        return text if found is None else text.replace(core, found, 1)

    def _look_up(self, core: str, depth: int) -> str | None:
        """None where nothing of it is known."""
        known = self._plain.get(core)
        if known is not None or depth == 0 or not any(letter.isalpha() for letter in core):
            return known
        if WIDEST_SEAM in core:  # things that stand beside one another: no pattern may reach from one into the next
            known = self._by_pattern(core, depth, seamed=True)
            if known is not None or (known := self._in_parts(core, depth)) is not None:
                return known
        ways = (self._without_hint, self._in_sentences, self._by_pattern, self._without_ending, self._in_parts)
        return next((found for way in ways if (found := way(core, depth)) is not None), None)

    def _by_pattern(self, core: str, depth: int, seamed: bool = False) -> str | None:
        """`seamed`: by those alone that hold such a seam themselves."""
        for each in self._patterns:
            if seamed and WIDEST_SEAM.strip() not in each.wanted:
                continue
            if each.weak and len(core) > LONGEST_WEAK:
                return None
            if each.word in core and (match := each.expression.fullmatch(core)):
                held = {name[1:]: value or "" for name, value in match.groupdict().items()}
                if each.weak and not all(self._sure(value, depth) for value in held.values()):
                    continue
                told = {number: self._part(value, depth) for number, value in held.items()}
                return PLACE.sub(lambda place, told=told: told[place[1]], each.wanted)  # type: ignore[misc]
        return None

    def _sure(self, held: str, depth: int) -> bool:
        core = held.strip()
        if WIDEST_SEAM in core:
            return False
        return not core or NUMBER.fullmatch(core) is not None or self._found(core, depth - 1) is not None

    def _without_hint(self, core: str, depth: int) -> str | None:
        """A text and what stands in brackets behind it."""
        hint = HINT.fullmatch(core)
        if hint is None or (found := self._plain.get(hint[1])) is None:
            return None
        return f"{found}{self._punctuation.get('(', ' (')}{self._part(hint[2], depth)}{self._punctuation.get(')', ')')}"

    def _in_sentences(self, core: str, depth: int) -> str | None:
        """Of several sentences as many together as are known together."""
        sentences = SENTENCE_ENDS.split(core)
        if len(sentences) == 1 or self._by_pattern(core, 1) is not None:
            return None
        told, start = [], 0
        while start < len(sentences):
            for end in range(min(len(sentences), start + MOST_SENTENCES), start, -1):
                run = " ".join(sentences[start:end])
                found = (
                    self._plain.get(run) or self._by_pattern(run, depth) if end > start + 1 else self._part(run, depth)
                )
                if found is not None:
                    told.append(found)
                    start = end
                    break
        joined = " ".join(told)
        return None if joined == core else joined

    def _without_ending(self, core: str, depth: int) -> str | None:
        if core[-1] not in ENDINGS:
            return None
        found = self._found(core[:-1].rstrip(), depth - 1)
        return None if found is None else found + self._punctuation.get(core[-1], core[-1])

    def _in_parts(self, core: str, depth: int) -> str | None:
        for seam in SEAMS:
            parts = re.split(f"({seam})", core)
            if len(parts) > 1:
                told = [self._part(part, depth) for part in parts]
                left = [part for part, now in zip(parts, told, strict=True) if part == now]
                # A name may stay as it is; half a sentence in English beside the other half helps nobody.
                if told != parts and not any(PROSE.search(part) for part in left):
                    return "".join(told)
        return None

    def _part(self, part: str, depth: int) -> str:
        core = part.strip()
        found = self._found(core, depth - 1) if core else None
        return part if found is None else part.replace(core, found, 1)


def _variants(text: str) -> set[str]:
    """With a capital and a small letter at the beginning: a label may stand within a sentence."""
    return {text, text[:1].upper() + text[1:], text[:1].lower() + text[1:]}


def _pattern(text: str, wanted: str) -> Iterator[_Pattern]:
    """None for a text whose fixed part says nothing."""
    pieces = PLACE.split(text)
    fixed = pieces[::2]
    letters = sum(letter.isalpha() for letter in "".join(fixed))
    if letters < 2:
        return
    expression = re.escape(fixed[0])
    for number, after in zip(pieces[1::2], fixed[1:], strict=True):
        held = ".*?" if f"{{{number}}}" in wanted else "(?:e?s)?"
        expression += f"(?P<p{number}>{held})" + re.escape(after)
    weak = letters <= WEAK or COUNTED.fullmatch(text) is not None
    yield _Pattern(_rarest(fixed), re.compile(_loosened(expression), re.DOTALL), wanted, weak)


def _rarest(fixed: list[str]) -> str:
    """The longest fixed part, less the first letter, which may be a capital."""
    return max((part.strip()[1:] if place == 0 else part.strip() for place, part in enumerate(fixed)), key=len)


def _loosened(expression: str) -> str:
    """Where a place at an end holds nothing, the space beside it is gone too; the first letter may be a capital."""
    expression = re.sub(r"^(\(\?P<p\d+>[^()]*\))((?:\\ )+)", r"(?:\1\\s+)?", expression)
    expression = re.sub(r"((?:\\ )+)(\(\?P<p\d+>[^()]*\))$", r"(?:\\s+\2)?", expression)
    first = expression[0]
    return f"[{first.upper()}{first.lower()}]{expression[1:]}" if first.isalpha() else expression


@cache
def catalogue(language: str) -> Catalogue | None:
    """That of a language, None for English and for one that isn't there."""
    if language not in languages():
        return None
    read = read_language(language)
    return Catalogue(language, {**read["words"], **read["texts"]}, read["punctuation"])


@cache
def read_language(language: str) -> dict[str, Any]:
    """A language's file: its `name`, `texts` that are found in the code, `words` that are put together there, and how
    `punctuation` is written."""
    text = (FOLDER / f"{language}.yaml").read_text(encoding="utf-8")
    return dict(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def name_of(language: str) -> str:
    """How a language calls itself: its file's first line, since a page in English needs no more of it."""
    with (FOLDER / f"{language}.yaml").open(encoding="utf-8") as file:
        return str(yaml.safe_load(file.readline())["name"])


@cache
def languages() -> tuple[str, ...]:
    """Those besides English, as tags of RFC 5646 such as zh."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
