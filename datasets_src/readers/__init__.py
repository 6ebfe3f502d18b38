"""Reading rows from the files that people have, with errors that name the file, the row and the field.

A line or row that can't be read becomes a RawRow with a fault, so that all of them are listed; a file that can't be
read at all raises BadInput or Missing. Files of rows stream: memory stays the same however long they are.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from datasets_src.readers.common import json_type
from datasets_src.readers.documents import check_container, read_extracted
from datasets_src.readers.hub import hub_version, read_hub
from datasets_src.readers.json_rows import read_json, read_json_lines
from datasets_src.readers.parquet import read_parquet
from datasets_src.readers.tables import read_csv, read_tsv
from datasets_src.readers.text import read_markdown, read_text
from datasets_src.rows import RawRow
from jobs.errors import BadInput, Missing

__all__ = ["READERS", "check_file", "hub_version", "json_type", "read_hub", "read_rows"]

READERS: dict[str, Callable[[Path], Iterator[RawRow]]] = {
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
    ".xlsx": read_extracted,
    ".txt": read_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".pdf": read_extracted,
    ".docx": read_extracted,
    ".html": read_extracted,
    ".htm": read_extracted,
}


def read_rows(path: Path) -> Iterator[RawRow]:
    """The rows of a file in order. Raises Missing or BadInput when the file itself can't be read or has no rows."""
    reader = check_file(path)
    found = False
    for row in reader(path):
        found = True
        yield row
    if not found:
        raise BadInput(f"{path} holds no rows.", "It could be read, but there is no row in it.", "Choose another file.")


def check_file(path: Path) -> Callable[[Path], Iterator[RawRow]]:
    """Whether the file looks readable at all, before a row is read; the function that reads it."""
    if not path.exists():
        raise Missing(f"There is no file {path}.", "Rows are to be read from it.", "Check the path and its spelling.")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        raise BadInput(f"{path} is {kind}.", "Rows are read from files.", "Name a file as the source.")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(READERS)
        raise BadInput(
            f"{path} has the unknown extension '{path.suffix}'.",
            f"The extension says how a file is read; known are {known}.",
            "Save it in one of these formats, or rename it if it is one of them already.",
        )
    if not os.access(path, os.R_OK):
        raise BadInput(f"{path} can't be opened.", "You have no right to read it.", "Change the file's permissions.")
    with path.open("rb") as file:
        start = file.read(4096)
    if not start.removeprefix(codecs.BOM_UTF8).strip() and path.stat().st_size <= len(start):
        raise BadInput(f"{path} is empty.", "There is nothing to read in it.", "Choose another file.")
    check_container(path, start)
    return reader
