"""Rows from CSV and TSV: one heading, then a row a line, unless a quoted field goes over several lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datasets_src.readers.common import LONGEST_ROW, holds_nul, too_long
from datasets_src.readers.text_file import CHUNK, SAMPLE, TextFile, not_utf8, open_text
from datasets_src.rows import Finding, RawRow
from jobs.errors import BadInput

SHOWN_NAMES = 5
SEPARATORS = b",;\t|"
# A NUL byte, or a byte that is not UTF-8 as `surrogateescape` decodes it.
DAMAGED = re.compile("[\0\udc80-\udcff]")


@dataclass(frozen=True)
class _Dialect:
    """How fields are told apart. `quoting` is the csv module's constant."""

    delimiter: str
    quoting: Literal[0, 3]


def read_csv(path: Path) -> Iterator[RawRow]:
    """Rows under one heading; separated by commas, semicolons, tabs or bars, whichever the heading has most of.

    Rows count from 1 below the heading; `line` is the file's.
    """
    with open_text(path) as text:
        heading = text.file.readline(LONGEST_ROW)
        delimiter = max(SEPARATORS, key=lambda separator: heading.count(separator))
    yield from _read_table(path, _Dialect(chr(delimiter), csv.QUOTE_MINIMAL))


def read_tsv(path: Path) -> Iterator[RawRow]:
    """Rows under one heading, separated by tabs. Quotes are plain characters where they don't stand in pairs."""
    with open_text(path) as text:
        sample = text.file.read(SAMPLE)
    yield from _read_table(path, _Dialect("\t", _tsv_quoting(sample)))


def _tsv_quoting(sample: bytes) -> Literal[0, 3]:
    """Spreadsheets quote fields in TSV as in CSV; corpora don't, and have single quotes anywhere."""
    lines = [line + b"\n" for line in sample.split(b"\n") if line.strip()]
    if len(sample) == SAMPLE:
        lines = lines[:-1]
    texts = [line.decode("utf-8", "replace") for line in lines]
    try:
        quoted = {len(values) for values in csv.reader(texts, delimiter="\t", strict=True)}
    except csv.Error:
        quoted = set()
    plain = {line.count(b"\t") for line in lines}
    return csv.QUOTE_NONE if len(plain) == 1 and len(quoted) != 1 else csv.QUOTE_MINIMAL


def _read_table(path: Path, dialect: _Dialect) -> Iterator[RawRow]:
    # The lines are counted below; the module's own limit, which knows no line, must not come first.
    csv.field_size_limit(2 * LONGEST_ROW)
    with open_text(path) as text:
        lines = _Lines(path, text)
        try:
            rows = lines.rows(dialect)
            heading = _heading(path, next(rows, []), lines.damage)
            for number, values in enumerate(rows, start=1):
                line, fraction = lines.row_line, lines.position / text.size
                if isinstance(values, Finding):
                    yield RawRow(number, {}, fraction, line, values)
                else:
                    yield _table_row(heading, values, number, line, fraction, lines.damage)
        except csv.Error as error:
            unclosed = "end of data" in str(error)
            raise BadInput(
                f"{path}: broken CSV at line {lines.row_line if unclosed else lines.number}.",
                f"{str(error).capitalize()}.",
                "Check the quotes from there on: a quote inside a quoted field is written twice.",
            ) from error


def _heading(path: Path, values: list[str] | Finding, damage: Finding | None) -> list[str]:
    if isinstance(values, Finding):
        raise BadInput(f"{path} has no heading.", f"Its first line {values.what}.", "Check what kind of file it is.")
    if damage:
        raise BadInput(f"{path} has a damaged heading: {damage.what}.", f"{damage.why}.", "Mend its first line.")
    return check_heading(path, values)


