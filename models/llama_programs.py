"""Where llama.cpp's own programs and library are on this machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Literal, get_args

Tool = Literal["llama-quantize", "llama-imatrix", "llama-server"]
TOOLS: tuple[Tool, ...] = get_args(Tool)


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
