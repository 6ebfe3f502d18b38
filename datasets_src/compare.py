"""What differs between two versions of a dataset: rows that came, went, changed, or moved between the parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from datasets_src.rows import Part, Row
from datasets_src.store import DatasetVersion

EXAMPLES = 20
ORIGIN = ("source", "row", "group")


@dataclass(frozen=True)
class Change:
    """One row before and after: `before` is None for a new row, `after` for one that went."""

    source: str
    row: int
    before: Row | None
    after: Row | None


@dataclass(frozen=True)
class Comparison:
    """Counts of rows (copies made by weights aside), and the first examples of each kind of change.

    `moved`: the same row in the other part. A row is known by its source and number, and where these differ by what
    it says.
    """

    first: str
    second: str
    same: int
    added: int
    removed: int
    changed: int
    moved: int
    examples: dict[str, list[Change]]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Known:
    """Where a row is found again: its part, its place in the file, and what it says."""

    part: Part
    offset: int
    content: int


def compare(first: DatasetVersion, second: DatasetVersion) -> Comparison:
    """Compare two versions. Only what tells rows apart is held in memory, not the rows."""
    before, after = _known_rows(first), _known_rows(second)
    contents = {known.content for known in before.values()}
    contents_after = {known.content for known in after.values()}
    counts = dict.fromkeys(("same", "added", "removed", "changed", "moved"), 0)
    examples: dict[str, list[Change]] = {name: [] for name in counts if name != "same"}
    for origin, known in after.items():
        earlier = before.get(origin)
        kind = _kind_of_change(earlier, known, contents)
        counts[kind] += 1
        if kind != "same" and len(examples[kind]) < EXAMPLES:
            was = _read(first, earlier) if earlier is not None and kind != "added" else None
            examples[kind].append(Change(*origin, was, _read(second, known)))
    for origin, known in before.items():
        if origin not in after and known.content not in contents_after:
            counts["removed"] += 1
            if len(examples["removed"]) < EXAMPLES:
                examples["removed"].append(Change(*origin, _read(first, known), None))
    return Comparison(first.id, second.id, **counts, examples=examples)


def _kind_of_change(earlier: _Known | None, known: _Known, contents: set[int]) -> str:
    if earlier is None:
        return "same" if known.content in contents else "added"
    if earlier.content != known.content:
        return "changed"
    return "same" if earlier.part == known.part else "moved"


def _known_rows(version: DatasetVersion) -> dict[tuple[str, int], _Known]:
    return dict(_scan(version))


def _scan(version: DatasetVersion) -> Iterator[tuple[tuple[str, int], _Known]]:
    parts: tuple[Part, ...] = ("train", "eval")
    for part in parts:
        offset = 0
        with (version.folder / f"{part}.jsonl").open("rb") as file:
            for line in file:
                row = orjson.loads(line)
                said = orjson.dumps({name: value for name, value in row.items() if name not in ORIGIN})
                yield (row["source"], row["row"]), _Known(part, offset, hash(said))
                offset += len(line)


def _read(version: DatasetVersion, known: _Known) -> Row:
    with (version.folder / f"{known.part}.jsonl").open("rb") as file:
        file.seek(known.offset)
        return dict(orjson.loads(file.readline()))
