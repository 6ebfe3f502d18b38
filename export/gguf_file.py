"""Reading and writing the GGUF container: metadata kept as raw bytes, tensors one at a time.

The format is described at https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The `gguf` package builds a Python
object for every entry of the vocabulary, which takes seconds; copying needs none of them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from jobs.errors import BadInput

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_UINT32, _STRING, _ARRAY = 4, 8, 9
_VERSION = 3
_ALIGNMENT = 32


@dataclass(frozen=True)
class GgufTensor:
    """`shape` as llama.cpp has it: the row length first. `type` is a ggml type number; `start` counts from the
    file's beginning."""

    name: str
    shape: tuple[int, ...]
    type: int
    start: int

    @property
    def row_length(self) -> int:
        return self.shape[0]

    @property
    def rows(self) -> int:
        return prod(self.shape[1:])

    @property
    def dimensions(self) -> int:
        """How many there are once trailing ones are left out."""
        return max((number + 1 for number, size in enumerate(self.shape) if size > 1), default=1)


@dataclass(frozen=True)
class GgufFile:
    """`entries`: the metadata, each value as its type number and raw bytes."""

    path: Path
    entries: dict[str, tuple[int, bytes]]
    tensors: tuple[GgufTensor, ...]

    def value(self, key: str) -> Any:
        """A number, text, truth value or list from the metadata; None when there is no such entry."""
        if key not in self.entries:
            return None
        kind, raw = self.entries[key]
        return _decode(kind, memoryview(raw), 0)[0]


def read_gguf(path: Path) -> GgufFile:
    """Read metadata and the list of tensors. Raises BadInput for a file that is no GGUF or is cut short."""
    import mmap

    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise BadInput(f"{path} is no GGUF file.", "It doesn't begin with GGUF.", "Export it again.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                return _parse(path, content)
            except (struct.error, IndexError) as error:
                raise BadInput(f"{path} is cut short.", str(error), "Export it again.") from error


def _parse(path: Path, content: Any) -> GgufFile:
    _, tensor_count, entry_count = struct.unpack_from("<IQQ", content, 4)
    position = 24
    entries: dict[str, tuple[int, bytes]] = {}
    for _ in range(entry_count):
        key, position = _text(content, position)
        (kind,) = struct.unpack_from("<I", content, position)
        end = _skip(kind, content, position + 4)
        entries[key] = (kind, content[position + 4 : end])
        position = end
    infos = []
    for _ in range(tensor_count):
        name, position = _text(content, position)
        (count,) = struct.unpack_from("<I", content, position)
        *shape, kind, offset = struct.unpack_from(f"<{count}QIQ", content, position + 4)
        position += 4 + 8 * count + 12
        infos.append((name, tuple(shape), kind, offset))
    alignment = (
        struct.unpack("<I", entries["general.alignment"][1])[0] if "general.alignment" in entries else _ALIGNMENT
    )
    data = position + -position % alignment
    return GgufFile(
        path, entries, tuple(GgufTensor(name, shape, kind, data + offset) for name, shape, kind, offset in infos)
    )


def _text(content: Any, position: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", content, position)
    end = position + 8 + length
    return bytes(content[position + 8 : end]).decode("utf-8", errors="surrogateescape"), end


def _skip(kind: int, content: Any, position: int) -> int:
    """Where the value of `kind` that begins at `position` ends."""
    if kind == _STRING:
        return int(position + 8 + struct.unpack_from("<Q", content, position)[0])
    if kind != _ARRAY:
        return position + struct.calcsize(_SCALARS[kind])
    inner, count = struct.unpack_from("<IQ", content, position)
    position += 12
    if inner in _SCALARS:
        return int(position + count * struct.calcsize(_SCALARS[inner]))
    for _ in range(count):
        position = _skip(inner, content, position)
    return position


def _decode(kind: int, content: memoryview, position: int) -> tuple[Any, int]:
    if kind == _STRING:
        return _text(content, position)
    if kind != _ARRAY:
        return struct.unpack_from(_SCALARS[kind], content, position)[0], _skip(kind, content, position)
    inner, count = struct.unpack_from("<IQ", content, position)
    position += 12
    values = []
    for _ in range(count):
        value, position = _decode(inner, content, position)
        values.append(value)
    return values, position


def uint32(value: int) -> tuple[int, bytes]:
    """A metadata entry that holds a number."""
    return _UINT32, struct.pack("<I", value)


@dataclass(frozen=True)
class PlannedTensor:
    """A tensor to write; `size` in bytes."""

    name: str
    shape: tuple[int, ...]
    type: int
    size: int


class GgufWriter:
    """Writes a GGUF whose metadata and tensors' sizes are known beforehand; the tensors follow one by one."""

    def __init__(self, file: BinaryIO, entries: dict[str, tuple[int, bytes]], tensors: list[PlannedTensor]) -> None:
        self._file = file
        self._alignment = struct.unpack("<I", entries.get("general.alignment", uint32(_ALIGNMENT))[1])[0]
        parts = [b"GGUF", struct.pack("<IQQ", _VERSION, len(tensors), len(entries))]
        for key, (kind, raw) in entries.items():
            parts += [_packed_text(key), struct.pack("<I", kind), raw]
        offset = 0
        for tensor in tensors:
            numbers = struct.pack(f"<I{len(tensor.shape)}QIQ", len(tensor.shape), *tensor.shape, tensor.type, offset)
            parts += [_packed_text(tensor.name), numbers]
            offset += tensor.size + -tensor.size % self._alignment
        self._file.write(b"".join(parts))
        self.pad()

    def write(self, data: Any) -> None:
        """Append a part of the current tensor."""
        self._file.write(data)

    def pad(self) -> None:
        """End the current tensor: the next one begins at a multiple of the alignment."""
        self._file.write(b"\0" * (-self._file.tell() % self._alignment))


def _packed_text(text: str) -> bytes:
    raw = text.encode("utf-8", errors="surrogateescape")
    return struct.pack("<Q", len(raw)) + raw
