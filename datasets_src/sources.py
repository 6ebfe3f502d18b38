"""The places that rows come from: found, named, read, and their format recognised.

Used by the build and by the inspection alike, so that the page shows exactly what a build will do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from datasets_src.expansion import ExpansionSpec, read_expansion
from datasets_src.formats import Detection, Format, check_mapping, choose, detect
from datasets_src.readers import check_file, read_rows
from datasets_src.rows import Part, RawRow
from datasets_src.spec import DATASET, HUB, JOB, PAIRS, SourceSpec
from jobs.errors import BadInput, Missing, UserError
from jobs.files import sha256, write_text
from jobs.workspace import Workspace

# How many rows decide on the format. Columns may be absent from single rows.
ROWS_TO_DETECT_BY = 100
TRAIN_NAME = re.compile(r"(?:^|[^a-z])(?:train|training)(?:[^a-z]|$)")
EVAL_NAME = re.compile(r"(?:^|[^a-z])(?:eval|evaluation|test|validation|valid|val|dev|held_?out)(?:[^a-z]|$)")


@dataclass(frozen=True)
class Source:
    """A source that was found. `label` names it in rows and reports: as much of its path as tells it from the others.

    `place` is its place in the spec, from 0; `part` what all its rows are for, where that is known before reading.
    `read` gives its rows, `identity` what tells its content from any other (a file's hash, a version).
    """

    label: str
    spec: SourceSpec
    place: int
    part: Part | None
    read: Callable[[], Iterator[RawRow]]
    identity: Callable[[], str]


@dataclass(frozen=True)
class OpenSource:
    """A source whose format is known, and its rows, still to be read. `columns_used`: the mapping in effect."""

    format: Format
    evidence: str
    columns: tuple[str, ...]
    columns_used: dict[str, str]
    rows: Iterator[RawRow]


def find_sources(sources: Sequence[SourceSpec], base: Path, workspace: Workspace) -> list[Source]:
    """The sources of a spec; relative paths start at `base`. Raises one error that names all that can't be used."""
    files = [_file_of(source, base, workspace) for source in sources]
    _refuse_files([path for path in files if path is not None])
    labels = _labels(files, sources)
    parts = _parts(sources, files)
    return [
        Source(label, source, place, part, *_reading(source, path, workspace))
        for place, (label, source, part, path) in enumerate(zip(labels, sources, parts, files, strict=True))
    ]


def _file_of(source: SourceSpec, base: Path, workspace: Workspace) -> Path | None:
    """The file that a source is read from, None where it is none. Pasted text is kept as a file first."""
    if source.text is not None:
        return keep_pasted(source.text, workspace)
    assert source.path is not None
    if source.is_file:
        return (base / source.path).absolute()
    if source.path.startswith(JOB):
        job = workspace.job(source.path.removeprefix(JOB))
        rows = job.path / "rows.jsonl"
        if not rows.is_file():
            raise Missing(
                f"The job {job.id} made no rows.", f"There is no file {rows}.", "Name a job that writes rows."
            )
        return rows
    return None


def keep_pasted(text: str, workspace: Workspace) -> Path:
    """Pasted rows as a file, named by its content so that it is there when a build is repeated."""
    start = text.lstrip()[:1]
    ending = ".jsonl" if start == "{" else ".json" if start == "[" else ".csv"
    import hashlib

    path = workspace.cache / "pasted" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}{ending}"
    if not path.is_file():
        write_text(path, text.strip() + "\n")
    return path


def _reading(
    source: SourceSpec, path: Path | None, workspace: Workspace
) -> tuple[Callable[[], Iterator[RawRow]], Callable[[], str]]:
    """How a source's rows and its identity are read."""
    if path is not None:
        return lambda: (read_expansion if is_expansion(path) else read_rows)(path), lambda: sha256(path)
    name = str(source.path)
    if name.startswith(HUB):
        from datasets_src.readers.hub import hub_version, read_hub

        wanted = (name.removeprefix(HUB), source.config, source.split, source.revision)
        return lambda: read_hub(*wanted), lambda: hub_version(*wanted)
    if name.startswith(DATASET):
        from datasets_src.store import open_version, read_version

        version = open_version(workspace, name.removeprefix(DATASET))
        return lambda: read_version(version), lambda: version.version
    from datasets_src.interactions import InteractionFilter, interactions_version, read_interactions, read_votes

    chosen = InteractionFilter.parse(_plain(source.where), "where")
    pairs = name == PAIRS
    return (
        lambda: (read_votes if pairs else read_interactions)(workspace, chosen),
        lambda: interactions_version(workspace, chosen, pairs=pairs),
    )


