"""What every kind of file has in common: it is there, is not empty, and its text has an encoding that can be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from datasets_src.readers import READERS, check_file, read_rows
from datasets_src.readers.common import part_of
from jobs.errors import Missing
from tests.datasets_src.readers.files import faults_of, refusal, rows_of, values_of, written

PROJECT = Path(__file__).resolve().parents[3]
TEXTS = {
    "rows.jsonl": '{"q": "Où? €"}\n',
    "rows.json": '[{"q": "Où? €"}]',
    "rows.csv": "q\nOù? €\n",
    "rows.tsv": "q\nOù? €\n",
}


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    error = refusal(tmp_path / "gone.jsonl")
    assert isinstance(error, Missing)
    assert "gone.jsonl" in error.what


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path).what


def test_an_unknown_extension_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    error = refusal(written(tmp_path / "rows.odt", "x"))
    assert "'.odt'" in error.what
    known = ".jsonl, .ndjson, .json, .csv, .tsv, .parquet, .xlsx, .txt, .md, .markdown, .pdf, .docx, .html, .htm"
    assert known in error.why


@pytest.mark.parametrize("suffix", list(READERS))
@pytest.mark.parametrize("content", ["", " \n\n\t", "\ufeff\n"])
def test_an_empty_file_is_called_empty(tmp_path: Path, suffix: str, content: str) -> None:
    path = written(tmp_path / f"rows{suffix}", content)
    assert "is empty" in refusal(path).what


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", "[]"),
        ("rows.json", '{"data": []}'),
        ("rows.csv", "q,a\n"),
        ("rows.csv", "q,a"),
        ("a.txt", "\n" * 5000),
    ],
)
def test_a_file_without_rows_is_refused(tmp_path: Path, name: str, content: str) -> None:
    assert "holds no rows" in refusal(written(tmp_path / name, content)).what


def test_the_extension_may_be_in_capitals(tmp_path: Path) -> None:
    assert values_of(written(tmp_path / "ROWS.CSV", "q\n1\n")) == [{"q": "1"}]


@pytest.mark.parametrize("name", list(TEXTS))
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, name: str) -> None:
    assert values_of(written(tmp_path / name, b"\xef\xbb\xbf" + TEXTS[name].encode())) == [{"q": "Où? €"}]


@pytest.mark.parametrize("name", list(TEXTS))
@pytest.mark.parametrize(("encoding", "mark"), [("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")])
def test_utf16_with_its_mark_is_read_as_excel_writes_it(tmp_path: Path, name: str, encoding: str, mark: bytes) -> None:
    assert values_of(written(tmp_path / name, mark + TEXTS[name].encode(encoding))) == [{"q": "Où? €"}]


def test_utf16_is_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets_src.readers.text_file.CHUNK", 7)
    lines = "".join(f'{{"q": "{n} \U0001f600 é"}}\n' for n in range(100))
    rows = rows_of(written(tmp_path / "rows.jsonl", lines.encode("utf-16")))
    assert [row.values["q"] for row in rows] == [f"{n} \U0001f600 é" for n in range(100)]
    assert rows[-1].fraction <= 1


def test_utf16_that_is_cut_is_refused_where_it_ends(tmp_path: Path) -> None:
    error = refusal(written(tmp_path / "rows.csv", "q\nx\n".encode("utf-16") + b"y"))
    assert "is damaged at byte 11" in error.what


@pytest.mark.parametrize("name", list(TEXTS))
def test_utf16_without_its_mark_and_utf32_are_refused_as_a_whole(tmp_path: Path, name: str) -> None:
    text = "".join(TEXTS[name] for _ in range(50))
    assert "UTF-16 without its mark" in refusal(written(tmp_path / name, text.encode("utf-16-le"))).why
    assert "is not UTF-8" in refusal(written(tmp_path / name, text.encode("utf-32"))).what


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv", "rows.txt", "rows.md"])
def test_a_file_that_is_wholly_windows_1252_is_refused_with_advice(tmp_path: Path, name: str) -> None:
    lines = [f'{{"q": "Où {n} – là"}}\n' for n in range(9)]
    error = refusal(written(tmp_path / name, "".join(lines).encode("cp1252")))
    assert "is not UTF-8" in error.what
    assert "Windows-1252" in error.why
    assert "iconv -f cp1252 -t utf-8" in error.fix


def test_single_lines_in_windows_1252_are_faults_of_their_rows(tmp_path: Path) -> None:
    good, bad = '{"q": "Où"}\n'.encode(), '{"q": "Où"}\n'.encode("cp1252")
    path = written(tmp_path / "rows.jsonl", good + bad * 5 + good)
    assert list(faults_of(path)) == [2, 3, 4, 5, 6]


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(128, 256)) + b"\n" + bytes(range(128, 256)) + b"\n\xff"
    assert "check what kind of file it is" in refusal(written(tmp_path / "rows.jsonl", picture)).fix


def test_checking_a_file_reads_no_row_of_it(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", "this is no JSON\n")
    assert check_file(path) is READERS[".jsonl"]
    assert [row.fault is not None for row in read_rows(path)] == [True]


@pytest.mark.parametrize(
    ("split", "part"),
    [
        *((name, "train") for name in ("train", "Train", "training", "train_sft", "train-v2", "train[:10%]")),
        *((name, "eval") for name in ("test", "validation", "valid", "val", "dev", "eval", "test_sft", "DEV")),
        *((name, None) for name in ("data", "unsupervised", "trainer", "testimony", "values", "")),
    ],
)
def test_a_split_is_for_what_its_name_says(split: str, part: str | None) -> None:
    assert part_of(split) == part


def test_importing_the_readers_imports_no_heavy_library() -> None:
    code = (
        "import sys, datasets_src.readers; "
        "heavy = {'torch', 'transformers', 'gradio', 'datasets', 'pyarrow', 'pandas', 'lxml', 'pypdf', 'trafilatura'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
