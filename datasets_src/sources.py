"""One source on its way to canonical rows: find the file, recognise its format, convert and check row by row.

Used by the build and by the inspection alike, so that the page shows exactly what a build will do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import orjson

from datasets_src.checks import check_conversation
from datasets_src.convert import Values
from datasets_src.formats import Detection, Format, check_mapping, choose, rename
from datasets_src.readers import check_file, read_rows
from datasets_src.rows import Conversation, Finding, PreparedRow, Problem, RawRow, Row, label, prepare
from datasets_src.spec import SourceSpec
from jobs.errors import BadInput, Missing, UserError

# How many rows decide on the format. Columns may be absent from single rows.
ROWS_TO_DETECT_BY = 100


@dataclass(frozen=True)
class SourceFile:
    """A source found on disk. `label` names it in rows and reports: as much of its path as tells it from the others.

    `place` is its place in the spec, from 0.
    """

    path: Path
    label: str
    spec: SourceSpec
    place: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row: the canonical row, still without its group, and ready for a build; or what is wrong."""

    number: int
    fraction: float
    row: Row | None
    prepared: PreparedRow | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class OpenSource:
    """A source whose format is known, and its rows, still to be read."""

    format: Format
    evidence: str
    columns: tuple[str, ...]
    outcomes: Iterator[Outcome]


def find_sources(sources: Sequence[SourceSpec], base: Path) -> list[SourceFile]:
    """The files of a spec; relative paths start at `base`. Raises one error that names all that can't be used."""
    paths = [(base / source.path).absolute() for source in sources]
    errors: list[UserError] = []
    for path in dict.fromkeys(paths):
        try:
            check_file(path)
        except UserError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        kind = Missing if all(isinstance(error, Missing) for error in errors) else BadInput
        lines = "\n".join(f"  - {error.what} {error.why}" for error in errors)
        raise kind(f"{len(errors)} files can't be used:\n{lines}", "Rows are to be read from them.", errors[0].fix)
    labels = _labels(paths)
    return [SourceFile(*found) for found in zip(paths, labels, sources, range(len(paths)), strict=True)]


def open_source(source: SourceFile, *, group_by: str = "prompt", system_prompt: str | None = None) -> OpenSource:
    """Recognise the format by the first rows, and hand out all rows as canonical ones. Raises BadInput or Missing."""
    raw_rows = read_rows(source.path)
    first = list(islice(raw_rows, ROWS_TO_DETECT_BY))
    columns = columns_of(first)
    if not columns:
        raise BadInput(
            f"{source.label} holds no row that can be read: row {first[0].number}: {_fault_in_words(first[0])}.",
            f"None of its first {len(first)} rows is an object with named fields.",
            "Check what kind of file it is.",
        )
    check_mapping(source.label, source.spec.columns, columns)
    renamed = list(rename(dict.fromkeys(columns), source.spec.columns)[0])
    detection = choose(source.label, source.spec.format, renamed)
    return _opened(source, detection, columns, chain(first, raw_rows), group_by, system_prompt)


def columns_of(rows: Sequence[RawRow]) -> tuple[str, ...]:
    """The names of all columns that the rows have, in the order of their first appearance."""
    return tuple(dict.fromkeys(str(name) for row in rows for name in row.values))


def _opened(
    source: SourceFile,
    detection: Detection,
    columns: tuple[str, ...],
    raw_rows: Iterator[RawRow],
    group_by: str,
    system_prompt: str | None,
) -> OpenSource:
    assert detection.format is not None, "choose() raises when no format fits"
    known = detection.format
    group_column = "group" if group_by == "prompt" else group_by

    def outcomes() -> Iterator[Outcome]:
        for raw in raw_rows:
            yield _outcome(source, known, raw, group_column, system_prompt)

    return OpenSource(known, detection.evidence, columns, outcomes())


def _outcome(source: SourceFile, known: Format, raw: RawRow, group_column: str, system_prompt: str | None) -> Outcome:
    if raw.fault is not None:
        return _unusable(source, raw, [raw.fault])
    values, hidden = rename(raw.values, source.spec.columns)
    conversation = known.convert(values)
    if system_prompt and conversation.messages and conversation.messages[0]["role"] != "system":
        conversation.messages.insert(0, {"role": "system", "content": system_prompt})
        conversation.fields.insert(0, "system_prompt")
    findings = check_conversation(conversation)
    if findings:
        return _unusable(source, raw, findings)
    row = _canonical(source, known, raw, conversation, values, hidden)
    try:
        given_group = label(values.get(group_column, raw.values.get(group_column)))
        prepared = prepare(row, source.place, given_group)
    except orjson.JSONEncodeError as error:
        # JSON may be read to a greater depth than it can be written.
        return _unusable(source, raw, [Finding("", "can't be written as JSON", str(error))])
    return Outcome(raw.number, raw.fraction, row, prepared, ())


def _unusable(source: SourceFile, raw: RawRow, findings: Sequence[Finding]) -> Outcome:
    """A row with its problems, each under the name that the file itself has for the field."""
    problems = tuple(
        Problem(
            source.label, raw.number, _own_name(finding.field, source.spec.columns), finding.what, finding.why, raw.line
        )
        for finding in findings
    )
    return Outcome(raw.number, raw.fraction, None, None, problems)


def _canonical(
    source: SourceFile, known: Format, raw: RawRow, conversation: Conversation, values: Values, hidden: Values
) -> Row:
    row: Row = {"messages": conversation.messages}
    if conversation.tools:
        row["tools"] = conversation.tools
    row.update(source=source.label, row=raw.number)
    tag = source.spec.tag or label(values.get("tag"))
    if tag:
        row["tag"] = tag
    extra = {name: value for name, value in values.items() if name not in known.columns and value is not None}
    extra.update({name: value for name, value in hidden.items() if value is not None})
    if extra:
        row["extra"] = extra
    return row


def _own_name(field: str, columns: dict[str, str]) -> str:
    """A field as the file itself calls it: `output` → `response`, `messages, turn 2` → `chat, turn 2`."""
    name, comma, rest = field.partition(",")
    return columns.get(name, name) + comma + rest


def _fault_in_words(raw: RawRow) -> str:
    return f"{raw.fault.what} ({raw.fault.why})" if raw.fault else "it has no fields"


def _labels(paths: Sequence[Path]) -> list[str]:
    """For each path the shortest tail that no other path has; the same file used twice gets a number."""
    labels = []
    for place, path in enumerate(paths):
        others = {other for other in paths if other != path}
        tail = next(
            (tail for tail in _tails(path) if not any(other.as_posix().endswith("/" + tail) for other in others)),
            path.as_posix(),
        )
        again = list(paths[:place]).count(path)
        labels.append(f"{tail}#{again + 1}" if again else tail)
    return labels


def _tails(path: Path) -> list[str]:
    parts = path.parts[1:]
    return ["/".join(parts[-length:]) for length in range(1, len(parts) + 1)]
