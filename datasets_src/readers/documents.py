"""Rows from files that need a parser of their own (PDF, DOCX, HTML, XLSX), which runs in a process of its own.

Such a file can make its parser use time and memory without bound, or crash it. So the process has limits, and only rows
come back from it, as JSON lines, each as soon as it is there. `extract.py` is the other end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from datasets_src.readers.common import LONGEST_ROW, too_long
from datasets_src.readers.text_file import skip_line
from datasets_src.rows import Finding, RawRow
from jobs.errors import BadInput

PROJECT = Path(__file__).resolve().parents[2]
TITLES = {".pdf": "PDF", ".docx": "a Word document", ".xlsx": "an Excel workbook", ".html": "HTML", ".htm": "HTML"}

ZIP = b"PK\x03\x04"
# Compound files (MS-CFB): what Office wrote before 2007, and what it wraps files with a password in.
COMPOUND = bytes.fromhex("d0cf11e0a1b11ae1")
DIRECTORY_BYTES = 4096
PDF_MARK_WITHIN = 1024

# How much is kept of what the process says about its own failure.
LAST_WORDS = 4000
OUT_OF_MEMORY = ("MemoryError", "memory allocation of", "bad_alloc", "Cannot allocate memory", "out of memory")


@dataclass(frozen=True)
class Limits:
    """What a parser may use: memory, seconds without a new row, and processor seconds in all.

    Both times grow with the file's size by `seconds_per_mb`.
    """

    memory_mb: int = 2048
    idle_seconds: float = 60
    cpu_seconds: float = 60
    seconds_per_mb: float = 10

    def idle_for(self, path: Path) -> float:
        return self.idle_seconds + self.seconds_per_mb * path.stat().st_size / 1e6

    def cpu_for(self, path: Path) -> int:
        return max(1, round(self.cpu_seconds + self.seconds_per_mb * path.stat().st_size / 1e6))


LIMITS = Limits()


def check_container(path: Path, start: bytes) -> None:
    """Whether a document begins as its extension says. Raises BadInput; `start` is the file's first 4 KB."""
    suffix = path.suffix.lower()
    if suffix in (".xlsx", ".docx") and not start.startswith(ZIP):
        raise _wrong_container(path, start)
    if suffix == ".pdf" and b"%PDF-" not in start[:PDF_MARK_WITHIN]:
        raise BadInput(
            f"{path} is no PDF.", "It doesn't begin as a PDF does (%PDF-).", "Check what kind of file it is."
        )


def read_extracted(path: Path, limits: Limits = LIMITS) -> Iterator[RawRow]:
    """The rows that the parser finds. Raises BadInput when it can't read the file, or not within `limits`."""
    with tempfile.TemporaryFile() as words:
        process = _start(path, limits, words)
        assert process.stdout is not None
        try:
            finished = yield from _received(path, process.stdout)
            if not finished:
                raise _ended_early(path, process.wait(), _last_words(words), limits)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _start(path: Path, limits: Limits, words: IO[bytes]) -> subprocess.Popen[bytes]:
    numbers = (limits.memory_mb, limits.idle_for(path), limits.cpu_for(path))
    return subprocess.Popen(
        [sys.executable, "-m", "datasets_src.readers.extract", str(path.absolute()), *map(str, numbers)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=words,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )


def _received(path: Path, stream: IO[bytes]) -> Generator[RawRow, None, bool]:
    """The rows as they come; whether the parser came to its end. Raises the error that it sent."""
    number = 0
    while line := stream.readline(LONGEST_ROW):
        if len(line) == LONGEST_ROW and not line.endswith(b"\n"):
            skip_line(stream)
            number += 1
            yield RawRow(number, {}, 0.0, None, too_long())
            continue
        if not line.endswith(b"\n"):
            return False
        record = orjson.loads(line)
        if "error" in record:
            what, why, fix = record["error"]
            raise BadInput(f"{path} {what}", why, fix)
        if "end" in record:
            return True
        number, values, fraction, place, fault = record["row"]
        yield RawRow(number, values, fraction, place, Finding(*fault) if fault else None)
    return False


def _last_words(words: IO[bytes]) -> str:
    words.seek(0, os.SEEK_END)
    words.seek(max(0, words.tell() - LAST_WORDS))
    return words.read().decode("utf-8", "replace")


def _ended_early(path: Path, status: int, words: str, limits: Limits) -> BadInput:
    title = TITLES[path.suffix.lower()]
    lines = [line for line in words.splitlines() if line.strip()]
    if "Timeout (" in words or (sys.platform != "win32" and status == -signal.SIGXCPU):
        why = f"It took longer than {limits.cpu_for(path)} s, or {limits.idle_for(path):.0f} s without a row."
    elif status == -9 or any(said in words for said in OUT_OF_MEMORY):
        why = f"Reading it takes more than {limits.memory_mb} MB of memory."
    elif status < 0:
        why = f"Its content made the parser crash (signal {-status})."
    else:
        why = f"Its content made the parser fail: {(lines or [f'exit status {status}'])[-1].rstrip('.')}."
    fix = "Open it in the program that it comes from and save it again, or save its text as another kind of file."
    if path.suffix.lower() == ".xlsx":
        fix = "Save the sheet as CSV, which is read at any size."
    return BadInput(f"{path} can't be read as {title}.", why, fix)


def _wrong_container(path: Path, start: bytes) -> BadInput:
    title = TITLES[path.suffix.lower()]
    if not start.startswith(COMPOUND):
        why = f"It doesn't begin as {title} does."
        return BadInput(f"{path} is not {title}.", why, "Check what kind of file it is.")
    if "EncryptedPackage".encode("utf-16-le") in _compound_directory(path, start):
        why = "Its content is encrypted, and can't be read without the password."
        return BadInput(f"{path} is protected by a password.", why, "Save it without one.")
    why = "It is in the format that Office used before 2007."
    return BadInput(f"{path} is not {title}.", why, f"Save it as {path.suffix} in a present program.")


def _compound_directory(path: Path, start: bytes) -> bytes:
    """The beginning of a compound file's directory, which names its streams."""
    sector_bits = min(16, int.from_bytes(start[30:32], "little"))
    sector = int.from_bytes(start[48:52], "little")
    with path.open("rb") as file:
        file.seek((sector + 1) << sector_bits)
        return file.read(DIRECTORY_BYTES)
