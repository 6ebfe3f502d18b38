"""The process that parses a document within limits: python -m datasets_src.readers.extract PATH MEMORY_MB IDLE CPU

It writes JSON lines: {"row": [number, values, fraction, line, fault]} for each row, then {"end": true}, or
{"error": [what, why, fix]} for what the user can mend. Anything else that goes wrong ends it with a traceback.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from datasets_src.readers.archive import Refused
from datasets_src.rows import RawRow

SECONDS_BETWEEN_WRITES = 0.1
BYTES_BETWEEN_WRITES = 2**16
MOST_WORDS = 2**22


def main(path: Path, memory_mb: int, idle_seconds: float, cpu_seconds: int) -> None:
    """Parse the file and write its rows to stdout."""
    limit_resources(memory_mb * 2**20, cpu_seconds)
    # Libraries may print; that goes where their warnings go, not between the rows.
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.disable(logging.CRITICAL)
    output = Output(stream, idle_seconds)
    try:
        for row in parser(path.suffix.lower())(path):
            fault = astuple(row.fault) if row.fault else None
            output.send({"row": (row.number, row.values, row.fraction, row.line, fault)})
        output.send({"end": True})
    except Refused as refused:
        output.send({"error": refused.args})
    output.flush()


def parser(suffix: str) -> Callable[[Path], Iterator[RawRow]]:
    """The function that reads files of this extension. Its libraries are imported under the limits."""
    if suffix == ".pdf":
        from datasets_src.readers.pdf import read_pdf

        return read_pdf
    if suffix == ".docx":
        from datasets_src.readers.word import read_docx

        return read_docx
    if suffix == ".xlsx":
        from datasets_src.readers.workbook import read_xlsx

        return read_xlsx
    from datasets_src.readers.web import read_html

    return read_html


def limit_resources(memory_bytes: int, cpu_seconds: int) -> None:
    """Limits that the system enforces, where it has them; Windows has none, there the idle time alone is bounded."""
    if sys.platform == "win32":
        return
    import resource

    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: MOST_WORDS,
        resource.RLIMIT_CORE: 0,
    }
    for kind, wanted in limits.items():
        allowed = resource.getrlimit(kind)[1]
        value = wanted if allowed == resource.RLIM_INFINITY else min(wanted, allowed)
        # macOS knows RLIMIT_AS but refuses to set it.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, allowed))


class Output:
    """Lines on their way to the reader. The time that the reader takes to fetch them doesn't count as idle."""

    def __init__(self, stream: BinaryIO, idle_seconds: float) -> None:
        self.stream = stream
        self.idle_seconds = idle_seconds
        self.pending: list[bytes] = []
        self.size = 0
        self.flush()

    def send(self, record: dict[str, Any]) -> None:
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        self.pending.append(line)
        self.size += len(line)
        if self.size > BYTES_BETWEEN_WRITES or time.monotonic() - self.written > SECONDS_BETWEEN_WRITES:
            self.flush()

    def flush(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        self.stream.write(b"".join(self.pending))
        self.stream.flush()
        self.pending, self.size = [], 0
        self.written = time.monotonic()
        # Ends the process from a thread that needs nothing of Python, so that no parser can hold it up.
        faulthandler.dump_traceback_later(self.idle_seconds, exit=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
