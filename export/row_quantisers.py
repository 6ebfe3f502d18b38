"""What turns rows of float32 numbers into ggml's blocks: ggml's own function, or libgguf's where that can't be had.

ggml's function is in the library that the wheel xllamacpp carries (the same that runs the checks). On Linux its name is
visible there, though xllamacpp itself has no use for it; elsewhere libgguf has the same results at half the speed.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from export.tensor_types import BLOCK_BYTES, BLOCK_LENGTH, GgmlType

RowEngine = Literal["xllamacpp", "libgguf"]
# (rows, row length) of float32 to their bytes. Both let other threads run meanwhile.
RowQuantiser = Callable[[Any, GgmlType], Any]


def row_engine() -> RowEngine:
    """The faster of those that are there."""
    return "libgguf" if _ggml() is None else "xllamacpp"


def row_quantiser(engine: RowEngine) -> RowQuantiser:
    """The function of this engine. Raises ImportError when libgguf isn't installed."""
    if engine == "xllamacpp":
        return _with_ggml
    import libgguf

    def with_libgguf(rows: Any, kind: GgmlType) -> Any:
        return libgguf.quantize_rows(rows, int(kind)).view("uint8")

    return with_libgguf


def _with_ggml(rows: Any, kind: GgmlType) -> Any:
    import numpy

    library = _ggml()
    assert library is not None
    rows = numpy.ascontiguousarray(rows, dtype=numpy.float32)
    count, length = rows.shape
    made = numpy.empty((count, length // BLOCK_LENGTH[kind] * BLOCK_BYTES[kind]), dtype=numpy.uint8)
    written = library.ggml_quantize_chunk(int(kind), rows.ctypes.data, made.ctypes.data, 0, count, length, None)
    if written != made.nbytes:
        raise RuntimeError(f"ggml wrote {written} bytes of {kind.name} instead of {made.nbytes}")
    return made


@cache
def _ggml() -> ctypes.CDLL | None:
    """xllamacpp's library when ggml's function can be called in it, else None."""
    spec = importlib.util.find_spec("xllamacpp")
    folders = [Path(place) for place in (spec.submodule_search_locations if spec else None) or []]
    for file in (file for folder in folders for file in sorted(folder.glob("xllamacpp*.so"))):
        library = ctypes.CDLL(str(file))
        if hasattr(library, "ggml_quantize_chunk"):
            function = library.ggml_quantize_chunk
            function.restype = ctypes.c_size_t
            place, count = ctypes.c_void_p, ctypes.c_int64
            function.argtypes = [ctypes.c_int, place, place, count, count, count, place]
            return library
    return None