def _plain(where: dict[str, str]) -> dict[str, Any]:
    """The values of `where` as YAML reads them: numbers as numbers."""
    import yaml

    return {name: yaml.safe_load(value) for name, value in where.items()}


def _refuse_files(paths: Sequence[Path]) -> None:
    errors: list[UserError] = []
    for path in dict.fromkeys(paths):
        try:
            if is_expansion(path):
                ExpansionSpec.load(path)
            else:
                check_file(path)
        except UserError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        kind = Missing if all(isinstance(error, Missing) for error in errors) else BadInput
        lines = "\n".join(f"  - {error.what} {error.why}" for error in errors)
        raise kind(f"{len(errors)} files can't be used:\n{lines}", "Rows are to be read from them.", errors[0].fix)


def is_expansion(path: Path) -> bool:
    """Whether a file holds a template that makes rows, rather than rows."""
    return path.suffix.lower() in (".yaml", ".yml")


def _parts(sources: Sequence[SourceSpec], files: Sequence[Path | None]) -> list[Part | None]:
    """What each source is for: as its spec says, else by file names where some say train and others eval or test."""
    named: list[Part | None] = []
    for source, path in zip(sources, files, strict=True):
        stem = path.stem.lower() if path is not None and source.is_file else ""
        named.append("eval" if EVAL_NAME.search(stem) else "train" if TRAIN_NAME.search(stem) else None)
    both = {"train", "eval"} <= set(named)
    return [
        (guess if both else None) if source.part == "auto" else source.part
        for source, guess in zip(sources, named, strict=True)
    ]


def open_source(source: Source) -> OpenSource:
    """Recognise the format by the first rows, and hand out all rows. Raises BadInput or Missing."""
    raw_rows = source.read()
    first = list(islice(raw_rows, ROWS_TO_DETECT_BY))
    columns = columns_of(first)
    if not columns:
        reason = _fault_in_words(first[0]) if first else "it is empty"
        raise BadInput(
            f"{source.label} holds no row that can be read: {reason}.",
            f"None of its first {len(first)} rows is an object with named fields.",
            "Check what kind of file it is.",
        )
    detection = detection_of(source, first)
    known = choose(source.label, detection)
    return OpenSource(known, detection.evidence, columns, detection.columns, chain(first, raw_rows))


def detection_of(source: Source, first: Sequence[RawRow]) -> Detection:
    """The format that a source's first rows speak for. Raises BadInput when its mapping names columns they lack."""
    check_mapping(source.label, source.spec.columns, columns_of(first))
    return detect([row.values for row in first if row.fault is None], source.spec.columns, source.spec.format)


def columns_of(rows: Sequence[RawRow]) -> tuple[str, ...]:
    """The names of all columns that the rows have, in the order of their first appearance."""
    return tuple(dict.fromkeys(str(name) for row in rows for name in row.values))


def _fault_in_words(raw: RawRow) -> str:
    return f"row {raw.number}: {raw.fault.what} ({raw.fault.why})" if raw.fault else f"row {raw.number} has no fields"


def _labels(files: Sequence[Path | None], sources: Sequence[SourceSpec]) -> list[str]:
    """For each file the shortest tail of its path that no other has; the same source used twice gets a number."""
    labels: list[str] = []
    paths = [path for path, source in zip(files, sources, strict=True) if path is not None and source.is_file]
    for path, source in zip(files, sources, strict=True):
        if source.text is not None:
            name = "pasted"
        elif source.is_file and path is not None:
            others = {other for other in paths if other != path}
            name = next(
                (tail for tail in _tails(path) if not any(other.as_posix().endswith("/" + tail) for other in others)),
                path.as_posix(),
            )
        else:
            name = str(source.path)
        again = sum(label.partition("#")[0] == name for label in labels)
        labels.append(f"{name}#{again + 1}" if again else name)
    return labels


def _tails(path: Path) -> list[str]:
    parts = path.parts[1:]
    return ["/".join(parts[-length:]) for length in range(1, len(parts) + 1)]
