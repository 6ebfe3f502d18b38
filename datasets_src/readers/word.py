"""Passages from a Word document. Runs in the process of extract.py alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from datasets_src.readers.archive import Refused, check_archive
from datasets_src.readers.cutting import Block, passages
from datasets_src.rows import RawRow

if TYPE_CHECKING:
    from docx.table import Table
    from docx.text.paragraph import Paragraph

HEADING_STYLES = ("heading", "title")


def read_docx(path: Path) -> Iterator[RawRow]:
    """Passages of the document's body in its order: headings, paragraphs, tables with a row a line."""
    import docx

    check_archive(path)
    document = docx.Document(str(path))
    blocks = (block for item in document.iter_inner_content() for block in _blocks(item))
    number = 0
    for number, passage in enumerate(passages(blocks), start=1):
        # The file is parsed as a whole, so all of it is read.
        yield passage.row(path.name, number, 1.0)
    if number == 0:
        why = "Its body has no paragraph or table with text; text in drawings is not read."
        raise Refused("holds no text.", why, "Save its text as TXT or Markdown.")


def _blocks(item: Paragraph | Table) -> Iterator[Block]:
    from docx.table import Table

    if isinstance(item, Table):
        yield from _table_rows(item)
        return
    text = item.text.strip()
    if text:
        style = (item.style.name if item.style is not None else None) or ""
        yield Block(text, heading=text if style.lower().startswith(HEADING_STYLES) else None)


def _table_rows(table: Table) -> Iterator[Block]:
    before = "\n\n"
    for row in table.rows:
        texts = (" ".join(cell.text.split()) for cell in row.cells)
        # A cell that goes over several columns comes once for each of them.
        line = " | ".join(text for text, _ in groupby(texts))
        if line.strip(" |"):
            yield Block(line, before=before)
            before = "\n"
