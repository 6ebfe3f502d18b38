"""Rows from TXT and Markdown: passages of the text, each with the heading that it stands under."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from datasets_src.readers.common import holds_nul
from datasets_src.readers.cutting import Block, paragraphs, passages
from datasets_src.readers.text_file import TextFile, not_utf8, open_text, skip_line
from datasets_src.rows import Finding, RawRow

# A line is read in pieces of this length: some corpora are one line of a hundred megabytes.
LONGEST_PIECE = 2**20
# Where a line that goes on may be cut: behind a space, or behind the marks of languages that use none.
MAY_CUT_BEHIND = tuple(mark.encode() for mark in (" ", "\t", "\r", "。", "，", "、", "！", "？"))
MOST_BLANK_LINES = 100

UNDERLINE = re.compile(r" {0,3}(=+|-{2,})\s*$")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def read_text(path: Path) -> Iterator[RawRow]:
    """Passages of a plain text. Rows count passages; `line` is the one that the passage begins in."""
    with open_text(path) as text:
        lines = _Lines(text)
        for number, passage in enumerate(passages(paragraphs(lines)), start=1):
            yield passage.row(path.name, number, lines.position / text.size)


def read_markdown(path: Path) -> Iterator[RawRow]:
    """Passages of a Markdown text, which begin anew at each heading."""
    with open_text(path) as text:
        lines = _Lines(text)
        for number, passage in enumerate(passages(paragraphs(_markdown(lines))), start=1):
            yield passage.row(path.name, number, lines.position / text.size)


class _Lines:
    """The lines of a text as blocks, or pieces of very long ones, and how many bytes are read."""

    def __init__(self, text: TextFile) -> None:
        self.file = text.file
        self.position = 0

    def __iter__(self) -> Iterator[Block]:
        number, before, carried = 1, "\n", b""
        while raw := self.file.readline(LONGEST_PIECE):
            self.position += len(raw)
            content, carried = carried + raw, b""
            ended = raw.endswith(b"\n") or len(raw) < LONGEST_PIECE
            if not ended:
                cut = max(content.rfind(mark) + len(mark) if mark in content else 0 for mark in MAY_CUT_BEHIND)
                content, carried = content[:cut], content[cut:]
            if content:
                yield _line(content, number, before)
                before = "\n" if ended else content[len(content.rstrip()) :].decode("utf-8", "replace")
            else:
                yield Block("", number, fault=_endless_word())
                self.position += skip_line(self.file)
                ended, carried, before = True, b"", "\n"
            number += ended
        if carried:
            yield _line(carried, number, before)


def _line(content: bytes, number: int, before: str) -> Block:
    fault = not_utf8(content, number)
    if b"\0" in content:
        fault = holds_nul(f"line {number}, byte {content.index(0) + 1}")
    if fault:
        return Block("", number, fault=fault)
    text = content.decode("utf-8").rstrip()
    # What is left of old line ends is one.
    return Block(text.replace("\r", "\n"), number, before=before)


def _endless_word() -> Finding:
    return Finding(
        "", f"holds a word longer than {LONGEST_PIECE // 2**20} MB", "the line is no text; it was passed over"
    )


def _heading(line: str) -> str | None:
    """The text of a heading (`## Like this ##`) without its marks; None for any other line."""
    indented = line.lstrip(" ")
    rest = indented.lstrip("#")
    marks = len(indented) - len(rest)
    if len(line) - len(indented) > 3 or not 1 <= marks <= 6 or rest[:1] not in ("", " ", "\t"):
        return None
    title = rest.strip()
    unmarked = title.rstrip("#")
    return unmarked.rstrip() if unmarked[-1:] in ("", " ", "\t") else title


def _markdown(lines: Iterable[Block]) -> Iterator[Block]:
    """The same lines with headings marked, and with the blank lines of a fenced block in front of the next line."""
    fence, blank_lines = "", 0
    title: Block | None = None
    after_blank = True
    for line in lines:
        if title is not None and UNDERLINE.match(line.text):
            yield replace(title, text=f"{title.text}\n{line.text}", heading=title.text.strip())
            title, after_blank = None, True
            continue
        if title is not None:
            yield title
            title = None
        mark = FENCE.match(line.text)
        heading = _heading(line.text)
        if fence:
            if line.text or line.fault:
                yield replace(line, before="\n" * (1 + blank_lines))
            blank_lines = 0 if line.text else min(blank_lines + 1, MOST_BLANK_LINES)
            if mark and mark.group().strip().startswith(fence) and not line.text[mark.end() :].strip():
                fence, after_blank = "", False
        elif heading is not None:
            yield replace(line, heading=heading)
            after_blank = True
        elif after_blank and line.text and not mark and not line.fault:
            title, after_blank = line, False
        else:
            yield line
            fence = mark.group().strip() if mark else ""
            after_blank = not line.text
    if title is not None:
        yield title
