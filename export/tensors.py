"""Reading and writing safetensors one tensor at a time, so that memory doesn't grow with the model.

The format (https://github.com/huggingface/safetensors): 8 bytes little-endian length of a JSON header, the header
(name → dtype, shape, data_offsets), then the tensors' bytes. `safetensors.save_file` wants all tensors at once, hence
the writer here.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from export.overlap import EarlyFlush
from jobs.errors import BadInput, Missing

ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "BOOL": 1,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1,
}  # fmt: skip
# What can be added up.
MERGEABLE = ("F32", "F16", "BF16")
_COPY_BYTES = 16 << 20


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a safetensors file: `start` counts from the file's beginning, `size` is in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    size: int

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def rows(self) -> int:
        """How many there are along the first dimension; a single number is one row."""
        return self.shape[0] if self.shape else 1

    def read(self) -> bytearray:
        """The raw bytes."""
        return self.read_rows(0, self.rows)

    def read_rows(self, first: int, count: int) -> bytearray:
        """The raw bytes of `count` rows from `first` on."""
        each = self.size // max(1, self.rows)
        buffer = bytearray(each * count)
        with self.file.open("rb") as source:
            source.seek(self.start + each * first)
            if source.readinto(buffer) != len(buffer):
                raise damaged(self.file, "It ends in the middle of a tensor.")
        return buffer


@dataclass(frozen=True)
class Shard:
    """One safetensors file and the tensors in it, in the order they lie there."""

    file: Path
    tensors: tuple[StoredTensor, ...]


def damaged(file: Path, why: str) -> BadInput:
    return BadInput(f"{file} is damaged.", why, "Get or write it again, then repeat the export.")


def read_shard(file: Path) -> Shard:
    """The header of a safetensors file. Raises BadInput when the file can't be one or is cut short."""
    total = file.stat().st_size
    with file.open("rb") as source:
        prefix = source.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else total
        if length > total - 8:
            raise damaged(file, "Its header is cut short, or it is no safetensors file.")
        try:
            header = json.loads(source.read(length))
        except ValueError as error:
            raise damaged(file, f"Its header is not JSON ({error}).") from error
    header.pop("__metadata__", None)
    tensors = [_stored(file, name, entry, 8 + length) for name, entry in header.items()]
    tensors.sort(key=lambda tensor: tensor.start)
    if tensors and tensors[-1].start + tensors[-1].size > total:
        raise damaged(file, "It is shorter than its header says.")
    return Shard(file, tuple(tensors))


def _stored(file: Path, name: str, entry: dict[str, object], data_start: int) -> StoredTensor:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            if dtype in ITEM_BYTES and end - begin == prod(shape) * ITEM_BYTES[dtype] and begin >= 0:
                return StoredTensor(name, dtype, tuple(shape), file, data_start + begin, end - begin)
    raise damaged(file, f"Its header says nothing usable about {name}.")


def read_shards(folder: Path) -> list[Shard]:
    """All safetensors files of a model folder, in the order of their names.

    Raises Missing when there are none, or one that the index names is not there.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        names = [file.name for file in sorted(folder.glob("model*.safetensors"))]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing or not names:
        raise Missing(
            f"{folder} has no {', '.join(missing) or 'model.safetensors'}.",
            "Weights are read from safetensors only; other formats can run code when opened.",
            "Download the model again, or save it with save_pretrained(…, safe_serialization=True).",
        )
    return [read_shard(folder / name) for name in names]


class ShardWriter:
    """Writes a safetensors file whose tensors are known by name, dtype and shape beforehand, one after the other.

    `with ShardWriter(file, tensors) as writer: writer.write(pieces)` once per tensor, in order. Leaving the block
    before all are written is an error, except when an exception is on its way.
    """

    def __init__(self, file: Path, tensors: list[tuple[str, str, tuple[int, ...]]]) -> None:
        self._sizes = [prod(shape) * ITEM_BYTES[dtype] for _, dtype, shape in tensors]
        header: dict[str, object] = {"__metadata__": {"format": "pt"}}
        offset = 0
        for (name, dtype, shape), size in zip(tensors, self._sizes, strict=True):
            header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
            offset += size
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self._next = 0
        self._file: BinaryIO = file.open("wb")
        self._flush = EarlyFlush(self._file)
        self._file.write(struct.pack("<Q", len(text)) + text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            self._flush.__exit__(kind, error, trace)
        if kind is None and self._next != len(self._sizes):
            raise RuntimeError(f"{self._file.name}: {self._next} of {len(self._sizes)} tensors were written")

    def write(self, pieces: Iterable[memoryview]) -> None:
        """Append the next tensor, given in pieces."""
        size = 0
        for piece in pieces:
            self._file.write(piece)
            self._flush.wrote(piece.nbytes)
            size += piece.nbytes
        self._expect(size)

    def copy(self, tensor: StoredTensor) -> None:
        """Append the next tensor, unchanged from where it is stored."""
        self._expect(tensor.size)
        for piece in _pieces(tensor):
            self._file.write(piece)
            self._flush.wrote(len(piece))

    def _expect(self, size: int) -> None:
        expected = self._sizes[self._next]
        if size != expected:
            raise RuntimeError(f"{self._file.name}: tensor {self._next} has {size} bytes, its header says {expected}")
        self._next += 1


def _pieces(tensor: StoredTensor) -> Iterator[bytes]:
    left = tensor.size
    with tensor.file.open("rb") as source:
        source.seek(tensor.start)
        while left:
            piece = source.read(min(left, _COPY_BYTES))
            if not piece:
                raise damaged(tensor.file, "It ends in the middle of a tensor.")
            left -= len(piece)
            yield piece
