"""JSON lines and JSON lists are read row by row, and what can't be read is named by its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasets_src.readers import read_rows
from tests.datasets_src.readers.files import faults_of, refusal, rows_of, values_of, written

ROWS = [{"question": "Où?", "answer": 'Là, "là"\nou là\\'}, {"question": "q2", "answer": "a2"}]


def test_json_lines_keep_the_number_of_their_line_past_blank_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", f"{json.dumps(ROWS[0])}\n\n{json.dumps(ROWS[1])}")
    assert [(row.number, row.values) for row in read_rows(path)] == [(1, ROWS[0]), (3, ROWS[1])]


@pytest.mark.parametrize("content", [ROWS, {"data": ROWS, "version": 1}, {"about": {"data": [1]}, "data": ROWS}])
@pytest.mark.parametrize("indent", [None, 1])
def test_json_is_a_list_or_an_object_with_data(tmp_path: Path, content: object, indent: int | None) -> None:
    path = written(tmp_path / "rows.json", json.dumps(content, indent=indent))
    assert [(row.number, row.values, row.part) for row in read_rows(path)] == [(1, ROWS[0], None), (2, ROWS[1], None)]


def test_json_with_a_list_for_each_split_says_what_each_row_is_for(tmp_path: Path) -> None:
    content = {"train": ROWS, "notes": "x", "validation": ROWS[:1], "test": ROWS[1:], "data": [{"q": 1}]}
    rows = rows_of(written(tmp_path / "rows.json", json.dumps(content)))
    assert [row.part for row in rows] == ["train", "train", "eval", "eval", None]
    # They count on, so that each row's number tells it from every other of the file.
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert [row.values for row in rows] == [*ROWS, ROWS[0], ROWS[1], {"q": 1}]


def test_json_lines_that_are_named_json_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.json", "\n" + "".join(json.dumps(row) + "\n" for row in ROWS))
    assert values_of(path) == ROWS


def test_the_fraction_read_grows_to_one(tmp_path: Path) -> None:
    for name, content in {"a.json": json.dumps(ROWS * 50), "a.jsonl": (json.dumps(ROWS[0]) + "\n") * 100}.items():
        fractions = [row.fraction for row in read_rows(written(tmp_path / name, content))]
        assert fractions == sorted(fractions)
        assert 0 < fractions[0] < 0.1
        assert fractions[-1] > 0.99


def test_broken_json_lines_are_faults_that_name_their_line_and_the_others_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path / "rows.jsonl", b'{"q": 1}\n{"q": \n[1]\n{"q": "\xe9"}\n{"q": NaN}\n{"q": "\0"}\n{"q": 2}\n'
    )
    rows = rows_of(path)
    faults = {row.number: row.fault for row in rows if row.fault}
    assert faults[2].what.startswith("broken JSON at line 2, column")
    assert faults[3].what == "is a list, not an object"
    assert faults[4].what == "not UTF-8 at line 4"
    assert faults[4].why.startswith("byte 8 of the line is 0xe9, 'é' in Windows-1252; save the file as UTF-8")
    assert faults[5].what.startswith("broken JSON at line 5")
    assert faults[6].what == "holds a NUL byte at line 6, byte 8"
    assert [row.values for row in rows if not row.fault] == [{"q": 1}, {"q": 2}]


def test_a_json_list_named_jsonl_is_told_its_right_name(tmp_path: Path) -> None:
    first = next(read_rows(written(tmp_path / "rows.jsonl", '[\n {"q": 1}\n]')))
    assert first.fault is not None and "named .json" in first.fault.why


def test_elements_of_a_list_that_are_no_rows_are_faults_and_the_others_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.json", b'[\n1, {"q": 1}, "x",\n [2],\n {"a": "b",\n "q": "\xe9"}, null, {"q": 2}]')
    assert faults_of(path) == {
        1: ": is a number, not an object",
        3: ": is text, not an object",
        4: ": is a list, not an object",
        5: ": not UTF-8 at line 5",
        6: ": is nothing (null), not an object",
    }
    assert [row.values for row in read_rows(path) if not row.fault] == [{"q": 1}, {"q": 2}]
    damaged = next(row.fault for row in read_rows(path) if row.number == 5)
    assert damaged is not None and damaged.why.startswith("byte 8 of the line is 0xe9")


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('[\n {"q": 1},\n {"q" 2}\n]', "line 3, column"),
        ('[\n {"q": 1}\n {"q": 2}\n]', "line 3, column 2"),
        ('[\n {"q": 1},\n]', "line 3, column 1"),
        ('[{"q": NaN}]', "line 1, column 8"),
        ('[{"q": 1}]\n x', "line 2, column 2"),
        ('{"data": [{"q": 1}],\n 3: 4}', "line 2, column 2"),
        ('{"data"\n [{"q": 1}]}', "line 2, column 2"),
        ('[\n {"q": 1}', "line 2, column 10"),
        ('[\n {"q": "open\n', "line 2, column 2"),
        ("nonsense", "line 1, column 1"),
    ],
)
def test_broken_json_names_the_line_of_the_file(tmp_path: Path, content: str, place: str) -> None:
    error = refusal(written(tmp_path / "rows.json", content))
    assert f"rows.json: broken JSON at {place}" in error.what


def test_rows_before_the_place_where_json_breaks_are_read(tmp_path: Path) -> None:
    rows = read_rows(written(tmp_path / "rows.json", '[{"q": 1}, {"q": 2}, {"q" 3}]'))
    assert [next(rows).values, next(rows).values] == [{"q": 1}, {"q": 2}]


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        ('{"rows": [1]}', "the keys rows"),
        ("{}", "(none)"),
        ('"text"', "text"),
        ("3", "number"),
        ('{"data": 3}', "data"),
    ],
)
def test_json_that_is_no_list_of_rows_says_what_it_is(tmp_path: Path, content: str, holds: str) -> None:
    error = refusal(written(tmp_path / "rows.json", content))
    assert "is not a list of rows" in error.what
    assert holds in error.why


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
@pytest.mark.parametrize("depth", [300, 100_000])
def test_json_nested_too_deep_is_a_fault_and_no_crash(tmp_path: Path, name: str, depth: int) -> None:
    deep, good = '{"q": 1, "deep": ' + "[" * depth + "]" * depth + "}", '{"q": 1}'
    content = f"[{deep}, {good}]" if name == "rows.json" else f"{deep}\n{good}\n"
    rows = rows_of(written(tmp_path / name, content))
    assert [row.fault.what if row.fault else "" for row in rows] == ["is nested too deep", ""]
    if depth == 300:
        assert rows[0].fault is not None and rows[0].fault.field == "deep"


def test_values_do_not_depend_on_where_the_file_is_cut_for_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [*ROWS, {"deep": [[[[[[[[{"x": '\\"}]'}]]]]]]]], "n": -1.5e3, "b": [True, None]}, {}] * 3
    path = written(tmp_path / "rows.json", json.dumps({"skip": rows, "data": rows}, indent=1, ensure_ascii=False))
    for chunk in (1, 2, 3, 7, 50):
        monkeypatch.setattr("datasets_src.readers.json_window.CHUNK", chunk)
        assert values_of(path) == rows
