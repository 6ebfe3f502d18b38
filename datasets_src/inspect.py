"""A look at a file before anything is built from it: its format and why, its columns, its problems, its first rows.

Light enough for the page's own process: no model library is imported.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from datasets_src.formats import check_mapping, detect, rename
from datasets_src.readers import read_rows
from datasets_src.rows import Problem, Row
from datasets_src.sources import ROWS_TO_DETECT_BY, SourceFile, columns_of, find_sources, open_source
from datasets_src.spec import FormatName, SourceSpec

SAMPLES = 5
LISTED_PROBLEMS = 50


@dataclass(frozen=True)
class Inspection:
    """What a file holds. `format` is None when no known format fits; then `raw_rows` help to map the columns.

    `rows` counts all rows, `bad` those that can't be used; `problems` lists the first of their faults. `samples` are
    the first usable rows as the training would get them. `complete` is False when reading stopped at a limit.
    """

    path: Path
    format: FormatName | None
    title: str
    evidence: str
    columns: tuple[str, ...]
    rows: int
    bad: int
    problems: tuple[Problem, ...]
    samples: tuple[Row, ...]
    raw_rows: tuple[dict[str, Any], ...]
    turns: dict[int, int]
    complete: bool = True

    def as_json(self) -> dict[str, Any]:
        """The inspection as JSON values (values that only Parquet knows become text where it is written)."""
        return {**asdict(self), "path": str(self.path)}


def inspect_file(
    path: Path, *, format: FormatName = "auto", columns: dict[str, str] | None = None, max_rows: int | None = None
) -> Inspection:
    """Look at a file as a build would read it. `max_rows` stops early on large files.

    Raises BadInput or Missing when the file can't be read, or lacks the columns that `format` or `columns` name.
    """
    source = SourceSpec.parse({"path": str(path), "format": format, "columns": columns or {}})
    file = find_sources([source], Path.cwd())[0]
    first = list(islice(read_rows(file.path), ROWS_TO_DETECT_BY))
    known = columns_of(first)
    raw_rows = tuple(row.values for row in first if row.values)[:SAMPLES]
    check_mapping(file.label, source.columns, known)
    detection = detect(list(rename(dict.fromkeys(known), source.columns)[0]))
    if known and format == "auto" and detection.format is None:
        rows = sum(1 for _ in islice(read_rows(file.path), max_rows))
        return Inspection(path, None, "", detection.evidence, known, rows, 0, (), (), raw_rows, {}, rows != max_rows)
    return _read_through(file, raw_rows, max_rows)


def _read_through(file: SourceFile, raw_rows: tuple[dict[str, Any], ...], max_rows: int | None) -> Inspection:
    """Convert and check the rows, up to the limit, and gather what they show."""
    opened = open_source(file)
    problems: list[Problem] = []
    samples: list[Row] = []
    turns: Counter[int] = Counter()
    rows = bad = 0
    for outcome in islice(opened.outcomes, max_rows):
        rows += 1
        problems += outcome.problems[: LISTED_PROBLEMS - len(problems)]
        if outcome.row is None or outcome.prepared is None:
            bad += 1
            continue
        turns[len(outcome.row["messages"])] += 1
        if len(samples) < SAMPLES:
            samples.append({**outcome.row, "group": outcome.prepared.given_group or outcome.prepared.opening})
    return Inspection(
        path=file.path,
        format=opened.format.name,
        title=opened.format.title,
        evidence=opened.evidence,
        columns=opened.columns,
        rows=rows,
        bad=bad,
        problems=tuple(problems),
        samples=tuple(samples),
        raw_rows=raw_rows,
        turns=dict(sorted(turns.items())),
        complete=next(opened.outcomes, None) is None,
    )
