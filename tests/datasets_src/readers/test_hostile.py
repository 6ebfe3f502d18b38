"""Hostile files are refused, or their bad rows named, within bounded time and memory; memory doesn't grow with rows.

Memory is measured from outside: a fresh process reads the file and prints its own peak.
"""

from __future__ import annotations

import base64
import json
import os
import random
import struct
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_src.readers import read_rows
from tests.datasets_src.readers.files import (
    MAIN,
    PACKAGE,
    RELATIONS,
    docx,
    pdf_of,
    refusal,
    row,
    written,
    xlsx,
)

PROJECT = Path(__file__).resolve().parents[3]
READ = """
import sys, psutil, threading, time
from pathlib import Path
from datasets_src.readers import read_rows
from jobs.errors import UserError
process, peak, done = psutil.Process(), 0, threading.Event()
def watch():
    global peak
    while not done.wait(0.002):
        peak = max(peak, process.memory_info().rss)
threading.Thread(target=watch).start()
base = process.memory_info().rss
rows = faults = 0
try:
    for row in read_rows(Path(sys.argv[1])):
        rows += 1
        faults += row.fault is not None
except UserError as error:
    print(error, file=sys.stderr)
done.set()
print(rows, faults, (max(peak, process.memory_info().rss) - base) / 2**20)
"""


class Reading:
    """What a process of its own made of a file: rows, faults among them, megabytes that it grew by, seconds."""

    def __init__(self, path: Path) -> None:
        started = time.monotonic()
        ran = subprocess.run(
            [sys.executable, "-c", READ, str(path)], cwd=PROJECT, capture_output=True, text=True, check=True
        )
        self.seconds = time.monotonic() - started
        rows, faults, grown = ran.stdout.split()
        self.rows, self.faults, self.grown_mb = int(rows), int(faults), float(grown)
        self.said = ran.stderr


