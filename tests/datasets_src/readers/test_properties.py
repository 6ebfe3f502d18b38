"""Whatever stands in a file, it ends in rows, in faults that name their place, or in a UserError, and in good time."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from datasets_src.inspect import inspect_file
from datasets_src.readers import READERS, read_rows
from datasets_src.rows import RawRow
from jobs.errors import UserError
from tests.datasets_src.readers.files import cell, docx, pdf, row, written, xlsx

IN_TIME = timedelta(seconds=10)
thorough = settings(max_examples=60, deadline=IN_TIME, database=None, derandomize=True)
# These start a process for each example.
brief = settings(
    max_examples=12,
    deadline=timedelta(seconds=20),
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

# Text with all that formats give a meaning to.
texts = st.text(max_size=20) | st.text(alphabet='",;\t|\\{}[]:\n\r\0 #`é€\u2028\x85😀a', max_size=30)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
rows_of_anything = st.lists(st.dictionaries(texts, json_values, max_size=4), min_size=1, max_size=5)
columns = st.lists(st.text(alphabet='abc,"\té', min_size=1, max_size=5), min_size=1, max_size=4, unique_by=str.strip)


def read(content: bytes, suffix: str) -> list[RawRow]:
    """The rows of a file with this content. What goes wrong has to name the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / f"rows{suffix}", content)
        found = []
        try:
            for found_row in read_rows(path):
                found.append(found_row)
        except UserError as error:
            assert path.name in error.what
            assert error.why.strip(" .") and error.fix
        assert [row.number for row in found] == sorted({row.number for row in found})
        for fault in (row.fault for row in found if row.fault):
            assert fault.what and fault.why
        return found


@thorough
@given(rows_of_anything)
@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_any_json_value_in_any_column_is_read_as_it_stands(suffix: str, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps(row) for row in rows]
    content = "\n".join(lines) if suffix == ".jsonl" else f"[{','.join(lines)}]"
    assert [found.values for found in read(content.encode(), suffix)] == [orjson.loads(line) for line in lines]


@thorough
@given(
    columns,
    st.lists(st.lists(json_values, min_size=4, max_size=4), min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n"]),
)
@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".csv", ";"), (".tsv", "\t")])
def test_any_json_value_in_any_field_is_read_as_text(
    suffix: str, delimiter: str, names: list[str], rows: list[list[Any]], line_end: str
) -> None:
    # The separator has to be told from others in the heading, and a blank name is none.
    names = [name.replace(",", "").replace("\t", "").strip() or f"n{at}" for at, name in enumerate(names)] + ["x", "y"]
    names = list(dict.fromkeys(names))
    fields = [[json.dumps(value, ensure_ascii=False) for value in (*row, 1, 2)][: len(names)] for row in rows]
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows([names, *fields])
    found = read(file.getvalue().encode(), suffix)
    assert len(found) == len(fields)
    for got, values in zip(found, fields, strict=True):
        if any("\0" in value for value in values):
            assert got.fault is not None and "NUL" in got.fault.what and got.fault.field in names
        else:
            assert got.values == dict(zip(names, values, strict=True))


@thorough
@given(st.dictionaries(texts, st.lists(json_values, min_size=3, max_size=3), min_size=1, max_size=4))
def test_any_json_value_that_parquet_holds_is_read_as_it_stands(table: dict[str, list[Any]]) -> None:
    arrays = {}
    for name, values in table.items():
        try:
            arrays[name] = pa.array(values)
        except (pa.ArrowException, OverflowError):
            # Parquet has one type to a column: what has several goes in as JSON text.
            arrays[name] = pa.array([json.dumps(value) for value in values])
    file = io.BytesIO()
    try:
        pq.write_table(pa.table(arrays), file)
    except pa.ArrowException:
        return  # An empty struct, which Parquet can't hold.
    found = read(file.getvalue(), ".parquet")
    if len({name.strip() for name in arrays}) == len(arrays) and any(name.strip() for name in arrays):
        assert [row.values for row in found] == pa.table(arrays).to_pylist()


@pytest.mark.slow
@brief
@given(st.lists(st.lists(scalars, min_size=3, max_size=3), min_size=1, max_size=5))
def test_any_value_in_any_cell_is_read(rows: list[list[Any]]) -> None:
    printable = [[as_cell(value) for value in values] for values in rows]
    sheet = "".join(row(number, *values) for number, values in enumerate([["a", "b", "c"], *printable], start=1))
    found = read(xlsx(sheet), ".xlsx")
    expected = [values for values in printable if any(value != "" for value in values)]
    assert [list(got.values.values()) for got in found] == [
        [value if value != "" else None for value in values] for values in expected
    ]


