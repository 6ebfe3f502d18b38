"""Running llama.cpp's own programs so that a stop ends them."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from jobs.errors import NOTHING_LEFT_BYTES

_LAST_LINES = 15
_KEPT_CHARACTERS = 20_000


class ToolFailed(RuntimeError):
    """One of llama.cpp's programs ended with an error; the text holds its last lines, `log` more of them."""

    def __init__(self, program: str, status: int, log: str) -> None:
        last = "\n".join(log.strip().splitlines()[-_LAST_LINES:])
        super().__init__(f"{program} ended with status {status}:\n{last}")
        self.log = log


def run_tool(
    command: list[str], output: Path, on_text: Callable[[str], None], environment: dict[str, str] | None = None
) -> None:
    """Run a program that writes `output`; what it prints is handed to `on_text` in pieces, as it comes.

    Whatever `on_text` raises ends the program. Raises ToolFailed with its last lines, or OSError (ENOSPC) when it
    failed because the disk is full, which the programs themselves call a stream error.
    """
    printed = ""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    try:
        while piece := os.read(descriptor, 1 << 16):
            text = piece.decode(errors="replace")
            printed = (printed + text)[-_KEPT_CHARACTERS:]
            on_text(text)
        status = process.wait()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    if status != 0:
        if shutil.disk_usage(output.parent).free < NOTHING_LEFT_BYTES or os.strerror(errno.ENOSPC) in printed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(output))
        raise ToolFailed(command[0], status, printed)
