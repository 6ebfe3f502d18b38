"""Where llama.cpp's own programs and library are on this machine, and running them so that a stop ends them."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from jobs.errors import NOTHING_LEFT_BYTES

Tool = Literal["llama-quantize", "llama-imatrix", "llama-server"]

_LAST_LINES = 15
_KEPT_CHARACTERS = 20_000


class ToolFailed(RuntimeError):
    """One of llama.cpp's programs ended with an error; the text holds its last lines, `log` more of them."""

    def __init__(self, program: str, status: int, log: str) -> None:
        last = "\n".join(log.strip().splitlines()[-_LAST_LINES:])
        super().__init__(f"{program} ended with status {status}:\n{last}")
        self.log = log


def find_tool(name: Tool) -> Path | None:
    """One of llama.cpp's programs: on PATH, else where Ollama, Unsloth or a build of one's own puts it."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    file = f"{name}.exe" if sys.platform == "win32" else name
    return next((folder / file for folder in _usual_folders() if os.access(folder / file, os.X_OK)), None)


def _usual_folders() -> list[Path]:
    """Ollama's libraries lie beside its program, in different places for each system."""
    home = Path.home()
    folders = [Path(root, "lib/ollama") for root in ("/usr/local", "/usr", "/opt/ollama")]
    folders += [Path("/Applications/Ollama.app/Contents/Resources"), Path("/opt/homebrew/bin")]
    folders += [home / "AppData/Local/Programs/Ollama/lib/ollama"]
    builds = [home / "llama.cpp", home / ".unsloth/llama.cpp"]
    return folders + [build / part for build in builds for part in ("build/bin", "")]


def find_library() -> Path | None:
    """The folder of llama.cpp's libraries that the package llama-cpp-python brings, None without it."""
    spec = importlib.util.find_spec("llama_cpp")
    for place in (spec.submodule_search_locations if spec else None) or []:
        if any((Path(place) / "lib").glob("*llama.*")):
            return Path(place) / "lib"
    return None


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
