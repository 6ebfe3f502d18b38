"""From a DatasetSpec to a published version: read → convert → check → de-duplicate → group → split → weigh → store.

As a job: kind `data.build`, function `run`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets_src.card import make_card
from datasets_src.duplicates import Deduplicator, find_contradictions
from datasets_src.report import LISTED_PROBLEMS, Parts, SourceCounts, count, make_report
from datasets_src.rows import PreparedRow, Problem
from datasets_src.sources import Outcome, SourceFile, find_sources, open_source
from datasets_src.spec import DatasetSpec
from datasets_src.split import group_names, sample, shuffled, split_groups, weighted
from datasets_src.store import Contents, DatasetVersion, content_version, list_versions, publish
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.files import sha256, write_json, write_text
from jobs.workspace import Workspace

Progress = Callable[[float | None, str], None]
Resolve = Callable[[str, Any, str], Any]

ROWS_BETWEEN_REPORTS = 2000
# Reading takes most of the time; the rest of the progress bar is for what follows.
READING_SHARE = 0.8
LISTED_IN_ERROR = 20


def _no_progress(_fraction: float | None, _message: str) -> None:
    """Nobody watches."""


def _never_stop() -> None:
    """Nobody can ask to stop."""


def _unrecorded(_name: str, value: Any, _origin: str) -> Any:
    """Nobody records what was decided."""
    return value


def build(
    spec: DatasetSpec,
    workspace: Workspace,
    progress: Progress = _no_progress,
    *,
    base: Path | None = None,
    check_stop: Callable[[], None] = _never_stop,
    resolve: Resolve = _unrecorded,
) -> DatasetVersion:
    """Build a dataset and publish it. The same spec on the same files gives the same version, bit for bit.

    `base`: where relative source paths start (the workspace unless given). `check_stop` is called between units of
    work and may raise; `resolve(name, value, origin)` is told every value that was decided on the way.
    Raises BadInput for files, rows or groups that can't be used, Missing for absent files, OutOfRoom for a full disk.
    """
    files = find_sources(spec.sources, base or workspace.root)
    collector = _Collector(spec, _Watch(progress, check_stop, resolve), Deduplicator(spec.deduplicate))
    for file in files:
        collector.read(file)
    collector.refuse_what_cannot_be_built()
    progress(READING_SHARE, "Splitting by group")
    contents = _arrange(spec, files, collector)
    check_stop()
    progress(0.9, "Writing the version")
    version = publish(workspace, contents)
    progress(1.0, f"Built {version.id}")
    return version


def run(context: JobContext) -> dict[str, Any]:
    """The job `data.build`. Its spec is a DatasetSpec; its figures name the version."""
    spec = DatasetSpec.parse(context.spec, where="the dataset spec")
    context.resolve("seed", spec.seed, "the spec")
    before = {version.id for version in list_versions(context.workspace, spec.name)}
    version = build(
        spec,
        context.workspace,
        context.progress,
        base=context.workspace.root,
        check_stop=context.check_stop,
        resolve=context.resolve,
    )
    report = version.report
    write_json(context.path / "report.json", report)
    write_text(context.path / "card.md", version.card)
    context.artifact(context.path / "report.json")
    context.artifact(context.path / "card.md")
    for sentence in [*report["summary"], *report["warnings"]]:
        context.log(sentence)
    new = version.id not in before
    if not new:
        context.log(f"These rows are {version.id}, which was there already; nothing was written twice.")
    return {
        "dataset": version.id,
        "name": version.name,
        "version": version.version,
        "folder": str(version.folder),
        "train_rows": version.train_rows,
        "eval_rows": version.eval_rows,
        "new": new,
        "summary": report["summary"],
        "warnings": report["warnings"],
    }


@dataclass(frozen=True)
class _Watch:
    """How a build tells what it does, and learns that it shall stop."""

    progress: Progress
    check_stop: Callable[[], None]
    resolve: Resolve

    def reading(self, place: int, sources: int, label: str, rows: int, fraction: float) -> None:
        self.check_stop()
        self.progress(READING_SHARE * (place + fraction) / sources, f"Reading {label}: {rows:,} rows")


@dataclass
class _Collector:
    """Reads source after source and keeps what is usable and distinct."""

    spec: DatasetSpec
    watch: _Watch
    duplicates: Deduplicator
    rows: list[PreparedRow] = field(default_factory=list)
    counts: list[SourceCounts] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)

    def read(self, file: SourceFile) -> None:
        """Add the rows of one source, at most as many as its cap."""
        spec, wanted = self.spec, file.spec
        self.watch.reading(file.place, len(spec.sources), file.label, 0, 0.0)
        opened = open_source(file, group_by=spec.group_by, system_prompt=spec.system_prompt)
        self.columns.update(opened.columns)
        self.watch.resolve(f"{file.label}: format", opened.format.name, opened.evidence)
        content = _content_hash(file, self.watch.resolve)
        counts = SourceCounts(file.label, content, opened.format.name, opened.evidence, wanted.tag, wanted.weight)
        self.counts.append(counts)
        dropped_before = self.duplicates.dropped
        distinct = self.duplicates.new_rows(self._usable(file, opened.outcomes, counts))
        kept = list(distinct) if wanted.max_rows is None else sample(distinct, wanted.max_rows, spec.seed)
        self.duplicates.keep(kept)
        counts.duplicates = self.duplicates.dropped - dropped_before
        counts.left_out = counts.read - counts.bad - counts.duplicates - len(kept)
        self.rows += kept

    def _usable(self, file: SourceFile, outcomes: Iterator[Outcome], counts: SourceCounts) -> Iterator[PreparedRow]:
        for outcome in outcomes:
            counts.read += 1
            if counts.read % ROWS_BETWEEN_REPORTS == 0:
                self.watch.reading(file.place, len(self.spec.sources), file.label, counts.read, outcome.fraction)
            if outcome.prepared is None:
                counts.bad += 1
                self.problems += outcome.problems[: max(0, LISTED_PROBLEMS - len(self.problems))]
            else:
                yield outcome.prepared

    def refuse_what_cannot_be_built(self) -> None:
        """Raise BadInput for unusable rows (unless they are to be skipped, and others are left) and for a group column
        that no row has.
        """
        bad = sum(counts.bad for counts in self.counts)
        if bad and (self.spec.on_bad_rows == "fail" or not self.rows):
            raise _unusable(bad, sum(counts.read for counts in self.counts), self.problems)
        column = self.spec.group_by
        if column != "prompt" and all(row.given_group is None for row in self.rows):
            raise BadInput(
                f"group_by names '{column}', but no row has a value in such a column.",
                f"The columns are {', '.join(sorted(self.columns))}.",
                "Name one of them, or `prompt`.",
            )


def _content_hash(file: SourceFile, resolve: Resolve) -> str:
    """The file's hash. Raises BadInput when a resumed job finds another content than its first attempt did."""
    content = sha256(file.path)
    if resolve(f"{file.label}: sha256", content, "the file as it was read") != content:
        raise BadInput(
            f"{file.path} was changed since this job was started.",
            "A resumed job has to read what its first attempt read.",
            "Start a new build instead.",
        )
    return content


