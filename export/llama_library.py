"""Quantise with llama.cpp's own library, in a process of its own: `python export/llama_library.py FOLDER IN OUT TYPE`.

For machines that have llama.cpp as the package llama-cpp-python and not as programs. FOLDER holds the libraries, TYPE
is the number of the file type. Ends with the library's own status; it prints a line for each tensor.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

# In this order each finds those that it needs already loaded.
_NEEDED = ("libgomp*", "*ggml-base*", "*ggml-cpu*", "*ggml.*", "*llama.*")


class Parameters(ctypes.Structure):
    """The first fields of llama_model_quantize_params; the others differ between versions, hence the room."""

    _fields_ = (("threads", ctypes.c_int32), ("file_type", ctypes.c_int32), ("rest", ctypes.c_uint8 * 1024))


def load(folder: Path) -> ctypes.CDLL:
    """llama.cpp's library with all that it needs. Raises OSError when it can't be loaded."""
    files = [file for pattern in _NEEDED for file in sorted(folder.glob(pattern))]
    return [ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL) for file in files][-1]


def quantise(folder: Path, source: str, output: str, file_type: int, threads: int) -> int:
    """Status of llama.cpp's llama_model_quantize: 0 when it went well. `threads`: 0 for as many as there are cores."""
    library = load(folder)
    library.llama_model_quantize_default_params.restype = Parameters
    library.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Parameters)]
    parameters = library.llama_model_quantize_default_params()
    parameters.threads, parameters.file_type = threads, file_type
    library.llama_backend_init()
    return int(library.llama_model_quantize(source.encode(), output.encode(), ctypes.byref(parameters)))


if __name__ == "__main__":
    given = sys.argv[1:]
    threads = int(given[4]) if len(given) > 4 else 0
    raise SystemExit(quantise(Path(given[0]), given[1], given[2], int(given[3]), threads))
