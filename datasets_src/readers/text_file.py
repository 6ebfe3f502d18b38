"""Opening a file of text as UTF-8: byte order marks, UTF-16 as Excel writes it, and encodings that can't be used."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from datasets_src.rows import Finding
from jobs.errors import BadInput

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
CHUNK = 2**20
# The encoding is judged by the beginning. Fewer damaged lines than this are strays, each a fault of its own row.
SAMPLE = 256 * 1024
DAMAGED_LINES = 3
# A file with more NUL bytes than this is no text in UTF-8: in UTF-16 about half of English text is NUL.
NUL_SHARE = 0.2


@dataclass(frozen=True)
class TextFile:
    """A file open for reading bytes that are UTF-8 without its mark (single lines apart), and about how many."""

    file: BinaryIO
    size: int


@contextmanager
def open_text(path: Path) -> Iterator[TextFile]:
    """Open a file of text. Raises BadInput when it is text in another encoding, or no text at all."""
    with path.open("rb", buffering=CHUNK) as raw:
        start = raw.read(SAMPLE)
        size = len(start) if len(start) < SAMPLE else path.stat().st_size
        raw.seek(0)
        if start.startswith(UTF32):
            raise BadInput(f"{path} is not UTF-8.", "It begins as UTF-32 text does.", "Save it as UTF-8.")
        if start.startswith(UTF16):
            # A unit of two bytes becomes three of UTF-8 at most.
            yield TextFile(io.BufferedReader(_Utf16AsUtf8(path, raw), CHUNK), max(1, size * 3 // 2))
            return
        _check_encoding(path, start)
        raw.seek(len(codecs.BOM_UTF8) if start.startswith(codecs.BOM_UTF8) else 0)
        yield TextFile(raw, max(1, size))


def skip_line(file: IO[bytes]) -> int:
    """Pass over the rest of a line without holding it; how many bytes it had."""
    skipped = 0
    while piece := file.readline(CHUNK):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def not_utf8(content: bytes, line: int, before: int = 0) -> Finding | None:
    """The first byte that is not UTF-8, named by its line and its place in it; None where all is.

    `content` begins in line number `line`, `before` bytes behind its beginning.
    """
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = content[error.start]
        line_end = content.rfind(b"\n", 0, error.start)
        place = error.start - line_end + (before if line_end < 0 else 0)
        shown = bytes([byte]).decode("cp1252", "replace")
        meant = f", '{shown}' in Windows-1252" if shown.isprintable() and shown != "\ufffd" else ""
        line += content.count(b"\n", 0, error.start)
        why = f"byte {place} of the line is 0x{byte:02x}{meant}; save the file as UTF-8"
        return Finding("", f"not UTF-8 at line {line}", why)
    return None


class _Utf16AsUtf8(io.RawIOBase):
    """A file of UTF-16 read as UTF-8, a piece at a time."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self.decoder = codecs.getincrementaldecoder("utf-16")()
        self.pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self.pending:
            before = self.file.tell() - len(self.decoder.getstate()[0])
            chunk = self.file.read(CHUNK)
            try:
                self.pending = self.decoder.decode(chunk, final=not chunk).encode("utf-8")
            except UnicodeDecodeError as error:
                raise BadInput(
                    f"{self.path} is damaged at byte {before + error.start + 1}.",
                    f"It begins as UTF-16 text does, but can't be read as such there ({error.reason}).",
                    "Save it again, as UTF-8.",
                ) from error
            if not chunk:
                break
        count = min(len(buffer), len(self.pending))
        buffer[:count] = self.pending[:count]
        self.pending = self.pending[count:]
        return count


def _check_encoding(path: Path, start: bytes) -> None:
    """Refuse a file whose beginning shows that it is no UTF-8 as a whole."""
    if start.count(0) > NUL_SHARE * len(start):
        raise BadInput(
            f"{path} is not text in UTF-8.",
            "Many of its bytes are NUL, as in UTF-16 without its mark or in a file that holds no text.",
            "Save it as UTF-8, or check what kind of file it is.",
        )
    if _is_utf8(start):
        return
    lines = [line for line in start.split(b"\n") if not line.isascii()]
    if len(start) == SAMPLE:
        lines = lines[:-1]
    if len(lines) < DAMAGED_LINES or any(_is_utf8(line) for line in lines):
        return
    if b"\0" not in start and _is_cp1252(b"".join(lines)):
        why = f"All of its first {len(lines)} lines with letters beyond ASCII look like Windows-1252 (cp1252, Latin-1)."
        fix = f"Save it as UTF-8 in an editor, or run `iconv -f cp1252 -t utf-8 {path.name} > utf8-{path.name}`."
        raise BadInput(f"{path} is not UTF-8.", why, fix)
    raise BadInput(
        f"{path} is not UTF-8.",
        f"None of its first {len(lines)} lines with bytes beyond ASCII is.",
        "Save it as UTF-8, or check what kind of file it is.",
    )


def _is_utf8(content: bytes) -> bool:
    """Whether it is UTF-8; a character that is cut at the end is passed over."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return False
    return True


def _is_cp1252(content: bytes) -> bool:
    try:
        return all(character.isprintable() or character.isspace() for character in content.decode("cp1252"))
    except UnicodeDecodeError:
        return False
