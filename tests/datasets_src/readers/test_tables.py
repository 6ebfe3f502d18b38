"""CSV, TSV and Parquet are read row by row, whatever stands in their fields."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_src.readers import read_rows
from jobs.errors import BadInput
from tests.datasets_src.readers.files import faults_of, refusal, rows_of, values_of, written

ROWS = [{"question": "Où?", "answer": 'Là, "là"\nou là'}, {"question": "q2", "answer": "a2"}]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_with_any_usual_separator(tmp_path: Path, separator: str) -> None:
    content = f'question{separator}answer\r\nOù?{separator}"Là, ""là""\nou là"\r\n\r\nq2{separator}a2\r\n'
    rows = rows_of(written(tmp_path / "rows.csv", content))
    assert [row.values for row in rows] == ROWS
    # Rows count from 1; the line is that of the file, where the first row takes two lines and a blank one follows.
    assert [(row.number, row.line) for row in rows] == [(1, 2), (2, 5)]


def test_tsv_as_spreadsheets_write_it_has_quoted_fields(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.tsv", 'question\tanswer\nOù?\t"Là, ""là""\nou là"\nq2\ta2\n')
    assert values_of(path) == ROWS


def test_tsv_as_corpora_have_it_keeps_single_quotes(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.tsv", 'en\tfr\n"Go!" he said.\tIl dit.\n5" long\t"court\n')
    assert values_of(path) == [{"en": '"Go!" he said.', "fr": "Il dit."}, {"en": '5" long', "fr": '"court'}]


def test_a_tsv_is_never_taken_for_comma_separated(tmp_path: Path) -> None:
    assert values_of(written(tmp_path / "rows.tsv", "a, b, c\td\n1\t2\n")) == [{"a, b, c": "1", "d": "2"}]


def test_a_damaged_csv_line_is_a_fault_that_names_line_byte_and_field(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.csv", b'q,a\n1,"2\n\xe9"\nx,\0\n\xc3\xa9,3\n')
    rows = rows_of(path)
    assert [row.fault.what if row.fault else "" for row in rows] == [
        "not UTF-8 at line 3",
        "holds a NUL byte at line 4, byte 3",
        "",
    ]
    assert [row.fault.field for row in rows if row.fault] == ["a", "a"]
    assert rows[0].fault is not None and "byte 1 of the line is 0xe9" in rows[0].fault.why
    assert rows[2].values == {"q": "é", "a": "3"}


def test_a_damaged_heading_is_refused(tmp_path: Path) -> None:
    assert "damaged heading: not UTF-8 at line 1" in refusal(written(tmp_path / "rows.csv", b"q,\xe9\n1,2\n")).what


def test_a_csv_row_with_another_number_of_fields_is_a_fault(tmp_path: Path) -> None:
    rows = rows_of(written(tmp_path / "rows.csv", "q,a\n1,2\n1,2,3\n4\n"))
    assert [row.fault.what if row.fault else "" for row in rows] == [
        "",
        "has 3 fields, the heading names 2",
        "has 1 fields, the heading names 2",
    ]


@pytest.mark.parametrize("content", ['q,a\n1,2\n"open,3\n', 'q,a\n1,2\n"a"b,3\n', 'q,a\n1,2\n"open,3\nmore\nlines\n'])
def test_csv_whose_quotes_are_broken_names_the_line(tmp_path: Path, content: str) -> None:
    assert "broken CSV at line 3" in refusal(written(tmp_path / "rows.csv", content)).what


def test_csv_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    assert "'q' twice" in refusal(written(tmp_path / "rows.csv", "q,q\n1,2\n")).what


def test_csv_without_a_heading_is_refused(tmp_path: Path) -> None:
    assert "has no heading" in refusal(written(tmp_path / "rows.csv", ",,\n1,2,3\n")).what


def test_a_long_csv_field_is_read(tmp_path: Path) -> None:
    rows = rows_of(written(tmp_path / "rows.csv", "q\n" + "x" * 500_000 + "\n"))
    assert len(rows[0].values["q"]) == 500_000


def test_csv_rows_do_not_depend_on_where_the_file_is_cut_for_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"q": f'"é", {n}\r\n\n', "a": "" if n % 3 else "x\n" * n} for n in range(40)]
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["q", "a"])
        writer.writeheader()
        writer.writerows(rows)
    for chunk in (1, 3, 64, 1000):
        monkeypatch.setattr("datasets_src.readers.tables.CHUNK", chunk)
        assert values_of(tmp_path / "rows.csv") == rows


def test_parquet_streams_with_nested_values_and_types_that_json_lacks(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    row = {"messages": messages, "day": date(2026, 1, 2), "price": Decimal("1.50"), "raw": b"\xff", "none": None}
    pq.write_table(pa.Table.from_pylist([row] * 2500), tmp_path / "rows.parquet")
    rows = rows_of(tmp_path / "rows.parquet")
    assert [rows[0].number, rows[-1].number] == [1, 2500]
    assert rows[-1].values == row
    assert rows[-1].fraction == 1.0


def test_a_parquet_value_that_can_not_be_read_is_a_fault_that_names_its_field(tmp_path: Path) -> None:
    texts = pa.Array.from_buffers(pa.string(), 3, [None, *pa.array([b"ok", b"\xe9", b"ko"]).buffers()[1:]])
    days = pa.array([0, 0, 2**31 - 1], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"q": texts, "day": days}), tmp_path / "rows.parquet")
    assert faults_of(tmp_path / "rows.parquet") == {
        2: "q: is not UTF-8 at its byte 1",
        3: "day: is a date32[day] that can't be read",
    }
    assert next(read_rows(tmp_path / "rows.parquet")).values == {"q": "ok", "day": date(1970, 1, 1)}


def test_a_parquet_file_without_rows_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"q": pa.array([], pa.string())}), tmp_path / "rows.parquet")
    assert "holds no rows" in refusal(tmp_path / "rows.parquet").what


def test_parquet_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["q", "q"]), tmp_path / "rows.parquet")
    assert "'q' twice" in refusal(tmp_path / "rows.parquet").what


def test_what_is_not_parquet_is_refused(tmp_path: Path) -> None:
    assert "can't be read as Parquet" in refusal(written(tmp_path / "rows.parquet", "q,a\n1,2\n")).what


def test_a_parquet_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"q": ["x"] * 1000}), tmp_path / "whole.parquet")
    cut = (tmp_path / "whole.parquet").read_bytes()[:-20]
    assert isinstance(refusal(written(tmp_path / "rows.parquet", cut)), BadInput)
