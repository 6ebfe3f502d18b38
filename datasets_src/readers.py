"""Reading JSONL, JSON, CSV and Parquet files row by row, with errors that name the file and the line.

JSONL, CSV and Parquet stream. A line that can't be read becomes a RawRow with a fault, so that all of them are listed;
a file that can't be read at all raises BadInput or Missing.
"""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from datasets_src.rows import Finding, RawRow
from jobs.errors import BadInput, Missing

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
PARQUET_BATCH = 1000
CSV_LONGEST_FIELD = 64 * 2**20


def read_rows(path: Path) -> Iterator[RawRow]:
    """The rows of a file in order. Raises Missing or BadInput when the file itself can't be read or has no rows."""
    reader = check_file(path)
    found = False
    for row in reader(path):
        found = True
        yield row
    if not found:
        raise BadInput(f"{path} holds no rows.", "It could be read, but there is no row in it.", "Choose another file.")


def check_file(path: Path) -> Callable[[Path], Iterator[RawRow]]:
    """Whether the file looks readable at all, before a row is read; the function that reads it."""
    if not path.exists():
        raise Missing(f"There is no file {path}.", "Rows are to be read from it.", "Check the path and its spelling.")
    if not path.is_file():
        raise BadInput(f"{path} is a folder.", "Rows are read from files.", "Name a file in it as the source.")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(READERS)
        raise BadInput(
            f"{path} has the unknown extension '{path.suffix}'.",
            f"The extension says how a file is read; known are {known}.",
            "Save it in one of these formats, or rename it if it is one of them already.",
        )
    if not os.access(path, os.R_OK):
        raise BadInput(f"{path} can't be opened.", "You have no right to read it.", "Change the file's permissions.")
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith(UTF16):
        raise BadInput(f"{path} is not UTF-8.", "It begins as UTF-16 text does.", "Save it as UTF-8.")
    if not start.removeprefix(codecs.BOM_UTF8).strip() and path.stat().st_size <= len(start):
        raise BadInput(f"{path} is empty.", "There is nothing to read in it.", "Choose another file.")
    return reader


def _read_json_lines(path: Path) -> Iterator[RawRow]:
    """One JSON object a line. The row's number is the line's; blank lines are passed over."""
    size = path.stat().st_size
    position = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            position += len(line)
            content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if content.strip():
                yield _json_line(content, number, position / size)


def _json_line(content: bytes, number: int, fraction: float) -> RawRow:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return RawRow(number, {}, fraction, fault=_broken_line(content, number, error))
    if not isinstance(value, dict):
        return RawRow(number, {}, fraction, fault=_not_an_object(value))
    return RawRow(number, value, fraction)


def _broken_line(content: bytes, number: int, error: orjson.JSONDecodeError) -> Finding:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as bad:
        why = f"byte {bad.start + 1} of the line is 0x{content[bad.start]:02x}; save the file as UTF-8"
        return Finding("", f"not UTF-8 at line {number}", why)
    hint = "; a file that is one JSON list has to be named .json" if number == 1 and content.startswith(b"[") else ""
    return Finding("", f"broken JSON at line {number}, column {error.colno}", error.msg + hint)


def _not_an_object(value: Any) -> Finding:
    return Finding("", f"is {json_type(value)}, not an object", "a row is an object with named fields")


def _read_json(path: Path) -> Iterator[RawRow]:
    """A list of objects, or {"data": [...]}. A file of JSON lines that is named .json is read as such."""
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if _begins_with_an_object_a_line(content):
            yield from _read_json_lines(path)
            return
        raise _broken_file(path, content, error) from error
    rows = value.get("data") if isinstance(value, dict) else value
    if not isinstance(rows, list):
        holds = f"an object with the keys {', '.join(value)}" if isinstance(value, dict) else json_type(value)
        raise BadInput(
            f"{path} is not a list of rows.",
            f'Its top level is {holds}; expected is a list, or {{"data": [...]}}.',
            "Save the rows as a JSON list or as JSONL.",
        )
    for number, row in enumerate(rows, start=1):
        fraction = number / len(rows)
        if isinstance(row, dict):
            yield RawRow(number, row, fraction)
        else:
            yield RawRow(number, {}, fraction, fault=_not_an_object(row))