def as_cell(value: Any) -> str | float:
    """A value as a spreadsheet can hold it: a number that a float holds exactly, or text without control characters."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53:
        return value if value != int(value) else int(value)
    shown = value if isinstance(value, str) else json.dumps(value)
    return "".join(character for character in shown if character.isprintable())


formats = st.sampled_from([".jsonl", ".json", ".csv", ".tsv", ".txt", ".md", ".parquet"])
some_bytes = st.binary(max_size=200) | st.lists(
    st.sampled_from(
        [b'{"q": 1}', b"[", b"]", b"{", b"}", b'"', b",", b":", b"\n", b"\r", b"\t", b"\\", b"\0", b"#", b"```"]
    )
    | st.sampled_from(
        [b"\xe9", b"\xc3\xa9", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xf0\x9f", b"1e9", b"null", b"q", b"PAR1"]
    )
).map(b"".join)


@thorough
@given(formats, some_bytes)
@example(".json", b'{"q": 1}\n[')
@example(".csv", b"\xff\xfeq\0\n\0")
def test_any_bytes_end_in_rows_faults_or_a_user_error(suffix: str, content: bytes) -> None:
    read(content, suffix)


def seed_files(folder: Path) -> dict[str, bytes]:
    page = "<html><body><article><h1>T</h1>" + "<p>Some text, in a paragraph.</p><ul><li>x</li></ul>" * 5
    return {
        ".pdf": pdf("Hello world\nsecond line", "Page two"),
        ".docx": docx(folder / "seed.docx", "# Head", "Body").read_bytes(),
        ".xlsx": xlsx(row(1, "q", "a") + row(2, "x", 3) + f'<row r="3">{cell("B3", 1)}<c t="e"><v>#N/A</v></c></row>'),
        ".html": page.encode(),
    }


def damaged(content: bytes, place: float, put: bytes, dropped: int, inside: bool) -> bytes:
    """Some bytes of a file replaced; of an archive, `inside` one of its parts."""
    if not inside or not content.startswith(b"PK"):
        at = int(place * len(content))
        return content[:at] + put + content[at + dropped :]
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(packed, "w") as changed:
        names = archive.namelist()
        chosen = names[int(place * 997) % len(names)]
        for name in names:
            part = archive.read(name)
            changed.writestr(name, damaged(part, place, put, dropped, False) if name == chosen else part)
    return packed.getvalue()


@pytest.mark.slow
@brief
@given(
    st.floats(0, 1), st.binary(max_size=6) | st.sampled_from([b"<", b"&", b"9" * 12]), st.integers(0, 30), st.booleans()
)
@pytest.mark.parametrize("suffix", [".pdf", ".docx", ".xlsx", ".html"])
def test_any_damage_to_a_document_ends_in_rows_faults_or_a_user_error(
    suffix: str, place: float, put: bytes, dropped: int, inside: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        read(damaged(seed_files(Path(folder))[suffix], place, put, dropped, inside), suffix)


def inspected(content: bytes, suffix: str) -> None:
    """Look at the file as the page does; every problem names the file, the row and what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / f"rows{suffix}", content)
        try:
            inspection = inspect_file(path)
        except UserError as error:
            assert path.name in str(error)
            return
        assert inspection.bad <= inspection.rows
        for problem in inspection.problems:
            assert problem.file == path.name
            assert problem.row >= 1 and problem.what


KNOWN = ("messages", "conversations", "instruction", "input", "output", "prompt", "completion", "chosen", "rejected")
known_rows = st.lists(
    st.dictionaries(st.sampled_from((*KNOWN, "label", "text", "history", "tools", "system")), json_values, min_size=1),
    min_size=1,
    max_size=4,
)


@thorough
@given(known_rows)
@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_any_json_value_in_a_known_column_can_be_inspected(suffix: str, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps(row) for row in rows]
    inspected(("\n".join(lines) if suffix == ".jsonl" else f"[{','.join(lines)}]").encode(), suffix)


@thorough
@given(formats, some_bytes)
def test_any_bytes_can_be_inspected(suffix: str, content: bytes) -> None:
    inspected(content, suffix)


def test_every_extension_is_among_those_tried(tmp_path: Path) -> None:
    tried: set[str] = {".ndjson", ".markdown", ".htm", *seed_files(tmp_path)}
    tried |= {".jsonl", ".json", ".csv", ".tsv", ".txt", ".md", ".parquet"}
    reader: Callable[..., Any]
    assert set(READERS) == tried
    for other, same in ((".ndjson", ".jsonl"), (".markdown", ".md"), (".htm", ".html")):
        reader = READERS[other]
        assert reader is READERS[same]
