"""Small files of each kind, written by hand where no library is needed, so that they can be wrong on purpose."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from datasets_src.readers import read_rows
from datasets_src.rows import RawRow
from jobs.errors import UserError

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path) -> UserError:
    with pytest.raises(UserError) as error:
        list(read_rows(path))
    return error.value


def values_of(path: Path) -> list[dict[str, object]]:
    """The values of all rows, none of which may have a fault."""
    rows = list(read_rows(path))
    assert [row.fault for row in rows if row.fault] == []
    return [row.values for row in rows]


def faults_of(path: Path) -> dict[int, str]:
    """For each row with a fault, by its number: the field and what is wrong."""
    return {row.number: f"{row.fault.field}: {row.fault.what}" for row in read_rows(path) if row.fault}


def xlsx(*sheets: str, parts: dict[str, bytes] | None = None, hidden: Sequence[int] = ()) -> bytes:
    """A workbook of sheets, each given as the XML of its rows; `parts` are added to the archive or replace others."""
    numbers = range(1, len(sheets) + 1)
    entries = "".join(
        f'<sheet name="Sheet{n}" sheetId="{n}" state="{"hidden" if n in hidden else "visible"}" r:id="rId{n}"/>'
        for n in numbers
    )
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{entries}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{relations}</Relationships>',
    }
    for n, rows in zip(numbers, sheets, strict=True):
        files[f"xl/worksheets/sheet{n}.xml"] = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    return zipped({**{name: text.encode() for name, text in files.items()}, **(parts or {})})


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def cell(place: str, value: str | float) -> str:
    """A cell of a sheet, with text inline."""
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def row(number: int, *values: str | float) -> str:
    """A row of a sheet from column A on."""
    cells = "".join(cell(f"{chr(65 + at)}{number}", value) for at, value in enumerate(values))
    return f'<row r="{number}">{cells}</row>'


def pdf(*pages: str, content: bytes | None = None) -> bytes:
    """A PDF with the lines of each page in Helvetica; `content` replaces the drawing commands of all pages."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for page in pages:
        lines = [f"({line}) Tj T*".encode("latin-1") for line in page.split("\n")] if page else []
        stream = content or b"BT /F1 12 Tf 14 TL 50 750 Td " + b" ".join(lines) + b" ET"
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    return pdf_of(objects)


def pdf_of(objects: list[bytes]) -> bytes:
    """A PDF of numbered objects, the first of which is the catalogue."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def docx(path: Path, *paragraphs: str) -> Path:
    """A Word document; a paragraph that begins with `# ` is a heading."""
    import docx as library

    document = library.Document()
    for text in paragraphs:
        if text.startswith("# "):
            document.add_heading(text[2:], 1)
        else:
            document.add_paragraph(text)
    document.save(str(path))
    return path


def rows_of(path: Path) -> list[RawRow]:
    return list(read_rows(path))
