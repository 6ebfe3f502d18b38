"""From all rows to two parts: what is equal goes, groups are found and split, and only then weights come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets_src.between import (
    Between,
    Findings,
    cluster_nearly_equal_rows,
    drop_equal_rows,
    find_contradictions,
    find_leaks,
    find_overlaps,
    find_shared_passages,
    find_unusual_lengths,
)
from datasets_src.checks import BIT, CHECKS
from datasets_src.checks.between_rows import CONTAMINATION, EXACT_DUPLICATE
from datasets_src.collect import Collector, remedies_of
from datasets_src.hashing import Keys
from datasets_src.mix import balanced, shared_out, shuffled, weighted
from datasets_src.passages import passage_hashes
from datasets_src.report import Built, SourceCounts
from datasets_src.rows import compared_passages
from datasets_src.sources import find_sources, open_source
from datasets_src.spec import DatasetSpec, SourceSpec
from datasets_src.split import Groups, Split, find_groups, split_groups
from datasets_src.table import CAPPED, EVAL, LEFT_OUT, TRAIN, UNUSABLE, RowTable
from datasets_src.write import Arrangement
from jobs.errors import BadInput
from jobs.workspace import Workspace

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Arranged:
    """A dataset ready to be written: everything the report tells of, a line to show, and the room it takes."""

    built: Built
    example: bytes
    bytes_needed: int


def arrange(spec: DatasetSpec, asked: DatasetSpec, collector: Collector, base: Path, workspace: Workspace) -> Arranged:
    """Compare the rows, group and split them, and mix the training part. `asked`: whose remedies the report shows."""
    table, findings = collector.table, Findings()
    labels = [source.label for source in collector.sources]
    between = Between(table, collector.remedies, labels, findings)
    drop_equal_rows(between, [source.spec.max_rows for source in collector.sources], spec.seed)
    clusters = cluster_nearly_equal_rows(between, spec.near_duplicates) if spec.near_duplicates else None
    contradictions = find_contradictions(between)
    find_unusual_lengths(between)
    _leave_overlaps_out(spec, between, base, workspace, collector.watch.check_stop)
    rows = table.kept()
    _require_rows(rows)
    groups = find_groups(
        table.column("opening")[rows],
        table.column("group")[rows],
        table.groups.texts,
        clusters[rows] if clusters is not None else None,
    )
    split = split_groups(groups, table.column("tag")[rows], spec.eval_fraction, spec.seed, table.column("part")[rows])
    train, held_out = _parts(between, rows, groups, split)
    find_shared_passages(between, rows[train], rows[held_out], collector.watch.check_stop)
    train &= table.column("status")[rows] != LEFT_OUT
    _require_rows(rows[train])
    lines = _mixed(spec, table, rows[train])
    eval_lines = shuffled(*_identity(table), rows[held_out], spec.seed)
    arrangement = _arrangement(table, labels, rows, groups, lines, eval_lines)
    _count(collector.counts, table, rows[train], rows[held_out], lines)
    examples = {name: [asdict(problem) for problem in problems] for name, problems in collector.examples.items()}
    built = Built(
        spec=asked,
        kind=collector.kind,
        sources=collector.counts,
        arrangement=arrangement,
        train=rows[train],
        eval=rows[held_out],
        eval_groups=int(split.in_eval.sum()),
        one_sided_tags=[table.tags.texts[tag] for tag in split.one_sided_tags if tag >= 0],
        remedies=remedies_of(asked),
        counts=_found(table),
        examples={**examples, **findings.examples},
        contradictions=contradictions,
    )
    size = int(table.column("length")[np.concatenate([lines, eval_lines, arrangement.left_out])].sum())
    return Arranged(built, table.line(int(lines[0])) + b"}", size + 64 * (len(lines) + len(eval_lines)))


def _require_rows(rows: Places) -> None:
    if not len(rows):
        raise BadInput(
            "No row is left to train on.",
            "The checks and the sources' own split left out or set aside every one of them.",
            "Look at what the checks found, and keep some of it with `remedies`.",
        )


def _leave_overlaps_out(
    spec: DatasetSpec, between: Between, base: Path, workspace: Workspace, check_stop: Callable[[], None]
) -> None:
    """Rows that share a passage with what the dataset is to be kept clear of."""
    if not spec.contamination:
        return
    known = np.unique(np.concatenate([_passages_in(path, base, workspace) for path in spec.contamination]))
    between.apply(CONTAMINATION, find_overlaps(between, between.table.kept(), known, check_stop))


def _passages_in(path: str, base: Path, workspace: Workspace) -> NDArray[np.uint64]:
    """The passages of a file or dataset that is to be kept clear of; rows that can't be converted don't count."""
    (source,) = find_sources([SourceSpec(path=path)], base, workspace)
    opened = open_source(source)

    def texts() -> Any:
        from datasets_src.formats import rename

        for raw in opened.rows:
            row = opened.format.convert(rename(raw.values, opened.columns_used)[0])
            if raw.fault is None and not row.findings:
                yield from compared_passages(row)

    return passage_hashes(texts())


def _parts(between: Between, rows: Places, groups: Groups, split: Split) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of `rows` are for training and which for evaluation; leaking training rows go as the remedy says."""
    given = between.table.column("part")[rows]
    in_eval = split.in_eval[groups.of_row]
    leaking = in_eval & (given == TRAIN)
    find_leaks(between, rows[leaking])
    stays = between.table.column("status")[rows] != LEFT_OUT
    held_out = (in_eval & ~leaking) | (given == EVAL)
    return ~held_out & stays, held_out & stays


