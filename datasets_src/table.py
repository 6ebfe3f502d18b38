"""All rows of a build, as columns of numbers beside a scratch file of their lines: memory stays small as rows grow."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from datasets_src.rows import Row

# What becomes of a row. CAPPED: beyond its source's cap; it is not shown as left out.
KEPT, LEFT_OUT, UNUSABLE, CAPPED = 0, 1, 2, 3
# What a row is for, where its source says so.
ANY_PART, TRAIN, EVAL = 0, 1, 2
NO_TEXT = -1  # of a tag or a group

COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("status", "part"), np.uint8),
    "source": np.uint16,
    "number": np.uint32,
    **dict.fromkeys(("key", "opening", "question", "answer", "flags"), np.uint64),
    "turns": np.uint16,
    **dict.fromkeys(("prompt_characters", "answer_characters", "length"), np.uint32),
    **dict.fromkeys(("tokens", "trained", "tag", "group", "language"), np.int32),
}


@dataclass
class Batch:
    """Prepared rows on their way from a worker: columns, lines one after another, and the texts that columns number."""

    columns: dict[str, NDArray[Any]]
    lines: bytes
    tags: list[str | None]
    groups: list[str | None]
    languages: list[str | None]
    bands: NDArray[Any] | None
    examples: list[Any]
    fraction: float


@dataclass
class Names:
    """Texts numbered in the order in which they first appear."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, text: str | None) -> int:
        return NO_TEXT if text is None else self.numbers.setdefault(text, len(self.numbers))

    def numbered(self, texts: Iterable[str | None]) -> NDArray[np.int32]:
        return np.fromiter((self.number(text) for text in texts), dtype=np.int32)

    @property
    def texts(self) -> list[str]:
        return list(self.numbers)


class Scratch:
    """Lines on disk while a build runs; removed at its end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("w+b")
        self._size = 0
        self._map: mmap.mmap | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._map is not None:
            self._map.close()
        self._file.close()
        self._path.unlink(missing_ok=True)

    def append(self, lines: bytes) -> int:
        """Where the appended lines begin."""
        start = self._size
        self._file.write(lines)
        self._size += len(lines)
        return start

    def read(self, offset: int, length: int) -> bytes:
        if self._map is None or len(self._map) < offset + length:
            self._file.flush()
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map[offset : offset + length]


class RowTable:
    """Collects batches, then hands out whole columns. A row is known by its place in them."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self.tags, self.groups, self.languages = Names(), Names(), Names()
        self._chunks: dict[str, list[NDArray[Any]]] = {name: [] for name in [*COLUMNS, "offset"]}
        self._bands: list[NDArray[Any]] = []

    def __len__(self) -> int:
        return sum(map(len, self._chunks["status"]))

    def add(self, batch: Batch) -> None:
        start = self.scratch.append(batch.lines)
        lengths = batch.columns["length"].astype(np.uint64)
        columns = {
            **batch.columns,
            "offset": start + np.cumsum(lengths) - lengths,
            "tag": self.tags.numbered(batch.tags),
            "group": self.groups.numbered(batch.groups),
            "language": self.languages.numbered(batch.languages),
        }
        for name, chunks in self._chunks.items():
            chunks.append(columns[name])
        if batch.bands is not None:
            self._bands.append(batch.bands)

    def column(self, name: str) -> NDArray[Any]:
        """A whole column, which may be written to."""
        chunks = self._chunks[name]
        if len(chunks) != 1:
            whole = np.concatenate(chunks) if chunks else np.empty(0, COLUMNS.get(name, np.uint64))
            self._chunks[name] = [whole]
        return self._chunks[name][0]

    @property
    def bands(self) -> NDArray[Any] | None:
        if len(self._bands) > 1:
            self._bands = [np.concatenate(self._bands)]
        return self._bands[0] if self._bands else None

    def keep_only(self, places: NDArray[np.int64]) -> None:
        """Forget all rows but these; their lines stay in the scratch file."""
        for name in self._chunks:
            self._chunks[name] = [self.column(name)[places]]
        if self.bands is not None:
            self._bands = [self.bands[places]]

    def flag(self, places: NDArray[Any], bit: int) -> None:
        """Note that a check found these rows (places or a mask)."""
        self.column("flags")[places] |= np.uint64(1 << bit)

    def kept(self) -> NDArray[np.int64]:
        """The places of the rows that are in so far."""
        return np.flatnonzero(self.column("status") == KEPT)

    def line(self, place: int) -> bytes:
        return self.scratch.read(int(self.column("offset")[place]), int(self.column("length")[place]))

    def row(self, place: int) -> Row:
        """The canonical row, read back."""
        return dict(orjson.loads(self.line(place) + b"}"))
