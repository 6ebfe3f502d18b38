"""Passages from the pages of a PDF. Runs in the process of extract.py alone."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from datasets_src.readers.archive import Refused
from datasets_src.readers.cutting import Block, paragraphs, passages
from datasets_src.rows import Finding, RawRow

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

OCR = "Run it through text recognition first, for instance `ocrmypdf in.pdf out.pdf`."


def read_pdf(path: Path) -> Iterator[RawRow]:
    """Passages, none of which goes over a page's end. A page that can't be read, or is an image alone, is a fault."""
    from pypdf import PdfReader

    with path.open("rb") as file:
        reader = PdfReader(file)
        _unlock(reader)
        pages = len(reader.pages)
        number, texts = 0, 0
        for page_number, page in enumerate(reader.pages, start=1):
            found = _page_text(page)
            blocks = [Block("", fault=found)] if isinstance(found, Finding) else _lines(found)
            for passage in passages(paragraphs(blocks)):
                number += 1
                texts += passage.fault is None
                yield passage.row(path.name, number, page_number / pages, page=page_number)
        if not texts:
            why = f"None of its {pages} pages has text that can be read; they are probably scans."
            if pages == 0:
                why = "It has no pages."
            raise Refused("holds no text.", why, OCR)


def _unlock(reader: PdfReader) -> None:
    """Many PDFs are encrypted with an empty password, so that anybody can read them; those are read."""
    from pypdf import PasswordType
    from pypdf.errors import DependencyError

    if not reader.is_encrypted:
        return
    try:
        unlocked = reader.decrypt("") != PasswordType.NOT_DECRYPTED
    except DependencyError as error:
        why = f"Reading it needs a package that is not installed ({error})."
        raise Refused("is encrypted.", why, "Run `pip install cryptography`, or save it without encryption.") from error
    if not unlocked:
        raise Refused("is protected by a password.", "It can't be read without.", "Save it without a password.")


def _page_text(page: PageObject) -> str | Finding:
    """What stands on the page, or why that can't be had. A page that is blank has the text ""."""
    from pypdf.errors import PyPdfError

    name = f"page {page.page_number + 1 if page.page_number is not None else '?'}"
    try:
        text = page.extract_text()
        if not text.strip() and "/XObject" in (page.get("/Resources") or {}):
            return Finding("text", f"{name} holds an image and no text", f"it is probably a scan. {OCR}")
    # What pypdf runs into on a page whose objects are not what they should be.
    except (PyPdfError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, zlib.error) as error:
        return Finding("text", f"{name} can't be read", f"{type(error).__name__}: {error}")
    return _clean(text)


def _clean(text: str) -> str:
    """Text without what no text may hold: NUL characters and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _lines(text: str) -> Iterator[Block]:
    return (Block(line.rstrip(), before="\n") for line in text.splitlines())