class _Lines:
    """The decoded lines of a file, and where in it the row stands that they make up.

    They are read a piece of many lines at a time. `damage` is what is wrong with the row's bytes, if anything.
    """

    def __init__(self, path: Path, text: TextFile) -> None:
        self.path = path
        self.file = text.file
        self.number = 0
        # How much is read, and the beginning of a line at the end of that.
        self.position = 0
        self.rest = b""
        self.begin_row()

    def begin_row(self) -> None:
        self.row_line = self.number + 1
        self.row_position = self.position
        self.damage: Finding | None = None

    def rows(self, dialect: _Dialect) -> Iterator[list[str] | Finding]:
        """The fields of each row that is not blank; a Finding for one that is too long, after which reading goes on."""
        while True:
            reader = csv.reader(iter(self), delimiter=dialect.delimiter, quoting=dialect.quoting, strict=True)
            self.begin_row()
            try:
                for values in reader:
                    if values:
                        yield values
                    self.begin_row()
                return
            except _RowTooLong:
                yield too_long()

    def __iter__(self) -> Iterator[str]:
        piece = b" "
        while piece:
            piece = self.file.read(CHUNK)
            self.position += len(piece)
            content = self.rest + piece
            if self.position - self.row_position > LONGEST_ROW:
                self._pass_over(content)
            whole, line_end, self.rest = content.rpartition(b"\n")
            if line_end:
                for line in self._decoded(whole):
                    self.number += 1
                    yield line + "\n"
        if self.rest:
            last, self.rest = self.rest, b""
            for line in self._decoded(last):
                self.number += 1
                yield line

    def _decoded(self, content: bytes) -> Iterable[str]:
        """The lines of some bytes, as one where nothing is wrong with them."""
        if b"\0" not in content:
            try:
                return content.decode("utf-8").split("\n")
            except UnicodeDecodeError:
                pass
        return self._checked(content)

    def _checked(self, content: bytes) -> Iterator[str]:
        """The lines one by one, noting what is wrong with each."""
        for line in content.split(b"\n"):
            if b"\0" in line:
                self.damage = holds_nul(f"line {self.number + 1}, byte {line.index(0) + 1}")
            self.damage = not_utf8(line, self.number + 1) or self.damage
            yield line.decode("utf-8", "surrogateescape")

    def _pass_over(self, content: bytes) -> None:
        """Raise for a line that is too long, behind it; for the whole file if it is a quoted field without end."""
        if self.number >= self.row_line:
            raise BadInput(
                f"{self.path}: broken CSV at line {self.row_line}.",
                f"The row that begins there goes on for more than {LONGEST_ROW // 2**20} MB of lines.",
                "Check the quotes from there on: one is opened and never closed.",
            )
        while True:
            _, line_end, self.rest = content.partition(b"\n")
            if line_end or not content:
                break
            content = self.file.read(CHUNK)
            self.position += len(content)
        self.number += 1
        raise _RowTooLong


class _RowTooLong(Exception):
    """A line that is longer than a row may be was passed over."""


def check_heading(path: Path, heading: list[str]) -> list[str]:
    """The columns' names. Raises BadInput when there are none, or one comes twice."""
    names = [name.strip() for name in heading]
    if not any(names):
        raise BadInput(f"{path} has no heading.", "Its first line names no columns.", "Put the columns' names there.")
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        shown = ", ".join(f"'{name}'" for name in repeated[:SHOWN_NAMES])
        raise BadInput(f"{path} names the column {shown} twice.", "One would hide the other.", "Rename one of them.")
    return names


def _table_row(
    heading: list[str], values: list[str], number: int, line: int, fraction: float, damage: Finding | None
) -> RawRow:
    if damage:
        field = next((name for name, value in zip(heading, values, strict=False) if DAMAGED.search(value)), "")
        return RawRow(number, {}, fraction, line, Finding(field, damage.what, damage.why))
    if len(values) != len(heading):
        why = "a separator or a quote is missing, or one too many"
        fault = Finding("", f"has {len(values)} fields, the heading names {len(heading)}", why)
        return RawRow(number, {}, fraction, line, fault)
    return RawRow(number, dict(zip(heading, values, strict=True)), fraction, line)
