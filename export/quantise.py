"""An F16 GGUF file to Q8_0 or Q4_K_M: llama.cpp's own tool where it is installed, else the same bytes without it."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from export.gguf_file import GgufFile, GgufTensor, GgufWriter, PlannedTensor, read_gguf, uint32
from export.tensor_types import (
    BLOCK_BYTES,
    BLOCK_LENGTH,
    FILE_TYPE,
    GgmlType,
    Mix,
    choose_types,
    in_llama_order,
)
from jobs.errors import BadInput

QUANTISATION_VERSION = 2
_SPLIT_KEYS = ("split.no", "split.count", "split.tensors.count")
_PIECE_ELEMENTS = 4 << 20

Engine = Literal["llama-quantize", "libgguf"]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class QuantiseReport:
    """`types`: how many tensors have each number format."""

    engine: Engine
    size_bytes: int
    types: dict[str, int]


def quantise(source: Path, output: Path, mix: Mix, progress: Progress = lambda _fraction: None) -> QuantiseReport:
    """Write `source` (F16, BF16 or F32) quantised to `output`.

    Raises BadInput when `source` is quantised already or its shape doesn't allow it; RuntimeError with the tool's
    last lines when llama-quantize fails.
    """
    tool = shutil.which("llama-quantize")
    if tool is not None:
        _with_llama_quantize(tool, source, output, mix)
    else:
        quantise_with_libgguf(source, output, mix, progress)
    counts = Counter(GgmlType(tensor.type).name for tensor in read_gguf(output).tensors)
    return QuantiseReport("llama-quantize" if tool else "libgguf", output.stat().st_size, dict(counts))


def _with_llama_quantize(tool: str, source: Path, output: Path, mix: Mix) -> None:
    done = subprocess.run(
        [tool, str(source), str(output), mix.upper()], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise RuntimeError(f"{tool} ended with status {done.returncode}:\n" + "\n".join(lines))


def quantise_with_libgguf(source: Path, output: Path, mix: Mix, progress: Progress = lambda _fraction: None) -> None:
    """The same without llama.cpp's tool: its types, order and metadata, and libgguf's row quantisers."""
    model = read_gguf(source)
    types = choose_types(model, mix)
    tensors = in_llama_order(model.tensors)
    plan = [
        PlannedTensor(tensor.name, tensor.shape, types[tensor.name], _size(tensor, types[tensor.name]))
        for tensor in tensors
    ]
    total = sum(tensor.rows * tensor.row_length for tensor in tensors)
    done = 0
    with output.open("wb") as file:
        writer = GgufWriter(file, _entries(model, mix), plan)
        for tensor in tensors:
            for elements, data in _converted(model, tensor, types[tensor.name]):
                writer.write(data)
                done += elements
                progress(done / total)
            writer.pad()


def _size(tensor: GgufTensor, kind: GgmlType) -> int:
    return tensor.rows * (tensor.row_length // BLOCK_LENGTH[kind]) * BLOCK_BYTES[kind]


def _entries(model: GgufFile, mix: Mix) -> dict[str, tuple[int, bytes]]:
    """The model's metadata; what says how it is quantised goes to the end, as llama.cpp does it."""
    renewed = {
        "general.quantization_version": uint32(QUANTISATION_VERSION),
        "general.file_type": uint32(FILE_TYPE[mix]),
    }
    kept = {key: entry for key, entry in model.entries.items() if key not in renewed and key not in _SPLIT_KEYS}
    return kept | renewed


def _converted(model: GgufFile, tensor: GgufTensor, kind: GgmlType) -> Iterator[tuple[int, Any]]:
    """The tensor's bytes in its new type, some rows at a time, with the number of elements in each piece."""
    import libgguf

    rows_at_once = max(1, _PIECE_ELEMENTS // tensor.row_length)
    with model.path.open("rb") as file:
        file.seek(tensor.start)
        for first in range(0, tensor.rows, rows_at_once):
            rows = min(rows_at_once, tensor.rows - first)
            stored = _read_rows(file, model.path, tensor, rows)
            data = stored if kind == tensor.type else libgguf.quantize_rows(_as_float32(stored, tensor), int(kind))
            yield rows * tensor.row_length, memoryview(data).cast("B")


def _read_rows(file: Any, path: Path, tensor: GgufTensor, rows: int) -> Any:
    """`rows` rows as stored: an array (rows, row length) of 4- or 2-byte numbers."""
    import numpy

    formats: dict[int, type[Any]] = {
        GgmlType.F32: numpy.float32,
        GgmlType.F16: numpy.float16,
        GgmlType.BF16: numpy.uint16,
    }
    if tensor.type not in formats:
        raise BadInput(
            f"{path} is quantised already.", f"{tensor.name} is no 16-bit tensor.", "Quantise from the F16 file."
        )
    numbers = numpy.fromfile(file, dtype=formats[tensor.type], count=rows * tensor.row_length)
    if numbers.size != rows * tensor.row_length:
        raise BadInput(f"{path} is cut short.", f"It ends inside {tensor.name}.", "Export it again.")
    return numbers.reshape(rows, tensor.row_length)


def _as_float32(stored: Any, tensor: GgufTensor) -> Any:
    import numpy

    if tensor.type == GgmlType.BF16:
        return (stored.astype(numpy.uint32) << 16).view(numpy.float32)
    return stored.astype(numpy.float32)
