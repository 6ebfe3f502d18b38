"""Finding rows in a written dataset: any page of any filter, without reading what lies before it.

Works on a version's folder and on the folder of a check alike. Light enough for the page's own process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from datasets_src.rows import Row

if TYPE_CHECKING:
    import polars as pl

Part = Literal["train", "eval", "left_out"]
# A search stops after this many rows are found: nobody pages through more.
MOST_FOUND = 1000
SEARCHED_AT_ONCE = 16 * 2**20
BINS = 40
# What is filtered and paged by; the groups' names are left where they are.
COLUMNS = ["part", "offset", "length", "source", "row", "tag", "turns", "characters", "tokens", "language", "checks"]


@dataclass(frozen=True)
class Filter:
    """Which rows are wanted. Empty texts and None ask for nothing; `text` is sought in the rows, case aside."""

    part: Part = "train"
    text: str = ""
    check: str = ""
    tag: str = ""
    source: str = ""
    language: str = ""


@dataclass(frozen=True)
class Page:
    """Some rows, the place of each in its part (from 1), the names of the checks that found it, and its tokens (None
    where they weren't counted). `total` counts all rows of the filter; `more` when a search stopped before the end.
    """

    rows: list[Row]
    places: list[int]
    checks: list[list[str]]
    tokens: list[int | None]
    total: int
    more: bool = False


@dataclass(frozen=True)
class Histogram:
    """Numbers of rows between the edges (one more edge than numbers)."""

    edges: list[float]
    counts: list[int]


class Rows:
    """The rows in a folder that `write_rows` wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = _index(folder, (folder / "index.parquet").stat().st_mtime_ns)
        # The checks in the order of their bits when the rows were written: others may be installed by now.
        self.check_names = [str(check["name"]) for check in self.report["checks"]]

    def count(self, part: Part) -> int:
        """Lines of a part, copies made by weights included."""
        return int((self.index["part"] == part).sum())

    def page(self, wanted: Filter, start: int, size: int) -> Page:
        """`size` rows of the filter from the place `start` (from 0) on."""
        chosen = self._chosen(wanted)
        more = False
        if wanted.text:
            chosen, more = self._searched(chosen, wanted)
        shown = chosen.slice(start, size)
        rows = list(self._read(wanted.part, shown))
        return Page(
            rows=rows,
            places=[place + 1 for place in shown["place"].to_list()],
            checks=[self.names_of(flags) for flags in shown["checks"].to_list()],
            tokens=shown["tokens"].to_list(),
            total=len(chosen),
            more=more,
        )

    def row(self, part: Part, place: int) -> Row:
        """The row at a place (from 1) of a part. Raises IndexError beyond its end."""
        found = self._part(part).slice(place - 1, 1)
        if place < 1 or not len(found):
            raise IndexError(place)
        return next(self._read(part, found))

    def largest(self, part: Part, number: int) -> list[Row]:
        """The rows of a part with the most bytes."""
        return list(self._read(part, self._part(part).top_k(number, by="length")))

    def _part(self, part: Part) -> pl.DataFrame:
        return _part_of(self.folder, part, (self.folder / "index.parquet").stat().st_mtime_ns)

    def _chosen(self, wanted: Filter) -> pl.DataFrame:
        import polars as pl

        chosen = self._part(wanted.part)
        if wanted.check in self.check_names:
            bit = self.check_names.index(wanted.check)
            chosen = chosen.filter((pl.col("checks").cast(pl.Int64) // 2**bit) % 2 == 1)
        for column, value in (("tag", wanted.tag), ("source", wanted.source), ("language", wanted.language)):
            if value:
                chosen = chosen.filter(pl.col(column).cast(pl.String) == value)
        return chosen

    def _searched(self, chosen: pl.DataFrame, wanted: Filter) -> tuple[pl.DataFrame, bool]:
        """Rows that hold the text, and whether there may be more than were looked for."""
        # As it stands in the file: quotes and line ends are escaped there, letters are not.
        sought = orjson.dumps(wanted.text)[1:-1].decode().lower()
        wanted_places = set(chosen["place"].to_list()) if len(chosen) < self.count(wanted.part) else None
        found: list[int] = []
        for place in _lines_with(self.folder / f"{wanted.part}.jsonl", sought):
            if wanted_places is None or place in wanted_places:
                found.append(place)
                if len(found) == MOST_FOUND:
                    break
        return self._part(wanted.part)[found], len(found) == MOST_FOUND

    def _read(self, part: Part, shown: pl.DataFrame) -> Iterator[Row]:
        with (self.folder / f"{part}.jsonl").open("rb") as file:
            for offset, length in zip(shown["offset"].to_list(), shown["length"].to_list(), strict=True):
                file.seek(offset)
                yield orjson.loads(file.read(length))

    def names_of(self, flags: int) -> list[str]:
        """The names of the checks that a row's flags stand for."""
        return [name for bit, name in enumerate(self.check_names) if flags >> bit & 1]

    def values(self, column: Literal["tag", "source", "language"]) -> dict[str, int]:
        """The values of a column in the used rows and how many rows have each, the most frequent first."""
        import polars as pl

        counted = self._used().group_by(column).len().sort("len", descending=True)
        pairs = zip(counted[column].cast(pl.String).to_list(), counted["len"].to_list(), strict=True)
        return {value: number for value, number in pairs if value is not None}

    def histogram(self, column: Literal["tokens", "characters", "turns"]) -> Histogram:
        """How the lengths of training and evaluation rows are spread; no bars where they weren't counted."""
        import polars as pl

        values = self._used()[column].drop_nulls()
        if not len(values):
            return Histogram([], [])
        top = float(values.quantile(0.995) or 0) + 1  # a few giants would squeeze all others into one bar
        width = max(1.0, -(-top // BINS))
        edges = [width * place for place in range(int(top // width) + 2)]
        counts = [0] * (len(edges) - 1)
        binned = (values.cast(pl.Float64) // width).clip(0, len(counts) - 1).cast(pl.Int64).value_counts()
        for place, number in binned.iter_rows():
            counts[place] = number
        return Histogram(edges, counts)

    def _used(self) -> pl.DataFrame:
        import polars as pl

        return self.index.filter(pl.col("part").cast(pl.String) != "left_out")

    @property
    def report(self) -> dict[str, Any]:
        return dict(orjson.loads((self.folder / "report.json").read_bytes()))


@lru_cache(maxsize=4)
def _index(folder: Path, _modified_ns: int) -> pl.DataFrame:
    import polars as pl

    return pl.read_parquet(folder / "index.parquet", columns=COLUMNS)


@lru_cache(maxsize=8)
def _part_of(folder: Path, part: Part, modified_ns: int) -> pl.DataFrame:
    import polars as pl

    index = _index(folder, modified_ns)
    return index.filter(pl.col("part").cast(pl.String) == part).with_row_index("place")


def _lines_with(path: Path, sought: str) -> Iterator[int]:
    """The numbers (from 0) of the lines of a file that hold a text, case aside; many lines are looked at together."""
    before = 0
    with path.open("rb") as file:
        while block := file.read(SEARCHED_AT_ONCE):
            text = (block + file.readline()).decode("utf-8", "replace").lower()
            if sought in text:
                yield from (before + number for number, line in enumerate(text.split("\n")) if sought in line)
            before += text.count("\n")