def with_hole(path: Path, before: bytes, hole: int, after: bytes) -> Path:
    """A file with a gigabyte of NUL bytes that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(before)
        file.seek(hole, os.SEEK_CUR)
        file.write(after)
    return path


def text_rows(count: int) -> bytes:
    return b"".join(b'{"q": "question %d", "a": "answer"}\n' % number for number in range(count))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.tsv", "rows.txt", "rows.md", "rows.json"])
def test_a_line_of_a_gigabyte_costs_neither_its_memory_nor_the_rows_around_it(tmp_path: Path, name: str) -> None:
    count = 20_000
    before, after = {
        "rows.jsonl": (text_rows(count) + b'{"q": "', b'"}\n{"q": "last"}\n'),
        "rows.json": (b"[" + text_rows(count).replace(b"\n", b",\n") + b'{"q": "', b'"},\n{"q": "last"}]'),
        "rows.csv": (b"q,a\n" + b"a question,an answer\n" * count, b"\nlast,row\n"),
        "rows.tsv": (b"q\ta\n" + b"a question\tan answer\n" * count, b"\nlast\trow\n"),
        "rows.txt": (b"a line of text, " * count + b"\n", b"\nlast\n"),
        "rows.md": (b"# Heading\n\n" + b"a line of text, " * count + b"\n", b"\nlast\n"),
    }[name]
    reading = Reading(with_hole(tmp_path / name, before, 2**30, after))
    passages = name in ("rows.txt", "rows.md")
    assert reading.rows == reading.faults + (reading.rows - 1 if passages else count + 1)
    assert reading.faults == 1
    assert reading.grown_mb < 80
    assert reading.seconds < 30


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.csv", "rows.parquet"])
def test_memory_stays_flat_as_rows_grow(tmp_path: Path, name: str) -> None:
    rng = random.Random(0)
    samples = [{"q": f"{n}: " + "word " * rng.randrange(150), "a": f"{n}", "m": [{"n": n}] * 5} for n in range(1000)]
    if name == "rows.csv":
        samples = [{"q": sample["q"], "a": sample["a"]} for sample in samples]
    small, large = (tmp_path / f"{size}-{name}" for size in ("20mb", "200mb"))
    rows = [write_many(path, samples, megabytes) for path, megabytes in ((small, 20), (large, 200))]
    assert large.stat().st_size > 5 * small.stat().st_size
    readings = [Reading(small), Reading(large)]
    assert [reading.rows for reading in readings] == rows
    # pyarrow takes about 100 MB itself, and varies by 30; a row group that is held whole would add some 180.
    noise, most = (80, 200) if name == "rows.parquet" else (25, 40)
    assert readings[1].grown_mb < readings[0].grown_mb + noise
    assert readings[1].grown_mb < most


def write_many(path: Path, samples: list[dict[str, object]], megabytes: int) -> int:
    """Write so many rows that the file's text is that large; how many they are."""
    lines = [json.dumps(sample) for sample in samples]
    times = megabytes * 2**20 // sum(len(line) + 2 for line in lines)
    if path.suffix == ".parquet":
        # One row group, which a reader must not hold whole.
        table = pa.concat_tables([pa.Table.from_pylist(samples)] * times)
        pq.write_table(table, path, row_group_size=len(table), use_dictionary=False, compression="none")
        return len(table)
    with path.open("w", encoding="utf-8") as file:
        file.write({".json": "[\n", ".csv": "q,a\n"}.get(path.suffix, ""))
        block = {".json": ",\n".join(lines), ".csv": "\n".join(f'"{s["q"]}",{s["a"]}' for s in samples)}.get(
            path.suffix, "\n".join(lines)
        )
        for turn in range(times):
            file.write(block)
            file.write(",\n" if path.suffix == ".json" and turn < times - 1 else "\n")
        file.write("]" if path.suffix == ".json" else "")
    return times * len(samples)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"q": ', '[{"q": ['])
def test_json_that_opens_without_end_is_refused_at_once(tmp_path: Path, opening: str) -> None:
    started = time.monotonic()
    error = refusal(written(tmp_path / "rows.json", opening * 300_000))
    assert "broken JSON at line 1" in error.what
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("element", [b'{"\\\\":1},', b"[[[[[[[1]]]]]]],", b'"\xe9",', b"1,"])
def test_json_that_is_made_to_be_slow_takes_time_in_proportion_to_its_size(tmp_path: Path, element: bytes) -> None:
    # Looking through the rest of the window for each element would take minutes.
    count = 1_000_000 // len(element)
    path = written(tmp_path / "rows.json", b"[" + element * count + b'{"q": 1}]')
    started = time.monotonic()
    assert sum(1 for _ in read_rows(path)) == count + 1
    assert time.monotonic() - started < 20


def test_a_heading_of_many_columns_takes_no_longer_than_others(tmp_path: Path) -> None:
    names = ",".join(f"c{number}" for number in range(200_000))
    started = time.monotonic()
    (found,) = read_rows(written(tmp_path / "rows.csv", f"{names}\n{',' * 199_999}\n"))
    assert len(found.values) == 200_000
    assert time.monotonic() - started < 20


def test_a_quote_that_is_never_closed_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.csv", b'q,a\n1,2\n"open,3\n' + b"another,line\n" * 3_000_000)
    started = time.monotonic()
    error = refusal(path)
    assert "broken CSV at line 3" in error.what
    assert "never closed" in error.fix
    assert time.monotonic() - started < 20


def test_a_number_without_end_is_refused(tmp_path: Path) -> None:
    assert "broken JSON" in refusal(written(tmp_path / "rows.json", b"[" + b"1" * 5_000_000)).what


def zip_bombs() -> dict[str, bytes]:
    """Small archives that say, or don't say, how large they become."""
    zeros = bytes(100 * 2**20)
    honest = xlsx(row(1, "q") + row(2, "x"), parts={"xl/media/image.bin": zeros})
    lying = bytearray(honest)
    # The directory's last entry is the bomb's; its size is made a harmless one.
    entry = lying.rfind(b"PK\x01\x02")
    lying[entry + 24 : entry + 28] = struct.pack("<I", 10)
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>'.encode()
    return {
        "honest.xlsx": honest,
        "lying.xlsx": bytes(lying),
        "sheet.xlsx": xlsx("", parts={"xl/worksheets/sheet1.xml": sheet + b"a" * (100 * 2**20)}),
        "parts.xlsx": xlsx("", parts={f"xl/{number}": b"" for number in range(20_001)}),
    }


def test_zip_bombs_are_refused_before_they_unfold(tmp_path: Path) -> None:
    for name, content in zip_bombs().items():
        assert len(content) < 4_000_000
        for kind in (name, name.replace("xlsx", "docx")):
            started = time.monotonic()
            error = refusal(written(tmp_path / kind, content))
            assert "looks like a zip bomb" in error.what, name
            assert time.monotonic() - started < 20


@pytest.mark.slow
def test_one_huge_string_that_all_cells_share_is_refused(tmp_path: Path) -> None:
    text = base64.b64encode(random.Random(0).randbytes(700_000))
    strings = b'<sst xmlns="%s" count="1" uniqueCount="1"><si><t>%s</t></si></sst>' % (MAIN.encode(), text)
    relations = (
        f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{RELATIONS}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    )
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, 200_002))
    parts = {"xl/sharedStrings.xml": strings, "xl/_rels/workbook.xml.rels": relations.encode()}
    reading = Reading(written(tmp_path / "shared.xlsx", xlsx(row(1, "q") + cells, parts=parts)))
    assert "takes more than 2048 MB of memory" in reading.said
    assert reading.grown_mb < 130
    assert reading.seconds < 60


def test_cells_at_the_ends_of_a_sheet_are_refused_rather_than_what_lies_between_them_read(tmp_path: Path) -> None:
    for place in ("XFD1048576", "A99999999999"):
        sheet = row(1, "q") + f'<row r="2"><c r="{place}" t="e"><v>#N/A</v></c></row>'
        assert "cells are too far apart" in refusal(written(tmp_path / "far.xlsx", xlsx(sheet))).what


def test_entities_that_multiply_are_not_followed(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{entities}]>'
    sheet = f'{bomb}<worksheet xmlns="{MAIN}"><sheetData><row><c><v>&a12;</v></c></row></sheetData></worksheet>'
    path = written(tmp_path / "a.xlsx", xlsx("", parts={"xl/worksheets/sheet1.xml": sheet.encode()}))
    assert "declares a document type" in refusal(path).why


@pytest.mark.parametrize("name", ["deep.html", "deep.docx"])
def test_elements_nested_without_end_are_refused(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, "<div>" * 300_000 + "x")
    if name == "deep.docx":
        import zipfile

        docx(tmp_path / "plain.docx", "text")
        with zipfile.ZipFile(tmp_path / "plain.docx") as plain, zipfile.ZipFile(path, "w") as deep:
            for part in plain.namelist():
                nested = b"<w:p>" * 300_000 if part == "word/document.xml" else plain.read(part)
                deep.writestr(part, nested)
    started = time.monotonic()
    refusal(path)
    assert time.monotonic() - started < 20


def test_pdf_streams_that_inflate_without_end_are_refused(tmp_path: Path) -> None:
    import zlib

    packed = zlib.compress(zlib.compress(b"(a) Tj " * (50 * 2**20), 9), 9)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
        b"<< /Filter [/FlateDecode /FlateDecode] /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 3 0 R /Resources << >> >>",
    ]
    started = time.monotonic()
    refusal(written(tmp_path / "bomb.pdf", pdf_of(objects)))
    assert time.monotonic() - started < 20
