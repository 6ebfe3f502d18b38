"""Cutting a text into passages: by headings and paragraphs, up to about 2,000 characters, never inside a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import shorten

from datasets_src.rows import Finding, RawRow

LONGEST_PASSAGE = 2000
# A piece of a long paragraph is at least this long before it is cut at the end of a sentence.
SHORTEST_PIECE = LONGEST_PASSAGE // 2
LONGEST_SECTION = 200
# Where a text may be cut, best first: behind a sentence (with or without a space, as in Chinese), a line, a word.
SENTENCE_END = re.compile(r"[.!?…][\"'»”’)\]]*\s+|[。！？]+[”’」』]*\s*")
LINE_END = re.compile(r"\n")
WORD_END = re.compile(r"\s+|[，、；：]+")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a line, a paragraph, or a piece of one. `before` is what separates it from the block before it.

    `line` is the line that it begins in, where there are lines. `heading` is a heading's text without its marks. A
    block that can't be read has a `fault` and no text.
    """

    text: str
    line: int | None = None
    heading: str | None = None
    before: str = "\n\n"
    fault: Finding | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """Some blocks of one section, or a fault."""

    text: str
    section: str | None
    line: int | None
    fault: Finding | None = None

    def row(self, document: str, number: int, fraction: float, **more: int) -> RawRow:
        """The passage as a row; `more` are columns that only some documents have, such as `page`."""
        if self.fault:
            return RawRow(number, {}, fraction, self.line, self.fault)
        values = {"text": self.text, "document": document, "section": self.section, "passage": number, **more}
        return RawRow(number, values, fraction, self.line)


def passages(blocks: Iterable[Block], section: str | None = None) -> Iterator[Passage]:
    """The blocks put together as far as they fit. A heading begins a new passage and stays with what follows it."""
    held: list[Block] = []
    length = 0
    for block in blocks:
        if block.heading is not None or block.fault:
            yield from _joined(held, section)
            held, length = [], 0
        if block.fault:
            yield Passage("", section, block.line, block.fault)
            continue
        if block.heading is not None:
            section = shorten(block.heading, LONGEST_SECTION, placeholder=" …") or None
        for piece in _pieces(block):
            if length + len(piece.text) > LONGEST_PASSAGE and any(part.heading is None for part in held):
                yield from _joined(held, section)
                held, length = [], 0
            held.append(piece)
            length += len(piece.before) + len(piece.text)
    yield from _joined(held, section)


def _joined(blocks: list[Block], section: str | None) -> Iterator[Passage]:
    text = "".join(block.before + block.text for block in blocks).strip()
    if text:
        yield Passage(text, section, blocks[0].line)


def _pieces(block: Block) -> Iterator[Block]:
    """A block that is too long for a passage, cut where a sentence ends, else where a word does."""
    text, before, start = block.text, block.before, 0
    while len(text) - start > LONGEST_PASSAGE:
        end = _cut(text, start)
        piece = text[start:end]
        yield Block(piece.rstrip(), block.line, block.heading if start == 0 else None, before)
        before = piece[len(piece.rstrip()) :]
        start = end
    if text[start:]:
        yield Block(text[start:].rstrip(), block.line, block.heading if start == 0 else None, before)


def _cut(text: str, start: int) -> int:
    """Where to cut: the last end of a sentence, or line, in the second half of what fits; else of a word anywhere."""
    half = start + SHORTEST_PIECE
    for pattern, first in ((SENTENCE_END, half), (LINE_END, half), (WORD_END, start + 1)):
        ends = [found.end() for found in pattern.finditer(text, first, start + LONGEST_PASSAGE)]
        if ends:
            return ends[-1]
    following = WORD_END.search(text, start + LONGEST_PASSAGE)
    return following.end() if following else len(text)


def paragraphs(lines: Iterable[Block]) -> Iterator[Block]:
    """Lines put together to paragraphs, which blank lines separate. Headings and faults stand for themselves.

    A paragraph that goes on is handed out in pieces of several passages' length, so that none has to be held whole.
    """
    held: list[Block] = []
    length = 0
    before = "\n\n"
    for line in lines:
        alone = line.heading is not None or line.fault is not None
        if alone or not line.text.strip():
            yield from _paragraph(held, before)
            held, length, before = [], 0, "\n\n"
            if alone:
                yield line
            continue
        held.append(line)
        length += len(line.text)
        if length > 4 * LONGEST_PASSAGE:
            yield from _paragraph(held, before)
            held, length, before = [], 0, "\n"
    yield from _paragraph(held, before)


def _paragraph(lines: list[Block], before: str) -> Iterator[Block]:
    if lines:
        text = lines[0].text + "".join(line.before + line.text for line in lines[1:])
        # A piece of a line that goes on has its own idea of what comes before it.
        yield Block(text, lines[0].line, before=before if "\n" in lines[0].before else lines[0].before)
