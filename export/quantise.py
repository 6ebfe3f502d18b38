"""A GGUF file to another number format: llama.cpp's own quantiser where it is installed, else the same bytes without.

The source is what the converter wrote: F32, F16 or BF16.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from export.gguf_file import GgufFile, GgufTensor, GgufWriter, PlannedTensor, read_gguf, uint32
from export.llama_tools import run_tool
from export.overlap import EarlyFlush, in_order
from export.quantisations import FORMATS, Quantisation
from export.row_quantisers import RowEngine, RowQuantiser, row_engine, row_quantiser
from export.tensor_types import BLOCK_BYTES, BLOCK_LENGTH, GgmlType, Mix, choose_types, in_llama_order
from jobs.errors import BadInput, Missing
from models.llama_programs import find_library, find_tool

QUANTISATION_VERSION = 2
_SPLIT_KEYS = ("split.no", "split.count", "split.tensors.count")
_PIECE_ELEMENTS = 1 << 20
_DONE_OF_ALL = re.compile(r"\[\s*(\d+)/\s*(\d+)\]")

Engine = Literal["llama-quantize", "llama-cpp-python"] | RowEngine
Progress = Callable[[float], None]


@dataclass(frozen=True)
class QuantiseReport:
    """`types`: how many tensors have each number format."""

    engine: Engine
    size_bytes: int
    types: dict[str, int]


@dataclass(frozen=True)
class _Piece:
    """Some rows of a tensor, to be written as `kind`; `ends`: they are its last."""

    tensor: GgufTensor
    kind: GgmlType
    first: int
    rows: int

    @property
    def elements(self) -> int:
        return self.rows * self.tensor.row_length

    @property
    def ends(self) -> bool:
        return self.first + self.rows == self.tensor.rows


def quantise(
    source: Path,
    output: Path,
    mix: Quantisation,
    progress: Progress = lambda _fraction: None,
    importance: Path | None = None,
) -> QuantiseReport:
    """Write `source` (F16, BF16 or F32) as `mix` to `output`. `importance`: a file that llama-imatrix made.

    Whatever `progress` raises stops it. After any error there is no `output`. Raises BadInput when `source` is
    quantised already or its shape doesn't allow it; Missing when only llama.cpp's own program could do it;
    ToolFailed with its last lines when that fails; OSError when the disk is full.
    """
    engine = _engine(mix, importance)
    with ExitStack() as undo:
        undo.callback(output.unlink, missing_ok=True)
        if engine == "llama-quantize" or engine == "llama-cpp-python":
            _with_llama_cpp(engine, source, output, mix, progress, importance)
        else:
            quantise_by_rows(source, output, mix, progress, engine)  # type: ignore[arg-type]
        made = read_gguf(output)
        undo.pop_all()
    counts = Counter(_type_name(tensor.type) for tensor in made.tensors)
    return QuantiseReport(engine, output.stat().st_size, dict(counts))


def _engine(mix: Quantisation, importance: Path | None) -> Engine:
    """What is to make this kind of file; see `quantise`."""
    made = FORMATS[mix]
    if made.needs_importance and importance is None:
        raise Missing(
            f"{made.label} needs an importance matrix.",
            "In so few bits a model turns into gibberish unless the weights that matter most are known.",
            "Have the export measure it (that takes llama.cpp's program llama-imatrix), or choose a larger size.",
        )
    if find_tool("llama-quantize") is not None:
        return "llama-quantize"
    if importance is None and made.maker != "llama.cpp":
        return row_engine()
    if importance is None and find_library() is not None:
        return "llama-cpp-python"
    raise Missing(
        f"{made.label}{' with an importance matrix' if importance else ''} can't be made here.",
        "Only llama.cpp's own program llama-quantize makes it, and it is nowhere to be found.",
        "Install llama.cpp so that llama-quantize is on the PATH, or choose another size.",
    )


def _with_llama_cpp(
    engine: Engine, source: Path, output: Path, mix: Quantisation, progress: Progress, importance: Path | None
) -> None:
    if engine == "llama-quantize":
        options = [] if importance is None else ["--imatrix", str(importance)]
        command = [str(find_tool("llama-quantize")), *options, str(source), str(output), FORMATS[mix].label]
    else:
        script = Path(__file__).with_name("llama_library.py")
        command = [sys.executable, "-P", str(script), str(find_library()), str(source), str(output)]
        command.append(str(FORMATS[mix].file_type))

    def on_text(text: str) -> None:
        for done, total in _DONE_OF_ALL.findall(text):
            progress(min(1.0, int(done) / max(1, int(total))))

    run_tool(command, output, on_text)


def _type_name(number: int) -> str:
    return GgmlType(number).name if number in GgmlType.__members__.values() else str(number)


def quantise_by_rows(
    source: Path,
    output: Path,
    mix: Mix,
    progress: Progress = lambda _fraction: None,
    engine: RowEngine | None = None,
) -> None:
    """The same without llama.cpp's program: its types, order and metadata, and a quantiser of rows on every core.

    Memory: about 12 MB for each core, whatever the model's size.
    """
    if mix not in get_args(Mix):
        raise ValueError(f"{mix} is made by llama.cpp alone")
    quantise_rows = row_quantiser(engine or row_engine())
    model = read_gguf(source)
    types = choose_types(model, mix)
    tensors = in_llama_order(model.tensors)
    plan = [
        PlannedTensor(tensor.name, tensor.shape, types[tensor.name], _size(tensor, types[tensor.name]))
        for tensor in tensors
    ]
    total = sum(tensor.rows * tensor.row_length for tensor in tensors)
    pieces = (piece for tensor in tensors for piece in _pieces(tensor, types[tensor.name]))
    done = 0
    convert = partial(_converted, model.path, quantise_rows)
    with output.open("wb") as file, EarlyFlush(file) as flush:
        writer = GgufWriter(file, _entries(model, mix), plan)
        for piece, data in in_order(convert, pieces):
            writer.write(data)
            flush.wrote(data.nbytes)
            if piece.ends:
                writer.pad()
            done += piece.elements
            progress(done / total)


def _pieces(tensor: GgufTensor, kind: GgmlType) -> Iterator[_Piece]:
    rows_at_once = max(1, _PIECE_ELEMENTS // tensor.row_length)
    for first in range(0, tensor.rows, rows_at_once):
        yield _Piece(tensor, kind, first, min(rows_at_once, tensor.rows - first))


def _size(tensor: GgufTensor, kind: GgmlType) -> int:
    return tensor.rows * (tensor.row_length // BLOCK_LENGTH[kind]) * BLOCK_BYTES[kind]


def _entries(model: GgufFile, mix: Mix) -> dict[str, tuple[int, bytes]]:
    """The model's metadata; what says how it is quantised goes to the end, as llama.cpp does it."""
    renewed = {
        "general.quantization_version": uint32(QUANTISATION_VERSION),
        "general.file_type": uint32(FORMATS[mix].file_type),
    }
    kept = {key: entry for key, entry in model.entries.items() if key not in renewed and key not in _SPLIT_KEYS}
    return kept | renewed