def _begins_with_an_object_a_line(content: bytes) -> bool:
    first, newline, _ = content.lstrip().partition(b"\n")
    try:
        return bool(newline) and isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        return False


def _broken_file(path: Path, content: bytes, error: orjson.JSONDecodeError) -> BadInput:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as bad:
        line = content.count(b"\n", 0, bad.start) + 1
        return _not_utf8(path, line, content[bad.start])
    return BadInput(
        f"{path}: broken JSON at line {error.lineno}, column {error.colno}.",
        f"{error.msg[:1].upper()}{error.msg[1:]}.",
        "Mend the file there; nothing in it can be read until then.",
    )


def _not_utf8(path: Path, line: int, byte: int) -> BadInput:
    return BadInput(
        f"{path} is not UTF-8 at line {line}.", f"The line holds the byte 0x{byte:02x}.", "Save it as UTF-8."
    )


class _TextLines:
    """The decoded lines of a file, their ends kept, and how many bytes of it are read. Raises BadInput off UTF-8."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self.position = 0

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self.file, start=1):
            self.position += len(line)
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise _not_utf8(self.path, number, line[error.start]) from error


def _read_csv(path: Path) -> Iterator[RawRow]:
    """Rows under one heading; separated by commas, semicolons, tabs or bars, whichever the heading has most of.

    Rows count from 1 below the heading; `line` is the file's.
    """
    csv.field_size_limit(CSV_LONGEST_FIELD)
    size = path.stat().st_size
    with path.open("rb") as file:
        delimiter = max(b",;\t|", key=file.readline().count)
        file.seek(0)
        lines = _TextLines(path, file)
        reader = csv.reader(lines, delimiter=chr(delimiter), strict=True)
        try:
            heading = _checked_heading(path, next(reader, []))
            number, line = 0, reader.line_num + 1
            for values in reader:
                if values:
                    number += 1
                    yield _csv_row(heading, values, number, line, lines.position / size)
                line = reader.line_num + 1
        except csv.Error as error:
            raise BadInput(
                f"{path}: broken CSV at line {reader.line_num}.",
                f"{str(error).capitalize()}.",
                "Check the quotes from there on: a quote inside a quoted field is written twice.",
            ) from error


def _checked_heading(path: Path, heading: list[str]) -> list[str]:
    names = [name.strip() for name in heading]
    if not any(names):
        raise BadInput(f"{path} has no heading.", "Its first line names no columns.", "Put the columns' names there.")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        shown = ", ".join(f"'{name}'" for name in repeated)
        raise BadInput(f"{path} names the column {shown} twice.", "One would hide the other.", "Rename one of them.")
    return names


def _csv_row(heading: list[str], values: list[str], number: int, line: int, fraction: float) -> RawRow:
    if len(values) != len(heading):
        why = "a separator or a quote is missing, or one too many"
        fault = Finding("", f"has {len(values)} fields, the heading names {len(heading)}", why)
        return RawRow(number, {}, fraction, line, fault)
    return RawRow(number, dict(zip(heading, values, strict=True)), fraction, line)


def _read_parquet(path: Path) -> Iterator[RawRow]:
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        with parquet.ParquetFile(path) as file:
            total, number = file.metadata.num_rows, 0
            for batch in file.iter_batches(batch_size=PARQUET_BATCH):
                for values in batch.to_pylist():
                    number += 1
                    yield RawRow(number, values, number / total)
    except (pyarrow.ArrowException, UnicodeDecodeError, OSError) as error:
        reason = str(error).split("\n")[0]
        raise BadInput(f"{path} can't be read as Parquet.", reason, "Save it again, or as JSONL.") from error


def json_type(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true or false"
    names = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), f"a {type(value).__name__}")


READERS: dict[str, Callable[[Path], Iterator[RawRow]]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
