"""PDF, DOCX and HTML become passages; a document that can't be read says why."""

from __future__ import annotations

import io
from itertools import islice
from pathlib import Path

import psutil
import pytest

from datasets_src.readers import read_rows
from datasets_src.readers.documents import Limits, read_extracted
from jobs.errors import BadInput
from tests.datasets_src.readers.files import docx, faults_of, pdf, pdf_of, refusal, rows_of, values_of, written, zipped

PARAGRAPH = "<p>A paragraph about gardens, tools and the weather, which is long enough to be a text.</p>"


def test_a_pdf_is_read_page_by_page(tmp_path: Path) -> None:
    path = written(tmp_path / "book.pdf", pdf("Hello world\nsecond line", "", "Page three"))
    rows = rows_of(path)
    assert [row.values for row in rows] == [
        {"text": "Hello world\nsecond line", "document": "book.pdf", "section": None, "passage": 1, "page": 1},
        {"text": "Page three", "document": "book.pdf", "section": None, "passage": 2, "page": 3},
    ]
    assert [row.fraction for row in rows] == [1 / 3, 1.0]


def test_a_pdf_without_text_is_said_to_be_a_scan(tmp_path: Path) -> None:
    error = refusal(written(tmp_path / "scan.pdf", pdf("", "")))
    assert "scan.pdf holds no text" in error.what
    assert "None of its 2 pages" in error.why
    assert "ocrmypdf" in error.fix


def test_a_page_that_is_an_image_alone_is_a_fault(tmp_path: Path) -> None:
    # The second page's resources, which are the file's last, become images; no other byte moves.
    before, font, after = pdf("Some text", "").rpartition(b"/Font << /F1 3 0 R >>")
    path = written(tmp_path / "mixed.pdf", before + b"/XObject << >>".ljust(len(font)) + after)
    assert faults_of(path) == {2: "text: page 2 holds an image and no text"}


@pytest.mark.parametrize(("password", "refused"), [("secret", True), ("", False)])
def test_a_pdf_with_a_password_is_refused_unless_it_is_empty(tmp_path: Path, password: str, refused: bool) -> None:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("Hello"))))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")
    if refused:
        assert "is protected by a password" in refusal(tmp_path / "locked.pdf").what
    else:
        assert [values["text"] for values in values_of(tmp_path / "locked.pdf")] == ["Hello"]


def test_a_word_document_is_read_with_its_headings_and_tables(tmp_path: Path) -> None:
    import docx as library

    path = docx(tmp_path / "paper.docx", "Before.", "# Methods", "We did\tthis.", "And that.")
    document = library.Document(str(path))
    table = document.add_table(2, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "a", "b"
    table.cell(1, 0).merge(table.cell(1, 1)).text = "both"
    document.save(str(path))
    assert [(values["section"], values["text"]) for values in values_of(path)] == [
        (None, "Before."),
        ("Methods", "Methods\n\nWe did\tthis.\n\nAnd that.\n\na | b\nboth"),
    ]


def test_a_word_document_without_text_is_refused(tmp_path: Path) -> None:
    assert "holds no text" in refusal(docx(tmp_path / "blank.docx")).what


def test_a_web_page_gives_its_main_text_without_menus(tmp_path: Path) -> None:
    page = (
        "<html><head><title>Gardens</title></head><body><nav><a href=x>Home</a> <a href=y>About us</a></nav><article>"
        f"<h1>Gardens</h1>{PARAGRAPH * 5}<h2>Tools</h2>{PARAGRAPH.replace('gardens', 'spades') * 5}"
        "<ul><li>one spade</li><li>two rakes</li></ul><table><tr><td>a</td><td>b</td></tr></table>"
        "<pre><code>x = 1\ny = 2</code></pre></article><footer>Copyright 2026 somebody</footer></body></html>"
    )
    first, second = values_of(written(tmp_path / "page.html", page))
    assert [first["section"], second["section"]] == ["Gardens", "Tools"]
    assert str(first["text"]).startswith("Gardens\n\nA paragraph about gardens")
    assert str(second["text"]).endswith("- one spade\n- two rakes\n\na | b\n\nx = 1\ny = 2")
    assert not any(word in f"{first}{second}" for word in ("Home", "About us", "Copyright"))


def test_a_web_page_may_have_another_encoding(tmp_path: Path) -> None:
    page = f"<html><head><meta charset='windows-1252'></head><body><article>{PARAGRAPH * 5}<p>Où est-ce?</p></article>"
    (values,) = values_of(written(tmp_path / "page.htm", page.encode("cp1252")))
    assert "Où est-ce?" in str(values["text"])


def test_a_web_page_without_text_is_refused(tmp_path: Path) -> None:
    assert "holds no text" in refusal(written(tmp_path / "page.html", "<html><script>x()</script></html>")).what


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.pdf", b"no pdf at all", "is no PDF"),
        ("a.pdf", pdf("x")[:200], "can't be read as PDF"),
        ("a.docx", b"plain text", "is not a Word document"),
        ("a.docx", b"PK\x03\x04 and then nothing", "is damaged"),
        ("a.docx", zipped({"a.txt": b"x"}), "can't be read as a Word document"),
        ("a.xlsx", zipped({"a.txt": b"x"}), "can't be read as an Excel workbook"),
    ],
)
def test_what_is_no_such_document_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    assert said in refusal(written(tmp_path / name, content)).what


def test_the_parser_ends_when_no_more_rows_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "long.pdf", pdf(*["page " * 300] * 300))
    rows = read_rows(path)
    assert len(list(islice(rows, 2))) == 2
    children = psutil.Process().children()
    parsers = [process for process in children if "datasets_src.readers.extract" in process.cmdline()]
    assert parsers
    rows.close()  # type: ignore[attr-defined]
    assert not any(process.is_running() for process in parsers)


def test_a_document_that_takes_too_long_is_refused(tmp_path: Path) -> None:
    slow = b"BT /F1 12 Tf " + b"(a) Tj " * 2_000_000 + b"ET"
    path = written(tmp_path / "slow.pdf", pdf("x", content=slow))
    for limits in (Limits(cpu_seconds=1, seconds_per_mb=0), Limits(idle_seconds=1, seconds_per_mb=0)):
        with pytest.raises(BadInput) as error:
            list(read_extracted(path, limits))
        assert "It took longer than" in error.value.why


def test_a_document_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    wide = b"BT /F1 12 Tf " + b"(a) Tj " * 2_000_000 + b"ET"
    path = written(tmp_path / "wide.pdf", pdf("x", content=wide))
    with pytest.raises(BadInput) as error:
        list(read_extracted(path, Limits(memory_mb=200)))
    assert "takes more than 200 MB of memory" in error.value.why


def test_a_pdf_whose_pages_go_round_in_circles_is_refused(tmp_path: Path) -> None:
    circle = pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 1 /Kids [2 0 R] >>"])
    assert "can't be read as PDF" in refusal(written(tmp_path / "circle.pdf", circle)).what
