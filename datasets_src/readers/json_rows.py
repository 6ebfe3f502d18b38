"""Rows from JSON: one object a line (.jsonl, .ndjson), or a list of objects (.json), however large."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from datasets_src.readers.common import (
    LONGEST_ROW,
    holds_nul,
    json_type,
    nested_too_deep,
    not_an_object,
    part_of,
    too_deep,
    too_long,
)
from datasets_src.readers.json_window import JsonWindow
from datasets_src.readers.text_file import CHUNK, TextFile, not_utf8, open_text, skip_line
from datasets_src.rows import Finding, Part, RawRow
from jobs.errors import BadInput

ROW_KEYS = 'a list, or an object that holds lists under "data" or under names of splits such as "train" and "test"'


def read_json_lines(path: Path) -> Iterator[RawRow]:
    """One JSON object a line. The row's number is the line's; blank lines are passed over."""
    with open_text(path) as text:
        yield from _json_lines(text)


def _json_lines(text: TextFile) -> Iterator[RawRow]:
    file, size = text.file, text.size
    number = position = 0
    while line := file.readline(LONGEST_ROW):
        number += 1
        position += len(line)
        if len(line) == LONGEST_ROW and line[-1:] != b"\n":
            position += skip_line(file)
            yield RawRow(number, {}, position / size, None, too_long())
        elif not line.isspace():
            yield _json_line(line, number, position / size)


def _json_line(content: bytes, number: int, fraction: float) -> RawRow:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return RawRow(number, {}, fraction, None, _broken_line(content, number, error))
    return _row(value, number, fraction)


def _row(value: Any, number: int, fraction: float, part: Part | None = None) -> RawRow:
    if type(value) is not dict:
        return RawRow(number, {}, fraction, None, not_an_object(value), part)
    for held in value.values():
        if (type(held) is list or type(held) is dict) and (fault := nested_too_deep(value)):
            return RawRow(number, {}, fraction, None, fault, part)
    return RawRow(number, value, fraction, None, None, part)


def _broken_line(content: bytes, number: int, error: orjson.JSONDecodeError) -> Finding:
    if b"\0" in content:
        return holds_nul(f"line {number}, byte {content.index(0) + 1}")
    hint = "; a file that is one JSON list has to be named .json" if number == 1 and content.startswith(b"[") else ""
    broken = Finding("", f"broken JSON at line {number}, column {error.colno}", error.msg + hint)
    return not_utf8(content, number) or too_deep(error) or broken


def read_json(path: Path) -> Iterator[RawRow]:
    """A list of objects, {"data": [...]}, or a list for each split. JSON lines that are named .json are read as such.

    The file is read piece by piece, so that memory stays the same however long the list is. Raises BadInput where its
    syntax breaks: what follows can't be told apart any more.
    """
    with open_text(path) as text:
        lines = _begins_with_an_object_a_line(text.file)
    with open_text(path) as text:
        yield from _json_lines(text) if lines else _top_level(JsonWindow(path, text))


def _begins_with_an_object_a_line(file: BinaryIO) -> bool:
    first = file.readline(LONGEST_ROW)
    while first.isspace():
        first = file.readline(LONGEST_ROW)
    if not (first.lstrip().startswith(b"{") and first.endswith(b"\n")):
        return False
    try:
        return isinstance(orjson.loads(first), dict) and any(not line.isspace() for line in _pieces(file))
    except orjson.JSONDecodeError:
        return False


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")


def _top_level(window: JsonWindow) -> Iterator[RawRow]:
    """The rows of the one value that the file holds."""
    opening = window.peek()
    if opening == b"[":
        yield from _list(window, 0, None)
    elif opening == b"{":
        yield from _named_lists(window)
    else:
        value = window.value()
        raise _no_rows(window, f"Its top level is {'too long' if isinstance(value, Finding) else json_type(value)}")
    if window.peek():
        raise window.broken("there is more after the end of the list")


def _list(window: JsonWindow, number: int, part: Part | None) -> Iterator[RawRow]:
    """The elements of the list that begins here, numbered on from `number`."""
    for value in window.elements():
        number += 1
        if isinstance(value, Finding):
            yield RawRow(number, {}, window.fraction, fault=value, part=part)
        else:
            yield _row(value, number, window.fraction, part)


def _named_lists(window: JsonWindow) -> Iterator[RawRow]:
    """The lists of an object under "data" and under names of splits, in their order; other values are passed over."""
    keys: list[str] = []
    number = 0
    found = False
    for key in window.members():
        keys.append(key)
        part = part_of(key)
        if (key == "data" or part) and window.peek() == b"[":
            found = True
            for row in _list(window, number, part):
                number = row.number
                yield row
        else:
            window.skip()
    if not found:
        raise _no_rows(window, f"Its top level is an object with the keys {', '.join(keys) or '(none)'}")


def _no_rows(window: JsonWindow, why: str) -> BadInput:
    return BadInput(
        f"{window.path} is not a list of rows.",
        f"{why}; expected is {ROW_KEYS}.",
        "Save the rows as a JSON list or as JSONL.",
    )