def _converted(path: Path, quantise_rows: RowQuantiser, piece: _Piece) -> memoryview:
    """The piece's bytes in its new type."""
    import numpy

    stored = _read_rows(path, piece)
    if piece.kind == piece.tensor.type:
        return memoryview(stored).cast("B")
    rows = _as_float32(stored, piece.tensor)
    # From 65520 on a number is infinite in F16.
    if not numpy.isfinite(rows).all() or (piece.kind == GgmlType.F16 and abs(rows).max() >= 65520):
        raise BadInput(
            f"{piece.tensor.name} holds numbers that are infinite or undefined.",
            "The training went wrong, or they are too large for an F16 file (above 65504).",
            "Export this model as bf16 and without f16: then all sizes are made from the BF16 file.",
        )
    return memoryview(quantise_rows(rows, piece.kind)).cast("B")


def _read_rows(path: Path, piece: _Piece) -> Any:
    """The rows as stored: an array (rows, row length) of 4- or 2-byte numbers."""
    import numpy

    tensor = piece.tensor
    formats: dict[int, type[Any]] = {
        GgmlType.F32: numpy.float32,
        GgmlType.F16: numpy.float16,
        GgmlType.BF16: numpy.uint16,
    }
    if tensor.type not in formats:
        raise BadInput(
            f"{path} is quantised already.", f"{tensor.name} is no 16-bit tensor.", "Quantise from the F16 file."
        )
    dtype = numpy.dtype(formats[tensor.type])
    start = tensor.start + piece.first * tensor.row_length * dtype.itemsize
    numbers = numpy.fromfile(path, dtype=dtype, count=piece.elements, offset=start)
    if numbers.size != piece.elements:
        raise BadInput(f"{path} is cut short.", f"It ends inside {tensor.name}.", "Export it again.")
    return numbers.reshape(piece.rows, tensor.row_length)


def _as_float32(stored: Any, tensor: GgufTensor) -> Any:
    import numpy

    if tensor.type == GgmlType.BF16:
        return (stored.astype(numpy.uint32) << 16).view(numpy.float32)
    return stored.astype(numpy.float32, copy=False)
