"""Passages from the main text of a web page. Runs in the process of extract.py alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets_src.readers.archive import Refused
from datasets_src.readers.cutting import Block, passages
from datasets_src.rows import RawRow


def read_html(path: Path) -> Iterator[RawRow]:
    """Passages of what trafilatura takes for the page's main text, without menus, comments and page furniture."""
    import trafilatura

    page: Any = trafilatura.bare_extraction(path.read_bytes(), include_comments=False, include_tables=True)
    blocks = [] if page is None or page.body is None else [block for item in page.body for block in _blocks(item)]
    number = 0
    for number, passage in enumerate(passages(blocks), start=1):
        # The file is parsed as a whole, so all of it is read.
        yield passage.row(path.name, number, 1.0)
    if number == 0:
        why = "No main text was found in it: it may be empty, no HTML, or show its text by JavaScript alone."
        raise Refused("holds no text.", why, "Save the page from a browser, or copy its text into a TXT file.")


def _blocks(item: Any) -> Iterator[Block]:
    """An element of trafilatura's tree (in the names of the Text Encoding Initiative) as blocks."""
    if item.tag == "head":
        text = _text(item)
        yield Block(text, heading=text)
    elif item.tag == "code":
        yield Block("".join(item.itertext()).strip("\n"))
    elif item.tag in ("list", "table"):
        before = "\n\n"
        for line in _lines(item):
            yield Block(line, before=before)
            before = "\n"
    else:
        yield Block(_text(item))


def _lines(item: Any) -> Iterator[str]:
    """A list's items, or a table's rows with bars between their cells."""
    if item.tag == "list":
        yield from (f"- {text}" for text in map(_text, item.iter("item")) if text)
    else:
        yield from (" | ".join(map(_text, row.iter("cell"))) for row in item.iter("row"))


def _text(item: Any) -> str:
    return " ".join("".join(item.itertext()).split())
