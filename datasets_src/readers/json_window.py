"""A window that moves over a JSON file of any size and hands out its values one by one.

Only the end of each value is looked for here; orjson reads it. So one value is in memory at a time, and brackets that
are nested without end, a string of a gigabyte or a list that never closes cost no more than the window.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from datasets_src.readers.common import LONGEST_ROW, too_deep, too_long
from datasets_src.readers.text_file import CHUNK, TextFile, not_utf8
from datasets_src.rows import Finding
from jobs.errors import BadInput

LIKELY_LEVELS = 6
LONGEST_KEY = 10_000
# A guess at a value's end that fails may have looked through all of the window. So guesses are made only as long as
# most of them are right; then a file that is made to fail them costs no more than looking at it byte by byte.
MOST_TRUST = 20.0
GAINED_TRUST = 0.2


def _likely_value() -> re.Pattern[bytes]:
    """An object or list that is nested a few levels deep, as nearly all rows are.

    It takes `\\"` for a quote inside a string even after another backslash. That is right but for strings that end in a
    backslash, and three times faster than looking at each character; where it is wrong, orjson refuses what it found,
    since no object or list is the beginning of a longer one.
    """
    string = rb'"[^"]*+(?:(?<=\\)"[^"]*+)*+"'
    value = rb"(?!)"
    for _ in range(LIKELY_LEVELS):
        value = rb'[\[{](?:[^"\[\]{}]++|' + string + rb"|" + value + rb")*+[\]}]"
    return re.compile(value)


LIKELY_VALUE = _likely_value()
SPACE = re.compile(rb"[ \t\r\n]*+")
COMMA = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+(?=[^ \t\r\n])")
OUTSIDE = re.compile(rb'["\[\]{}]')
INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
STEPS = {b'"': 0, b"[": 1, b"{": 1, b"]": -1, b"}": -1}
SCALAR = re.compile(rb'[^ \t\r\n,\[\]{}"]*+')


class JsonWindow:
    """`buffer[at:]` is what comes next. Raises BadInput, with line and column, where the syntax breaks."""

    def __init__(self, path: Path, text: TextFile) -> None:
        self.path = path
        self.text = text
        self.buffer = b""
        self.at = 0
        # How much of the file was before the buffer.
        self.dropped = 0
        # How many lines end before `buffer[counted]`, and how many bytes of its own line stand before it.
        self.counted = 0
        self.lines = 0
        self.columns = 0
        # How far rows have proved to end at their first closing brace, as rows without lists and objects do, or where
        # LIKELY_VALUE says.
        self.trust_in_brace = self.trust_in_likely = MOST_TRUST

    @property
    def fraction(self) -> float:
        return (self.dropped + self.at) / self.text.size

    def peek(self) -> bytes:
        """The next byte that is not white space; b"" at the end of the file."""
        while True:
            self.at = SPACE.match(self.buffer, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.buffer):
                return self.buffer[self.at : self.at + 1]
            if not self._more():
                return b""

    def elements(self) -> Iterator[Any]:
        """The elements of the list that begins here; a Finding for one that can't be had while the list goes on."""
        self.at += 1
        if self.peek() == b"]":
            self.at += 1
            return
        while True:
            yield self.value()
            comma = COMMA.match(self.buffer, self.at)
            if comma:
                self.at = comma.end()
            elif self._ends(b"]"):
                return

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here. Whoever asks has to move past each key's value before the next."""
        self.at += 1
        if self.peek() == b"}":
            self.at += 1
            return
        while True:
            if self.peek() != b'"':
                raise self.broken("a key in quotes is expected")
            key = self.value()
            if isinstance(key, Finding) or len(key) > LONGEST_KEY or self.peek() != b":":
                raise self.broken("a key with a colon after it is expected")
            self.at += 1
            self.peek()
            yield key
            if self._ends(b"}"):
                return

    def value(self) -> Any:
        """The value that begins here, or a Finding where it can't be had; moves past it."""
        if self.trust_in_brace > 0:
            end = self.buffer.find(b"}", self.at) + 1
            try:
                value = orjson.loads(self.buffer[self.at : end])
            except orjson.JSONDecodeError:
                self.trust_in_brace -= 1
            else:
                self.trust_in_brace = min(MOST_TRUST, self.trust_in_brace + GAINED_TRUST)
                self.at = end
                return value
        if self.trust_in_likely > 0:
            likely = LIKELY_VALUE.match(self.buffer, self.at)
            try:
                value = orjson.loads(likely.group() if likely else b"")
            except orjson.JSONDecodeError:
                self.trust_in_likely -= 1
            else:
                self.trust_in_likely = min(MOST_TRUST, self.trust_in_likely + GAINED_TRUST)
                self.at += len(likely.group())  # type: ignore[union-attr]
                return value
        return self._exact_value()

    def skip(self) -> None:
        """Move past the value that begins here, whatever its length, without reading it."""
        self._pass_over()

    def broken(self, why: str, error: orjson.JSONDecodeError | None = None) -> BadInput:
        """The error for what comes next, or for the place in it that orjson names."""
        lines, columns = self._place()
        line, column = (error.lineno, error.colno) if error else (1, 1)
        here = f"line {lines + line}, column {column + (columns if line == 1 else 0)}"
        return BadInput(
            f"{self.path}: broken JSON at {here}.",
            f"{why[:1].upper()}{why[1:]}.",
            "Mend the file there; what follows can't be read until then.",
        )

    def _ends(self, bracket: bytes) -> bool:
        """Whether the list or object ends here rather than goes on after a comma; moves past either."""
        found = self.peek()
        if found not in (bracket, b",") or not found:
            raise self.broken(f"a comma or {bracket.decode()} is expected" if found else "the file ends too early")
        self.at += 1
        if found == b",":
            self.peek()
        return found == bracket

    def _exact_value(self) -> Any:
        lines, columns = self._place()
        content = self._pass_over()
        if content is None:
            return too_long()
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            finding = not_utf8(content, lines + 1, columns) or too_deep(error)
            if finding is None:
                self.at -= len(content)
                raise self.broken(error.msg, error) from error
            return finding

    def _pass_over(self) -> bytes | None:
        """Move past the value that begins here; its bytes, None when they are more than LONGEST_ROW."""
        if self.buffer[self.at : self.at + 1] not in (b'"', b"[", b"{"):
            return self._scalar()
        scan = _Scan()
        end, kept = self.at, True
        while True:
            end = scan.advance(self.buffer, end)
            kept = kept and end - self.at <= LONGEST_ROW
            if scan.done:
                break
            if not kept:
                self.at = end
            looked_at = end - self.at
            if not self._more():
                raise self.broken("the file ends inside the value that begins there")
            end = self.at + looked_at
        content = self.buffer[self.at : end] if kept else None
        self.at = end
        return content

    def _scalar(self) -> bytes:
        """Move past a number, true, false or null."""
        while True:
            content = SCALAR.match(self.buffer, self.at).group()  # type: ignore[union-attr]
            ended = self.at + len(content) < len(self.buffer)
            if len(content) > LONGEST_KEY:
                raise self.broken("a value without end begins there")
            if ended or not self._more():
                break
        if not content:
            raise self.broken("a value is expected" if ended else "the file ends too early")
        self.at += len(content)
        return content

    def _more(self) -> bool:
        """Read on and drop what is past; whether the file had any more."""
        chunk = self.text.file.read(CHUNK)
        self._place()
        self.dropped += self.at
        self.buffer = self.buffer[self.at :] + chunk
        self.at = self.counted = 0
        return bool(chunk)

    def _place(self) -> tuple[int, int]:
        """How many lines end before what comes next, and how many bytes of its own line stand before it."""
        self.lines += self.buffer.count(b"\n", self.counted, self.at)
        line_end = self.buffer.rfind(b"\n", self.counted, self.at)
        self.columns = self.columns + self.at - self.counted if line_end < 0 else self.at - line_end - 1
        self.counted = self.at
        return self.lines, self.columns


class _Scan:
    """Finds the end of a string, list or object that may go on over many pieces."""

    def __init__(self) -> None:
        self.depth = 0
        self.inside = False
        self.done = False

    def advance(self, buffer: bytes, at: int) -> int:
        """Look on from `at`: behind the value's end where it is `done`, else how far it is looked at."""
        while at < len(buffer) and not self.done:
            if self.inside:
                at = INSIDE.match(buffer, at).end()  # type: ignore[union-attr]
                if buffer[at : at + 1] != b'"':
                    break
                at += 1
                self.inside = False
            else:
                found = OUTSIDE.search(buffer, at)
                if found is None:
                    return len(buffer)
                at = found.end()
                self.inside = found.group() == b'"'
                self.depth += STEPS[found.group()]
            self.done = self.depth == 0 and not self.inside
        return at
