"""A look at a source before anything is built from it: its format and why, its columns, its problems, its first rows.

Light enough for the page's own process: no model library is imported.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from datasets_src.checks import CHECKS, CheckSettings
from datasets_src.formats import Detection
from datasets_src.pool import BATCH_ROWS
from datasets_src.prepare import Recipe, prepare_batch
from datasets_src.rows import Kind, Problem, Row
from datasets_src.sources import (
    ROWS_TO_DETECT_BY,
    OpenSource,
    Source,
    columns_of,
    detection_of,
    find_sources,
    open_source,
)
from datasets_src.spec import FormatName, SourceSpec
from datasets_src.table import KEPT, UNUSABLE, Batch
from jobs.workspace import Workspace

SAMPLES = 5
LISTED_PROBLEMS = 50


@dataclass(frozen=True)
class Inspection:
    """What a source holds. `format` is None when no known format fits; then `raw_rows` help to map the columns.

    `rows` counts all rows, `bad` those that can't be used; `problems` lists the first of their faults; `found` counts
    the rows that each health check finds, by its name. `samples` are the first usable rows as the training would get
    them, `raw_rows` the first rows as they stand in the source. `mapping` gives the columns' names in effect.
    `complete` is False when reading stopped at a limit.
    """

    name: str
    format: FormatName | None
    title: str
    kind: Kind | None
    evidence: str
    columns: tuple[str, ...]
    mapping: dict[str, str]
    rows: int
    bad: int
    problems: tuple[Problem, ...]
    found: dict[str, int]
    samples: tuple[Row, ...]
    raw_rows: tuple[dict[str, Any], ...]
    turns: dict[int, int]
    complete: bool = True

    def as_json(self) -> dict[str, Any]:
        """The inspection as JSON values (values that only Parquet knows become text where it is written)."""
        return asdict(self)


def inspect_file(
    path: Path, *, format: FormatName = "auto", columns: dict[str, str] | None = None, max_rows: int | None = None
) -> Inspection:
    """Look at a file as a build would read it. `max_rows` stops early on large files.

    Raises BadInput or Missing when the file can't be read, or lacks the columns that `format` or `columns` name.
    """
    spec = SourceSpec.parse({"path": str(path), "format": format, "columns": columns or {}})
    return inspect_source(spec, Workspace.default(), max_rows=max_rows)


def inspect_source(
    spec: SourceSpec, workspace: Workspace, *, base: Path | None = None, max_rows: int | None = None
) -> Inspection:
    """The same for any source of a dataset; relative paths start at `base` (the current folder)."""
    (source,) = find_sources([spec], base or Path.cwd(), workspace)
    first = list(islice(source.read(), ROWS_TO_DETECT_BY))
    known = columns_of(first)
    raw_rows = tuple(row.values for row in first if row.values)[:SAMPLES]
    detection = detection_of(source, first) if known else None
    if known and spec.format == "auto" and detection is not None and detection.format is None:
        return _unknown(source, detection, known, raw_rows, max_rows)
    return _read_through(source, raw_rows, max_rows)


def _unknown(
    source: Source,
    detection: Detection,
    columns: tuple[str, ...],
    raw_rows: tuple[dict[str, Any], ...],
    max_rows: int | None,
) -> Inspection:
    rows = sum(1 for _ in islice(source.read(), max_rows))
    return Inspection(
        source.label, None, "", None, detection.evidence, columns, detection.columns, rows, 0, (), {}, (), raw_rows, {},
        rows != max_rows,
    )  # fmt: skip


def _read_through(source: Source, raw_rows: tuple[dict[str, Any], ...], max_rows: int | None) -> Inspection:
    """Convert and check the rows, up to the limit, and gather what they show."""
    opened = open_source(source)
    recipe = recipe_for(source, opened)
    problems: list[Problem] = []
    samples: list[Row] = []
    turns: Counter[int] = Counter()
    found: Counter[str] = Counter()
    rows = bad = 0
    limited = islice(opened.rows, max_rows)
    while some := list(islice(limited, BATCH_ROWS)):
        batch = prepare_batch(recipe, some)
        rows += len(some)
        bad += int((batch.columns["status"] == UNUSABLE).sum())
        stops = [example.problem for example in batch.examples if example.unusable]
        problems += stops[: LISTED_PROBLEMS - len(problems)]
        turns.update(batch.columns["turns"][batch.columns["status"] == KEPT].tolist())
        for bit, check in enumerate(CHECKS):
            found[check.name] += int((batch.columns["flags"] >> bit & 1).sum())
        if len(samples) < SAMPLES:
            samples += _samples(batch, SAMPLES - len(samples))
    return Inspection(
        name=source.label,
        format=opened.format.name,
        title=opened.format.title,
        kind=opened.format.kind,
        evidence=opened.evidence,
        columns=opened.columns,
        mapping=opened.columns_used,
        rows=rows,
        bad=bad,
        problems=tuple(problems),
        found={name: number for name, number in found.items() if number},
        samples=tuple(samples),
        raw_rows=raw_rows,
        turns=dict(sorted(turns.items())),
        complete=max_rows is None or rows < max_rows or next(opened.rows, None) is None,
    )


def recipe_for(source: Source, opened: OpenSource) -> Recipe:
    """Every check with its own default, without lengths and near-duplicates, which need more than a look."""
    return Recipe(
        place=0,
        label=source.label,
        format=opened.format.name,
        columns=opened.columns_used,
        tag=source.spec.tag,
        part=source.part,
        group_column="group",
        system_prompt=None,
        remedies={check.name: check.default for check in CHECKS},
        settings=CheckSettings(),
        near=None,
        tokenizer=None,
        max_length=None,
    )


def _samples(batch: Batch, most: int) -> list[Row]:
    """The first rows of a batch that can be used."""
    ends = batch.columns["length"].astype(int).cumsum().tolist()
    starts = [0, *ends[:-1]]
    usable = [place for place, status in enumerate(batch.columns["status"]) if status == KEPT]
    return [orjson.loads(batch.lines[starts[place] : ends[place]] + b"}") for place in usable[:most]]