def _unusable(bad: int, read: int, problems: Sequence[Problem]) -> BadInput:
    shown = problems[:LISTED_IN_ERROR]
    lines = "\n".join(f"  - {problem}" for problem in shown)
    more = "\n  - … and more" if len(problems) > len(shown) else ""
    return BadInput(
        f"{count(bad, 'row')} of {read:,} can't be used:\n{lines}{more}",
        "A broken or unanswered row teaches nothing, or something wrong.",
        "Mend the rows, or leave them out with `on_bad_rows: skip` (the report will list them).",
    )


def _arrange(spec: DatasetSpec, files: Sequence[SourceFile], collector: _Collector) -> Contents:
    """Group, split, weigh and order the rows, and describe the result."""
    rows = collector.rows
    groups = group_names(rows)
    groups_of_tag: defaultdict[str, set[str]] = defaultdict(set)
    for row, group in zip(rows, groups, strict=True):
        groups_of_tag[row.tag or ""].add(group)
    split = split_groups(groups_of_tag, spec.eval_fraction, spec.seed)
    group_of = {row.identity: group for row, group in zip(rows, groups, strict=True)}
    train = [row for row, group in zip(rows, groups, strict=True) if group not in split.eval_groups]
    held_out = [row for row, group in zip(rows, groups, strict=True) if group in split.eval_groups]
    weighed = _weigh(train, files, collector.counts, spec.seed)
    for row in held_out:
        collector.counts[row.source].eval += 1
    train_lines = [row.finished(group_of[row.identity]) for row in shuffled(weighed, spec.seed)]
    eval_lines = [row.finished(group_of[row.identity]) for row in shuffled([(row, 0) for row in held_out], spec.seed)]
    parts = Parts(train, held_out, len(train_lines), Counter(groups), split.eval_groups, split.one_sided_tags)
    contradictions = find_contradictions(rows, [file.label for file in files])
    report = make_report(spec, collector.counts, parts, contradictions, collector.problems)
    card = make_card(report, content_version(train_lines, eval_lines), train_lines[0])
    return Contents(spec.name, train_lines, eval_lines, report, card, spec.to_yaml())


def _weigh(
    train: Sequence[PreparedRow], files: Sequence[SourceFile], counts: Sequence[SourceCounts], seed: int
) -> list[tuple[PreparedRow, int]]:
    """The training rows with their copies, source by source."""
    lines = []
    for place, file in enumerate(files):
        own = [row for row in train if row.source == place]
        weighed = weighted(own, file.spec.weight, seed)
        counts[place].train = len(own)
        counts[place].train_weighted = len(weighed)
        lines += weighed
    return lines
