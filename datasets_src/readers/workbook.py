"""Rows from an Excel workbook: the first sheet that has any. Runs in the process of extract.py alone.

calamine reads the cells, but gives error cells and formulas without a value as empty. So the sheet's XML is looked
through first for those, and for cells so far apart that the table between them would fill the memory.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from datasets_src.readers.archive import Refused, check_archive, inflate
from datasets_src.rows import Finding, RawRow

WORKBOOK = "xl/workbook.xml"
RELATIONS = "xl/_rels/workbook.xml.rels"
MOST_CELLS = 20_000_000
# Beyond it a float doesn't hold every whole number.
LARGEST_WHOLE = 2**53
COMPUTE = "open the workbook in a spreadsheet program, which computes it, and save it again"


@dataclass
class SheetFacts:
    """What calamine doesn't say of a sheet: the size of its table, and its flawed cells by row and column from 0.

    A flaw is the text of an error, or "" for a formula without a value.
    """

    rows: int = 0
    columns: int = 0
    flaws: dict[int, dict[int, str]] = field(default_factory=dict)


def read_xlsx(path: Path) -> Iterator[RawRow]:
    """Rows under one heading. Rows count from 1 below it; `line` is the sheet's row."""
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    check_archive(path)
    with zipfile.ZipFile(path) as archive, CalamineWorkbook.from_path(path) as workbook:
        parts = _sheet_parts(archive)
        for sheet in workbook.sheets_metadata:
            if sheet.typ != SheetTypeEnum.WorkSheet or sheet.visible != SheetVisibleEnum.Visible:
                continue
            facts = look_through(inflate(archive, archive.getinfo(parts[sheet.name])), sheet.name)
            found = False
            for row in _rows(workbook.get_sheet_by_name(sheet.name), facts):
                found = True
                yield row
            if found:
                return


def look_through(xml: Iterator[bytes], name: str) -> SheetFacts:
    """What the XML of a sheet says. Raises Refused for a sheet that would fill the memory."""
    scan = _Scan()
    for chunk in xml:
        scan.parser.Parse(chunk)
    scan.parser.Parse(b"", True)
    facts = scan.facts
    if facts.rows * facts.columns > MOST_CELLS:
        raise Refused(
            "is not read: its cells are too far apart.",
            f"Sheet '{name}' goes over {facts.rows:,} rows and {facts.columns:,} columns; "
            f"at most {MOST_CELLS:,} cells are read.",
            "Delete what stands far from the table, or save the sheet as CSV.",
        )
    return facts


def column_number(letters: str) -> int:
    """A column by its letters, from 1: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def column_letters(number: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


class _Scan:
    """Handlers for the elements of a sheet: row, c (a cell), f (its formula), v or is (its value)."""

    def __init__(self) -> None:
        self.facts = SheetFacts()
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.row = self.column = 0
        self.kind: str | None = None
        self.formula = self.inline = False
        self.value = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name[name.rfind(" ") + 1 :]
        if name == "c":
            self.column += 1
            place = attributes.get("r")
            if place:
                letters = place.rstrip("0123456789")
                self.column, self.row = column_number(letters), int(place[len(letters) :])
            self.kind = attributes.get("t")
            self.formula = self.inline = False
            self.value = ""
        elif name == "v":
            self.parser.CharacterDataHandler = self.text
        elif name == "f":
            self.formula = True
        elif name == "is":
            self.inline = True
        elif name == "row":
            self.row = int(attributes.get("r", self.row + 1))
            self.column = 0

    def text(self, text: str) -> None:
        self.value += text

    def end(self, name: str) -> None:
        name = name[name.rfind(" ") + 1 :]
        if name == "v":
            self.parser.CharacterDataHandler = None
        elif name == "c":
            # An empty text is a value too, where the cell says that it is one.
            missing = self.formula and not self.value and not self.inline and self.kind != "str"
            flawed = self.kind == "e" or missing
            if self.value or self.inline or flawed:
                self.facts.rows = max(self.facts.rows, self.row)
                self.facts.columns = max(self.facts.columns, self.column)
            if flawed:
                self.facts.flaws.setdefault(self.row - 1, {})[self.column - 1] = self.value

    def doctype(self, *_: Any) -> None:
        raise Refused("is damaged.", "A sheet in it declares a document type, as none does.", "Save it again.")


def _sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """For the name of each sheet the part of the archive that holds it."""
    targets = {element.get("Id"): element.get("Target", "") for element in _xml(archive, RELATIONS)}
    parts = {}
    for element in _xml(archive, WORKBOOK).iter():
        if element.tag.endswith("}sheet"):
            relation = next((value for key, value in element.attrib.items() if key.endswith("}id")), None)
            target = posixpath.join("xl", targets.get(relation, ""))
            parts[element.get("name", "")] = posixpath.normpath(target.lstrip("/"))
    return parts


def _xml(archive: zipfile.ZipFile, part: str) -> ElementTree.Element:
    return ElementTree.fromstring(b"".join(inflate(archive, archive.getinfo(part))))


def _rows(sheet: Any, facts: SheetFacts) -> Iterator[RawRow]:
    """The rows below the heading, which is the first row that is not blank."""
    first_column = sheet.start[1] if sheet.start else 0
    last = max([sheet.end[0] if sheet.end else -1, *facts.flaws])
    table = sheet.iter_rows()
    heading: dict[int, str] | None = None
    number = 0
    for index in range(last + 1):
        cells = {first_column + at: value for at, value in enumerate(next(table, [])) if value != ""}
        flaws = facts.flaws.get(index, {})
        if not cells and not flaws:
            continue
        if heading is None:
            heading = _heading(cells, flaws, index)
            continue
        number += 1
        row = _row(heading, cells, flaws, index)
        fault = row if isinstance(row, Finding) else None
        yield RawRow(number, {} if isinstance(row, Finding) else row, (index + 1) / (last + 1), index + 1, fault)


def _heading(cells: dict[int, Any], flaws: dict[int, str], index: int) -> dict[int, str]:
    """The names of the columns by their place from 0."""
    names = {column: str(_plain(value)).strip() for column, value in cells.items()}
    names = {column: name for column, name in names.items() if name}
    repeated = sorted(name for name, count in Counter(names.values()).items() if count > 1)
    if flaws or not names:
        raise Refused("has no heading.", f"Row {index + 1} has to name the columns as text.", "Put the names there.")
    if repeated:
        shown = ", ".join(f"'{name}'" for name in repeated)
        raise Refused(f"names the column {shown} twice.", "One would hide the other.", "Rename one of them.")
    return names


def _row(heading: dict[int, str], cells: dict[int, Any], flaws: dict[int, str], index: int) -> dict[str, Any] | Finding:
    for column, error in flaws.items():
        cell = f"cell {column_letters(column + 1)}{index + 1}"
        name = heading.get(column, f"column {column_letters(column + 1)}")
        if error:
            return Finding(name, f"is the error {error} ({cell})", "an error is no value; mend the formula")
        return Finding(name, f"is a formula without a stored value ({cell})", COMPUTE)
    nameless = [column for column in cells if column not in heading]
    if nameless:
        name = f"column {column_letters(nameless[0] + 1)}"
        return Finding(name, "has a value under no heading", "name the column in the heading, or empty the cell")
    return {name: _plain(cells.get(column)) for column, name in heading.items()}


def _plain(value: Any) -> Any:
    """A cell as a JSON value: whole floats as integers, dates and times as ISO 8601 text, durations as H:MM:SS."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= LARGEST_WHOLE else value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return value
