"""The files of a dataset version: its rows as JSON lines, and an index by which any of them is found at once.

train.jsonl  eval.jsonl  left_out.jsonl   one row a line
index.parquet   one line for each of their lines, in their order, with what a list of rows is filtered by
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from datasets_src.checks import names_of
from datasets_src.split import Groups
from datasets_src.table import RowTable

if TYPE_CHECKING:
    import pyarrow as pa

Places = NDArray[np.int64]
PARTS = ("train", "eval", "left_out")
ROW_FILES = (*(f"{part}.jsonl" for part in PARTS), "index.parquet")
INDEX_ROW_GROUP = 50_000


@dataclass(frozen=True)
class Arrangement:
    """The lines of each part as places in the table, in their order; `group_of` gives a place its group's number."""

    table: RowTable
    labels: list[str]
    train: Places
    eval: Places
    left_out: Places
    groups: Groups
    group_of: dict[str, NDArray[np.int64]]


def write_rows(folder: Path, arrangement: Arrangement) -> str:
    """Write the files into `folder`; the version that they make: 12 hexadecimal digits of the SHA-256 of both parts."""
    import pyarrow.parquet as pq

    digest = hashlib.sha256()
    lengths: dict[str, list[int]] = {}
    for part, lines in (("train", _train_lines(arrangement)), ("eval", _eval_lines(arrangement))):
        digest.update(part.encode() + b"\n")
        lengths[part] = write_lines(folder / f"{part}.jsonl", lines, digest)
    lengths["left_out"] = write_lines(folder / "left_out.jsonl", _left_out_lines(arrangement), None)
    pq.write_table(
        _index(arrangement, lengths), folder / "index.parquet", compression="zstd", row_group_size=INDEX_ROW_GROUP
    )
    return digest.hexdigest()[:12]


def write_lines(path: Path, lines: Iterator[bytes], digest: Any | None) -> list[int]:
    """Write finished lines to a new file; the length of each in bytes. `digest` is updated with them."""
    lengths = []
    with path.open("wb") as file:
        for line in lines:
            file.write(line)
            lengths.append(len(line))
            if digest is not None:
                digest.update(line)
    return lengths


def _train_lines(arrangement: Arrangement) -> Iterator[bytes]:
    return _with_group(arrangement, arrangement.train, arrangement.group_of["train"])


def _eval_lines(arrangement: Arrangement) -> Iterator[bytes]:
    return _with_group(arrangement, arrangement.eval, arrangement.group_of["eval"])


def _with_group(arrangement: Arrangement, places: Places, groups: NDArray[np.int64]) -> Iterator[bytes]:
    for place, group in zip(places.tolist(), groups.tolist(), strict=True):
        yield b'%s,"group":%s}\n' % (arrangement.table.line(place), orjson.dumps(arrangement.groups.name(group)))


def _left_out_lines(arrangement: Arrangement) -> Iterator[bytes]:
    flags = arrangement.table.column("flags")
    for place in arrangement.left_out.tolist():
        yield b'%s,"checks":%s}\n' % (arrangement.table.line(place), orjson.dumps(names_of(int(flags[place]))))


def _index(arrangement: Arrangement, lengths: dict[str, list[int]]) -> pa.Table:
    import pyarrow as pa

    table = arrangement.table
    parts = [arrangement.train, arrangement.eval, arrangement.left_out]
    places = np.concatenate(parts)
    sizes = [np.array(lengths[part], dtype=np.uint64) for part in PARTS]
    offsets = [np.cumsum(size) - size for size in sizes]
    groups = [
        *(
            arrangement.groups.name(group)
            for part in ("train", "eval")
            for group in arrangement.group_of[part].tolist()
        ),
        *[None] * len(arrangement.left_out),
    ]
    characters = table.column("prompt_characters")[places] + table.column("answer_characters")[places]
    return pa.table(
        {
            "part": _coded(np.repeat([0, 1, 2], [len(part) for part in parts]), list(PARTS)),
            "offset": np.concatenate(offsets),
            "length": np.concatenate(sizes).astype(np.uint32),
            "source": _coded(table.column("source")[places], arrangement.labels),
            "row": table.column("number")[places],
            "tag": _coded(table.column("tag")[places], table.tags.texts),
            "group": pa.array(groups, type=pa.string()),
            "turns": table.column("turns")[places],
            "characters": characters,
            "tokens": _known(table.column("tokens")[places]),
            "trained": _known(table.column("trained")[places]),
            "language": _coded(table.column("language")[places], table.languages.texts),
            "checks": table.column("flags")[places],
        }
    )


def _coded(codes: NDArray[Any], names: list[str]) -> pa.Array:
    """Numbered texts; a negative number is none."""
    import pyarrow as pa

    numbers = pa.array(codes.astype(np.int32), mask=codes.astype(np.int64) < 0)
    return pa.DictionaryArray.from_arrays(numbers, pa.array(names, type=pa.string()))


def _known(values: NDArray[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, mask=values < 0)