def _identity(table: RowTable) -> tuple[Keys, NDArray[Any], NDArray[Any]]:
    return table.column("key"), table.column("source"), table.column("number")


def _mixed(spec: DatasetSpec, table: RowTable, train: Places) -> Places:
    """The training lines: weights, then balance or shares, then their order."""
    keys, tags = table.column("key"), table.column("tag")
    lines = weighted(keys, train, table.column("source"), [source.weight for source in spec.sources], spec.seed)
    if spec.balance:
        lines = balanced(keys, lines, tags, spec.seed)
    elif spec.shares:
        lines = shared_out(keys, lines, tags, table.tags.texts, spec.shares, spec.seed)
    return shuffled(*_identity(table), lines, spec.seed)


def _arrangement(
    table: RowTable, labels: list[str], rows: Places, groups: Groups, lines: Places, eval_lines: Places
) -> Arrangement:
    group_of = np.full(len(table), -1, dtype=np.int64)
    group_of[rows] = groups.of_row
    status = table.column("status")
    left_out = np.flatnonzero((status == LEFT_OUT) | (status == UNUSABLE))
    named = {"train": group_of[lines], "eval": group_of[eval_lines]}
    return Arrangement(table, labels, lines, eval_lines, left_out, groups, named)


def _found(table: RowTable) -> dict[str, int]:
    """How many rows each check found."""
    flags = table.column("flags")
    return {check.name: int((flags >> np.uint64(BIT[check.name]) & np.uint64(1)).sum()) for check in CHECKS}


def _count(counts: list[SourceCounts], table: RowTable, train: Places, held_out: Places, lines: Places) -> None:
    """What became of each source's rows."""
    status, source, flags = (table.column(name) for name in ("status", "source", "flags"))
    equal = (flags >> np.uint64(BIT[EXACT_DUPLICATE.name]) & np.uint64(1)).astype(bool)
    for place, own in enumerate(counts):
        here = source == place
        own.bad = int((here & (status == UNUSABLE)).sum())
        own.duplicates = int((here & (status == LEFT_OUT) & equal).sum())
        own.dropped = int((here & (status == LEFT_OUT) & ~equal).sum())
        own.left_out += int((here & (status == CAPPED)).sum())
        own.train = int((source[train] == place).sum())
        own.eval = int((source[held_out] == place).sum())
        own.train_weighted = int((source[lines] == place).sum())
