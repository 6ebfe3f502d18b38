"""XLSX and DOCX are zip archives: what their parts hold in truth, before a parser trusts what they say.

A zip bomb says nothing of its size, or lies. So every part is inflated here once, piece by piece, and counted.
"""

from __future__ import annotations

import copy
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

CHUNK = 2**20
MOST_PARTS = 20_000
MOST_INFLATED = 2**30
# Real workbooks shrink to a tenth or less. Below the free size the ratio says nothing.
LARGEST_RATIO = 150
FREE_SIZE = 64 * 2**20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1


class Refused(Exception):
    """What the user can mend about a document: `what` (after the file's name), `why` and `fix`, as in a UserError."""

    def __init__(self, what: str, why: str, fix: str) -> None:
        super().__init__(what, why, fix)


def check_archive(path: Path) -> None:
    """Raise Refused for what is no archive, is damaged or encrypted, or inflates beyond all measure."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS:
                raise _bomb(f"It has {len(parts):,} parts; at most {MOST_PARTS:,} are read.")
            inflated = 0
            for part in parts:
                for chunk in inflate(archive, part):
                    inflated += len(chunk)
                    _check_size(inflated, path.stat().st_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        raise damaged(str(error)) from error


def inflate(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of a part to its very end, whatever size the archive says that it has."""
    if part.flag_bits & ENCRYPTED:
        fix = "Save it without one."
        raise Refused("is protected by a password.", f"Its part {part.filename} is encrypted.", fix)
    if part.compress_type not in METHODS:
        raise damaged(f"{part.filename} is compressed by a method that such files don't use")
    honest = copy.copy(part)
    honest.file_size = max(part.file_size, MOST_INFLATED + CHUNK)
    with archive.open(honest) as file:
        yield from iter(lambda: file.read(CHUNK), b"")


def damaged(reason: str) -> Refused:
    fix = "Open it in the program that it comes from and save it again."
    return Refused("is damaged.", f"Its parts can't be unpacked ({reason}).", fix)


def _check_size(inflated: int, packed: int) -> None:
    if inflated > MOST_INFLATED:
        raise _bomb(f"It unpacks to more than {MOST_INFLATED // 2**20:,} MB.")
    if inflated > FREE_SIZE and inflated > LARGEST_RATIO * packed:
        raise _bomb(f"It unpacks to more than {LARGEST_RATIO} times its size, as no real document does.")


def _bomb(why: str) -> Refused:
    return Refused("is not read: it looks like a zip bomb.", why, "If it is real, save its rows as CSV or JSONL.")
