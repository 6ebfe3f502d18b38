"""Looking at a file before building from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datasets_src.inspect import inspect_file
from jobs.errors import BadInput, Missing

from .conftest import Rows, WriteRows


def test_an_inspection_shows_format_evidence_columns_and_sample_rows(write_rows: WriteRows, sums: Rows) -> None:
    found = inspect_file(write_rows(sums))
    assert (found.format, found.rows, found.bad, found.complete) == ("question_answer", 200, 0, True)
    assert found.evidence == "the columns question and answer"
    assert found.columns == ("question", "answer")
    assert found.turns == {2: 200}
    assert [message["role"] for message in found.samples[0]["messages"]] == ["user", "assistant"]
    assert json.loads(json.dumps(found.as_json()))["rows"] == 200


def test_problems_carry_their_rows_and_all_bad_rows_are_counted(write_rows: WriteRows, sums: Rows) -> None:
    found = inspect_file(write_rows([*sums, *[{"question": "q", "answer": ""}] * 80]))
    assert (found.rows, found.bad, len(found.problems)) == (280, 80, 50)
    assert str(found.problems[0]).startswith("rows.jsonl, row 201, field answer: is empty")


def test_unknown_columns_show_raw_rows_to_map_by(write_rows: WriteRows) -> None:
    path = write_rows([{"title": "t", "body": "b"}] * 7)
    found = inspect_file(path)
    assert (found.format, found.rows, found.columns) == (None, 7, ("title", "body"))
    assert "fit no known format" in found.evidence
    assert len(found.raw_rows) == 5
    mapped = inspect_file(path, columns={"question": "title", "answer": "body"})
    assert (mapped.format, mapped.bad) == ("question_answer", 0)


def test_a_large_file_can_be_read_in_part(write_rows: WriteRows, sums: Rows) -> None:
    found = inspect_file(write_rows(sums), max_rows=50)
    assert (found.rows, found.complete) == (50, False)


@pytest.mark.parametrize("content", ["not json\n", "[1]\n[2]\n", "{}\n"])
def test_a_file_without_one_readable_row_is_refused_with_the_first_fault(tmp_path: Path, content: str) -> None:
    (tmp_path / "rows.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match="row 1"):
        inspect_file(tmp_path / "rows.jsonl")


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        inspect_file(tmp_path / "gone.csv")


@pytest.mark.parametrize("junk", [None, True, 3, "", "text", [], [None], {}, {"a": [1, {"b": None}]}, 10**30])
def test_no_json_value_in_any_column_crashes_an_inspection(write_rows: WriteRows, junk: Any) -> None:
    for columns in (("messages",), ("conversations",), ("instruction", "output"), ("prompt", "completion")):
        for column in (*columns, "system", "tools", "tag", "group", "history", "input", "other"):
            row = {**dict.fromkeys(columns, "x"), column: junk}
            found = inspect_file(write_rows([row]))
            assert found.rows == 1
