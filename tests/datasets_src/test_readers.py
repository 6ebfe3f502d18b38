"""Each kind of file is read, and each way to be unreadable is named with its place."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_src.readers import read_rows
from jobs.errors import BadInput, Missing, UserError

ROWS = [{"question": "Où?", "answer": 'Là, "là"\nou là'}, {"question": "q2", "answer": "a2"}]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path) -> UserError:
    with pytest.raises(UserError) as error:
        list(read_rows(path))
    return error.value


def test_json_lines_keep_the_number_of_their_line_past_blank_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", f"{json.dumps(ROWS[0])}\n\n{json.dumps(ROWS[1])}")
    assert [(row.number, row.values) for row in read_rows(path)] == [(1, ROWS[0]), (3, ROWS[1])]


@pytest.mark.parametrize("content", [ROWS, {"data": ROWS, "version": 1}])
def test_json_is_a_list_or_an_object_with_data(tmp_path: Path, content: object) -> None:
    path = written(tmp_path / "rows.json", json.dumps(content, indent=1))
    assert [(row.number, row.values) for row in read_rows(path)] == [(1, ROWS[0]), (2, ROWS[1])]


def test_json_lines_that_are_named_json_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.json", "".join(json.dumps(row) + "\n" for row in ROWS))
    assert [row.values for row in read_rows(path)] == ROWS


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_with_any_usual_separator(tmp_path: Path, separator: str) -> None:
    content = f'question{separator}answer\r\nOù?{separator}"Là, ""là""\nou là"\r\n\r\nq2{separator}a2\r\n'
    rows = list(read_rows(written(tmp_path / "rows.csv", content)))
    assert [row.values for row in rows] == ROWS
    # Rows count from 1; the line is that of the file, where the first row takes two lines and a blank one follows.
    assert [(row.number, row.line) for row in rows] == [(1, 2), (2, 5)]


def test_parquet_streams_with_nested_values_and_types_that_json_lacks(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    row = {"messages": messages, "day": date(2026, 1, 2), "price": Decimal("1.50"), "raw": b"\xff", "none": None}
    pq.write_table(pa.Table.from_pylist([row] * 2500), tmp_path / "rows.parquet")
    rows = list(read_rows(tmp_path / "rows.parquet"))
    assert [rows[0].number, rows[-1].number] == [1, 2500]
    assert rows[-1].values == row
    assert rows[-1].fraction == 1.0


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, name: str) -> None:
    text = {"rows.jsonl": '{"q": 1}\n', "rows.json": '[{"q": 1}]', "rows.csv": "q\n1\n"}[name]
    rows = list(read_rows(written(tmp_path / name, b"\xef\xbb\xbf" + text.encode())))
    assert list(rows[0].values) == ["q"]


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    error = refusal(tmp_path / "gone.jsonl")
    assert isinstance(error, Missing)
    assert "gone.jsonl" in error.what


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path).what


def test_an_unknown_extension_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    error = refusal(written(tmp_path / "rows.docx", "x"))
    assert "'.docx'" in error.what
    assert ".jsonl, .ndjson, .json, .csv, .parquet" in error.why


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv", "rows.parquet"])
@pytest.mark.parametrize("content", ["", " \n\n\t", "\ufeff\n"])
def test_an_empty_file_is_called_empty(tmp_path: Path, name: str, content: str) -> None:
    assert "is empty" in refusal(written(tmp_path / name, content)).what


@pytest.mark.parametrize(
    ("name", "content"), [("rows.json", "[]"), ("rows.json", '{"data": []}'), ("rows.csv", "q,a\n")]
)
def test_a_file_without_rows_is_refused(tmp_path: Path, name: str, content: str) -> None:
    assert "holds no rows" in refusal(written(tmp_path / name, content)).what


def test_a_parquet_file_without_rows_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"q": pa.array([], pa.string())}), tmp_path / "rows.parquet")
    assert "holds no rows" in refusal(tmp_path / "rows.parquet").what


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_utf16_is_refused_as_a_whole(tmp_path: Path, name: str) -> None:
    assert "is not UTF-8" in refusal(written(tmp_path / name, '{"q": 1}\n'.encode("utf-16"))).what


def test_broken_json_lines_are_faults_that_name_their_line_and_the_others_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", b'{"q": 1}\n{"q": \n[1]\n{"q": "\xe9"}\n{"q": NaN}\n{"q": 2}\n')
    rows = list(read_rows(path))
    faults = {row.number: row.fault.what for row in rows if row.fault}
    assert faults[2].startswith("broken JSON at line 2, column")
    assert faults[3] == "is a list, not an object"
    assert faults[4] == "not UTF-8 at line 4"
    assert faults[5].startswith("broken JSON at line 5")
    assert [row.values for row in rows if not row.fault] == [{"q": 1}, {"q": 2}]


def test_a_json_list_named_jsonl_is_told_its_right_name(tmp_path: Path) -> None:
    first = next(read_rows(written(tmp_path / "rows.jsonl", '[\n {"q": 1}\n]')))
    assert first.fault is not None and "named .json" in first.fault.why


def test_json_nested_too_deep_is_a_fault_and_no_crash(tmp_path: Path) -> None:
    deep = '{"q": ' + "[" * 100_000 + "]" * 100_000 + "}\n"
    rows = list(read_rows(written(tmp_path / "rows.jsonl", deep + '{"q": 1}\n')))
    assert [row.fault is not None for row in rows] == [True, False]


def test_broken_json_names_the_line_of_the_file(tmp_path: Path) -> None:
    error = refusal(written(tmp_path / "rows.json", '[\n {"q": 1},\n {"q" 2}\n]'))
    assert "rows.json: broken JSON at line 3" in error.what


@pytest.mark.parametrize("content", ['{"rows": [1]}', '"text"', "3"])
def test_json_that_is_no_list_of_rows_says_what_it_is(tmp_path: Path, content: str) -> None:
    assert "is not a list of rows" in refusal(written(tmp_path / "rows.json", content)).what


def test_a_byte_that_is_not_utf8_is_found_by_line(tmp_path: Path) -> None:
    assert "at line 2" in refusal(written(tmp_path / "rows.json", b'[\n {"q": "\xe9"}\n]')).what
    assert "at line 3" in refusal(written(tmp_path / "rows.csv", b"q,a\n1,2\n\xe9,3\n")).what


def test_a_csv_row_with_another_number_of_fields_is_a_fault(tmp_path: Path) -> None:
    rows = list(read_rows(written(tmp_path / "rows.csv", "q,a\n1,2\n1,2,3\n4\n")))
    assert [row.fault.what if row.fault else "" for row in rows] == [
        "",
        "has 3 fields, the heading names 2",
        "has 1 fields, the heading names 2",
    ]


def test_csv_whose_quotes_are_broken_names_the_line(tmp_path: Path) -> None:
    assert "broken CSV at line 3" in refusal(written(tmp_path / "rows.csv", 'q,a\n1,2\n"open,3\n')).what


def test_csv_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    assert "'q' twice" in refusal(written(tmp_path / "rows.csv", "q,q\n1,2\n")).what


def test_csv_without_a_heading_is_refused(tmp_path: Path) -> None:
    assert "has no heading" in refusal(written(tmp_path / "rows.csv", ",,\n1,2,3\n")).what


def test_a_long_csv_field_is_read(tmp_path: Path) -> None:
    rows = list(read_rows(written(tmp_path / "rows.csv", "q\n" + "x" * 500_000 + "\n")))
    assert len(rows[0].values["q"]) == 500_000


def test_what_is_not_parquet_is_refused(tmp_path: Path) -> None:
    assert "can't be read as Parquet" in refusal(written(tmp_path / "rows.parquet", "q,a\n1,2\n")).what


def test_a_parquet_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"q": ["x"] * 1000}), tmp_path / "whole.parquet")
    cut = (tmp_path / "whole.parquet").read_bytes()[:-20]
    assert isinstance(refusal(written(tmp_path / "rows.parquet", cut)), BadInput)
