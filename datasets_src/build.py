"""From a DatasetSpec to a version: read → check → de-duplicate → group → split → mix → write.

As jobs: kind `data.build` (`run`) publishes a version; `data.check` (`run_check`) writes the same files into the job's
own folder, to look at before anything is built.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets_src.arrange import Arranged, arrange
from datasets_src.card import make_card
from datasets_src.collect import Collector, Progress, Resolve, Watch
from datasets_src.pool import Preparation
from datasets_src.report import findings_in_words, make_report
from datasets_src.sources import find_sources
from datasets_src.spec import DatasetSpec
from datasets_src.store import DatasetVersion, Description, list_versions, publish, write_description
from datasets_src.table import RowTable, Scratch
from datasets_src.write import write_rows
from jobs.context import JobContext
from jobs.files import write_json, write_text
from jobs.workspace import Workspace

# Shares of the progress bar: reading takes most of the time.
READ, ARRANGED = 0.75, 0.9


def _no_progress(_fraction: float | None, _message: str) -> None:
    """Nobody watches."""


def _never_stop() -> None:
    """Nobody can ask to stop."""


def _unrecorded(_name: str, value: Any, _origin: str) -> Any:
    """Nobody records what was decided."""
    return value


@dataclass(frozen=True)
class BuiltVersion:
    """A published version and this build's own report: another spec may have made the same rows before."""

    version: DatasetVersion
    report: dict[str, Any]


def build(
    spec: DatasetSpec,
    workspace: Workspace,
    progress: Progress = _no_progress,
    *,
    base: Path | None = None,
    check_stop: Callable[[], None] = _never_stop,
    resolve: Resolve = _unrecorded,
) -> DatasetVersion:
    """Build a dataset and publish it. The same spec on the same sources gives the same version, bit for bit.

    `base`: where relative paths start (the workspace unless given). `check_stop` is called between units of work and
    may raise; `resolve(name, value, origin)` is told every value that was decided on the way.
    Raises BadInput for sources, rows or groups that can't be used, Missing for absent ones, OutOfRoom for a full disk.
    """
    return build_with_report(spec, workspace, base, Watch(progress, check_stop, resolve)).version


def build_with_report(spec: DatasetSpec, workspace: Workspace, base: Path | None, watch: Watch) -> BuiltVersion:
    """As `build`, which see; with the report of this very build."""
    with _scratch(workspace) as scratch, Preparation() as preparation:
        arranged = _arranged(spec, workspace, base, watch, scratch, preparation)
        report = make_report(arranged.built)
        watch.check_stop()
        watch.progress(ARRANGED, "Writing the version")
        version = publish(
            workspace,
            spec.name,
            arranged.bytes_needed,
            lambda folder: write_rows(folder, arranged.built.arrangement),
            lambda version: _described(spec, report, version, arranged),
        )
    watch.progress(1.0, f"Built {version.id}")
    return BuiltVersion(version, report)


def check(
    spec: DatasetSpec,
    workspace: Workspace,
    folder: Path,
    progress: Progress = _no_progress,
    *,
    base: Path | None = None,
    check_stop: Callable[[], None] = _never_stop,
    resolve: Resolve = _unrecorded,
) -> dict[str, Any]:
    """Do all that a build does but for publishing: the rows are written into `folder`. Gives the report.

    Rows that can't be used are left out and listed instead of stopping. Raises as `build` does.
    """
    watch = Watch(progress, check_stop, resolve)
    decided = {name: remedy for name, remedy in spec.remedies.items() if remedy != "stop"}
    looking = spec.model_copy(update={"on_bad_rows": "skip", "remedies": decided})
    folder.mkdir(parents=True, exist_ok=True)
    with _scratch(workspace) as scratch, Preparation() as preparation:
        arranged = _arranged(looking, workspace, base, watch, scratch, preparation, asked=spec)
        report = make_report(arranged.built)
        progress(ARRANGED, "Writing what was found")
        version = write_rows(folder, arranged.built.arrangement)
        write_description(folder, _described(spec, report, version, arranged))
    progress(1.0, "Checked")
    return report


def _scratch(workspace: Workspace) -> Scratch:
    folder = workspace.cache / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return Scratch(folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl")


def _arranged(
    spec: DatasetSpec,
    workspace: Workspace,
    base: Path | None,
    watch: Watch,
    scratch: Scratch,
    preparation: Preparation,
    asked: DatasetSpec | None = None,
) -> Arranged:
    """Read everything and arrange it. `asked`: the spec whose remedies the report shows, where it is another."""
    base = base or workspace.root
    sources = find_sources(spec.sources, base, workspace)
    collector = Collector(spec, workspace, watch, RowTable(scratch), preparation, sources)
    for source in sources:
        collector.read(source)
    collector.refuse_what_cannot_be_built()
    watch.progress(READ, "Comparing rows")
    return arrange(spec, asked or spec, collector, base, workspace)


def _described(spec: DatasetSpec, report: dict[str, Any], version: str, arranged: Arranged) -> Description:
    return Description(report, make_card(report, version, arranged.example), spec.to_yaml())


def run(context: JobContext) -> dict[str, Any]:
    """The job `data.build`. Its spec is a DatasetSpec; its figures name the version."""
    spec = DatasetSpec.parse(context.spec, where="the dataset spec")
    context.resolve("seed", spec.seed, "the spec")
    before = {version.id for version in list_versions(context.workspace, spec.name)}
    watch = Watch(context.progress, context.check_stop, context.resolve)
    built = build_with_report(spec, context.workspace, context.workspace.root, watch)
    version, report = built.version, built.report
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


def run_check(context: JobContext) -> dict[str, Any]:
    """The job `data.check`. Its figures name the folder that holds the rows and the report."""
    spec = DatasetSpec.parse(context.spec, where="the dataset spec")
    folder = context.path / "rows"
    report = check(
        spec,
        context.workspace,
        folder,
        context.progress,
        base=context.workspace.root,
        check_stop=context.check_stop,
    )
    context.artifact(folder)
    for sentence in [*report["summary"], *report["warnings"]]:
        context.log(sentence)
    found = {each["name"]: each["count"] for each in report["checks"] if each["count"]}
    return {
        "folder": str(folder),
        "rows": report["rows"],
        "summary": report["summary"],
        "warnings": report["warnings"],
        "found": found,
        "findings": findings_in_words(report["checks"]),
    }
