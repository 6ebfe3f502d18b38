"""Rows of a workbook's first sheet that has any; cells without a value of their own are faults."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from datasets_src.readers.workbook import column_letters, column_number
from tests.datasets_src.readers.files import cell, faults_of, refusal, row, rows_of, values_of, written, xlsx

STYLES = (
    b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs><xf numFmtId="0"/>'
    b'<xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="21"/><xf numFmtId="46"/></cellXfs></styleSheet>'
)
COMPOUND = bytes.fromhex("d0cf11e0a1b11ae1")


def test_cells_become_json_values(tmp_path: Path) -> None:
    cells = (
        cell("A2", "Où?\n ")
        + cell("B2", 3)
        + cell("C2", 1.5)
        + '<c r="D2" t="b"><v>1</v></c><c r="E2" s="1"><v>46024</v></c><c r="F2" s="2"><v>46024.5</v></c>'
        '<c r="G2" s="3"><v>0.25</v></c><c r="H2" s="4"><v>1.25</v></c><c r="I2"><v>1e300</v></c>'
    )
    sheet = row(1, *"abcdefghi", "empty") + f'<row r="2">{cells}</row>'
    assert values_of(written(tmp_path / "a.xlsx", xlsx(sheet, parts={"xl/styles.xml": STYLES}))) == [
        {
            "a": "Où?\n ",
            "b": 3,
            "c": 1.5,
            "d": True,
            "e": "2026-01-02",
            "f": "2026-01-02T12:00:00",
            "g": "06:00:00",
            "h": "30:00:00",
            "i": 1e300,
            "empty": None,
        }
    ]


def test_a_workbook_that_another_library_wrote_is_read(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet("Rows & more")
    for values in (
        ["question", "asked"],
        ["Où?", datetime(2026, 1, 2, 3, 4, 5)],
        ["sum", "=1+1"],
        [None, date(2026, 1, 2)],
    ):
        sheet.append(values)
    book.save(tmp_path / "a.xlsx")
    assert [found.values for found in rows_of(tmp_path / "a.xlsx")] == [
        {"question": "Où?", "asked": "2026-01-02T03:04:05"},
        {},
        {"question": None, "asked": "2026-01-02"},
    ]
    assert faults_of(tmp_path / "a.xlsx") == {2: "asked: is a formula without a stored value (cell B3)"}


def test_the_first_visible_sheet_with_rows_is_read(tmp_path: Path) -> None:
    sheets = ["", row(1, "only a heading"), row(1, "hidden") + row(2, "x"), row(1, "q") + row(2, "a"), row(1, "z")]
    path = written(tmp_path / "a.xlsx", xlsx(*sheets, hidden=[3]))
    assert values_of(path) == [{"q": "a"}]


def test_a_table_may_stand_anywhere_and_have_blank_rows(tmp_path: Path) -> None:
    sheet = f'<row r="5">{cell("C5", "q")}{cell("D5", 2026)}</row><row r="8">{cell("D8", "x")}</row>'
    (found,) = rows_of(written(tmp_path / "a.xlsx", xlsx(sheet)))
    assert (found.number, found.line, found.values) == (1, 8, {"q": None, "2026": "x"})


def test_formulas_give_their_stored_value(tmp_path: Path) -> None:
    formulas = (
        '<c r="A2"><f>1+1</f><v>2</v></c><c r="B2" t="str"><f>A1&amp;"x"</f><v>ax</v></c>'
        '<c r="C2" t="str"><f>""</f><v></v></c>'
    )
    path = written(tmp_path / "a.xlsx", xlsx(row(1, "a", "b", "c") + f'<row r="2">{formulas}</row>'))
    assert values_of(path) == [{"a": 2, "b": "ax", "c": None}]


def test_error_cells_and_formulas_without_a_value_are_faults_that_name_cell_and_column(tmp_path: Path) -> None:
    sheet = (
        row(1, "q", "a")
        + '<row r="2"><c r="A2" t="e"><v>#DIV/0!</v></c></row>'
        + '<row r="3"><c r="A3"><f>1+1</f></c></row>'
        + '<row><c t="e"><f>X()</f><v>#NAME?</v></c></row>'
        + row(5, "fine", "fine")
        + '<row r="6"><c r="B6"><f>1+1</f><v></v></c></row>'
    )
    path = written(tmp_path / "a.xlsx", xlsx(sheet))
    assert faults_of(path) == {
        1: "q: is the error #DIV/0! (cell A2)",
        2: "q: is a formula without a stored value (cell A3)",
        3: "q: is the error #NAME? (cell A4)",
        5: "a: is a formula without a stored value (cell B6)",
    }
    assert [found.values for found in rows_of(path) if not found.fault] == [{"q": "fine", "a": "fine"}]


def test_a_value_under_no_heading_is_a_fault(tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlsx", xlsx(row(1, "q") + row(2, "x") + row(3, "x", "stray")))
    assert faults_of(path) == {2: "column B: has a value under no heading"}


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        (row(1, "q", "q") + row(2, 1), "names the column 'q' twice"),
        ('<row r="1"><c r="A1" t="e"><v>#N/A</v></c></row>' + row(2, 1), "has no heading"),
        (row(1, "q"), "holds no rows"),
        ("", "holds no rows"),
    ],
)
def test_a_sheet_without_a_usable_heading_or_rows_is_refused(tmp_path: Path, sheet: str, said: str) -> None:
    assert said in refusal(written(tmp_path / "a.xlsx", xlsx(sheet))).what


def test_a_workbook_with_a_password_is_told_from_one_of_an_old_format(tmp_path: Path) -> None:
    # A compound file as [MS-CFB] describes it: sectors of 512 bytes, the directory in the one at 48.
    header = bytearray(512)
    header[:8], header[30:32], header[48:52] = COMPOUND, b"\x09\x00", b"\x03\x00\x00\x00"
    for stream, said in (("EncryptedPackage", "is protected by a password"), ("Workbook", "is not an Excel workbook")):
        content = bytes(header) + bytes(512 * 3) + stream.encode("utf-16-le")
        assert said in refusal(written(tmp_path / "a.xlsx", content)).what
        assert (
            said.replace("an Excel workbook", "a Word document") in refusal(written(tmp_path / "a.docx", content)).what
        )


def test_columns_are_counted_by_their_letters() -> None:
    assert [column_number(letters) for letters in ("A", "Z", "AA", "XFD")] == [1, 26, 27, 16384]
    assert all(column_number(column_letters(number)) == number for number in range(1, 20_000))
