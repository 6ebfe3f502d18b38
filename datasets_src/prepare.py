"""One batch of a source's rows: renamed, converted, checked, mended, counted. Runs in the build or in its workers.

A row depends on nothing but itself here, so that batches can be prepared side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from datasets_src.checks import BIT, CHECKS, ROW_CHECKS, Check, CheckSettings, Remedy
from datasets_src.checks.language import language_of
from datasets_src.checks.lengths import ANSWER_CUT, NOTHING_TRAINED, TEMPLATE_REFUSES
from datasets_src.formats import FORMATS, rename
from datasets_src.near_duplicates import signatures
from datasets_src.rows import (
    Candidate,
    Digest,
    Finding,
    Part,
    Problem,
    RawRow,
    Row,
    Turn,
    canonical,
    compared_text,
    conversations_of,
    digest,
    from_canonical,
    json_value,
    label,
)
from datasets_src.spec import EditSpec, FormatName
from datasets_src.table import ANY_PART, COLUMNS, EVAL, KEPT, LEFT_OUT, TRAIN, UNUSABLE, Batch
from models.chat_template import ChatTokenizer
from models.token_counts import TokenCount, count_tokens

UNREADABLE = "unreadable"
# Examples that a batch hands on for each check; all are counted.
EXAMPLES = 50
NO_DIGEST = Digest(0, 0, 0, 0, 0, 0, 0)
LONGEST_RAW_LINE = 2**16
SPLIT_WORDS: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("eval", "evaluation", "test", "validation", "valid", "val", "dev"), "eval"),
}


@dataclass(frozen=True)
class Recipe:
    """Everything that preparing a source's rows takes; it is sent to workers.

    `remedies` are those in effect, one for each check. `near`: the similarity of near-duplicates, None to not look.
    `tokenizer`: the folder of the model's tokenizer. `edits`: by row number.
    """

    place: int
    label: str
    format: FormatName
    columns: dict[str, str]
    tag: str | None
    part: Part | None
    group_column: str
    system_prompt: str | None
    remedies: dict[str, Remedy]
    settings: CheckSettings
    near: float | None
    tokenizer: Path | None
    max_length: int | None
    edits: dict[int, EditSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """A row that a check found, as reports show it. `unusable`: the build may not go on with it."""

    check: str
    problem: Problem
    unusable: bool


@dataclass
class _Prepared:
    """One row on its way through this module."""

    raw: RawRow
    row: Candidate
    status: int = KEPT
    flags: int = 0
    tag: str | None = None
    group: str | None = None
    part: Part | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    shape: Row = field(default_factory=dict)
    line: bytes = b""
    digest: Digest = NO_DIGEST
    tokens: TokenCount | None = None


def prepare_batch(recipe: Recipe, rows: Sequence[RawRow]) -> Batch:
    """Prepare rows of one source. Rows that are not used stay in the batch, with their status and what was found."""
    work = _Work(recipe)
    prepared = [work.prepare(raw) for raw in rows]
    if recipe.tokenizer is not None:
        work.count_tokens([each for each in prepared if each.status == KEPT])
    for each in prepared:
        work.write(each)
    return work.batch(prepared)


class _Work:
    """Prepares rows by a recipe and gathers the examples."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.format = next(known for known in FORMATS if known.name == recipe.format)
        self.examples: list[Example] = []
        self._examples_of: dict[str, int] = {}

    def prepare(self, raw: RawRow) -> _Prepared:
        edit = self.recipe.edits.get(raw.number)
        values, hidden = rename(raw.values, self.recipe.columns)
        if edit is not None and edit.value is not None:
            row = self._edited(edit.value)
        elif raw.fault is not None:
            row = Candidate(findings=[raw.fault])
        else:
            row = self.format.convert(values)
        prepared = _Prepared(raw, row)
        if edit is not None and edit.value is None:
            prepared.status = LEFT_OUT
            return prepared
        self._add_system_prompt(row)
        self._check(prepared)
        if prepared.status != UNUSABLE:
            self._describe(prepared, values, hidden)
        return prepared

    def _edited(self, value: Row) -> Candidate:
        """A row as it was changed by hand; it has to stay of its source's kind."""
        row = from_canonical(value)
        if row.kind != self.format.kind:
            row.fault(
                "", f"was changed to another kind ({row.kind})", f"its source holds rows of kind {self.format.kind}"
            )
        return row

    def _add_system_prompt(self, row: Candidate) -> None:
        first = next(iter(row.parts.values()), [])
        if self.recipe.system_prompt and row.kind != "text" and first and first[0].message["role"] != "system":
            first.insert(0, Turn({"role": "system", "content": self.recipe.system_prompt}, "system_prompt"))

    def _check(self, prepared: _Prepared) -> None:
        """Run every row check and apply its remedy. A row that could not be converted shows only why."""
        for check in ROW_CHECKS:
            if prepared.row.findings and check.name != UNREADABLE:
                continue
            findings = list(check.find(prepared.row, self.recipe.settings))
            if not findings:
                continue
            remedy = self.recipe.remedies[check.name]
            if remedy == "fix" and check.fix is not None:
                check.fix(prepared.row, self.recipe.settings)
                if any(check.find(prepared.row, self.recipe.settings)):
                    remedy = "stop" if check.default == "stop" else "keep"
            self._found(prepared, check, findings, remedy)

    def _found(self, prepared: _Prepared, check: Check, findings: Sequence[Finding], remedy: Remedy) -> None:
        prepared.flags |= 1 << BIT[check.name]
        if remedy == "stop":
            prepared.status = UNUSABLE
        elif remedy == "drop":
            # What nothing can be made of has no canonical row to show.
            unusable = check.default == "stop" or prepared.status == UNUSABLE
            prepared.status = UNUSABLE if unusable else LEFT_OUT
        known = self._examples_of.get(check.name, 0)
        if known < EXAMPLES:
            self._examples_of[check.name] = known + 1
            self.examples += [self._example(prepared, check, finding, remedy) for finding in findings]

    def _example(self, prepared: _Prepared, check: Check, finding: Finding, remedy: Remedy) -> Example:
        raw, name = prepared.raw, _own_name(finding.field, self.recipe.columns)
        problem = Problem(self.recipe.label, raw.number, name, finding.what, finding.why, raw.line)
        return Example(check.name, problem, remedy == "stop")

    def _describe(self, prepared: _Prepared, values: Row, hidden: Row) -> None:
        """The canonical row with where it comes from, and its digest."""
        recipe, raw = self.recipe, prepared.raw
        prepared.tag = recipe.tag or label(values.get("tag"))
        prepared.group = label(values.get(recipe.group_column, raw.values.get(recipe.group_column)))
        prepared.part = recipe.part or raw.part or SPLIT_WORDS.get(str(values.get("split", "")).strip().lower())
        row = canonical(prepared.row)
        row.update(source=recipe.label, row=raw.number)
        if prepared.tag:
            row["tag"] = prepared.tag
        known = self.format.columns
        extra = {name: value for name, value in values.items() if name not in known and value is not None}
        extra.update({name: value for name, value in hidden.items() if value is not None})
        if extra:
            row["extra"] = extra
        prepared.shape = row

    def count_tokens(self, rows: list[_Prepared]) -> None:
        """Lengths in the model's tokens; of a preference the longer of both conversations."""
        tokenizer = _tokenizer(self.recipe.tokenizer)
        counts = iter(count_tokens(tokenizer, [each for row in rows for each in conversations_of(row.shape)]))
        for row in rows:
            own = [next(counts) for _ in conversations_of(row.shape)]
            row.tokens = max(own, key=lambda count: count.length)
            self._judge_lengths(row, own)

    def _judge_lengths(self, row: _Prepared, counts: Sequence[TokenCount]) -> None:
        refused = next((count.refused for count in counts if count.refused), "")
        limit = self.recipe.max_length
        if refused:
            why = "the model could not be trained on it"
            self._found_length(row, TEMPLATE_REFUSES, refused, why)
        elif limit and any(count.trained == 0 or count.first >= limit for count in counts):
            what = f"the prompt takes {counts[0].first:,} of {limit:,} tokens"
            self._found_length(row, NOTHING_TRAINED, what, "nothing is left to learn")
        elif limit and any(count.last >= limit for count in counts):
            longest = max(count.length for count in counts)
            self._found_length(row, ANSWER_CUT, f"has {longest:,} tokens", f"training cuts it at {limit:,}")

    def _found_length(self, row: _Prepared, check: Check, what: str, why: str) -> None:
        self._found(row, check, [Finding("", what, why)], self.recipe.remedies[check.name])

    def write(self, prepared: _Prepared) -> None:
        """The row's line without its closing brace, so that the group can be added when it is known."""
        try:
            if prepared.shape:
                prepared.digest = digest(prepared.row) if prepared.status != UNUSABLE else NO_DIGEST
                prepared.line = _dumped(prepared.shape)
        except (orjson.JSONEncodeError, UnicodeEncodeError) as error:
            # JSON may be read to a greater depth than it can be written.
            prepared.shape = {}
            finding = Finding("", "can't be written as JSON", str(error))
            check = next(check for check in CHECKS if check.name == UNREADABLE)
            self._found(prepared, check, [finding], self.recipe.remedies[UNREADABLE])
        if not prepared.shape:
            prepared.line = _raw_line(self.recipe.label, prepared.raw)

    def batch(self, rows: Sequence[_Prepared]) -> Batch:
        kept = [row.status == KEPT for row in rows]
        texts = [compared_text(row.row) if kept[place] else "" for place, row in enumerate(rows)]
        bands = signatures(texts) if self.recipe.near is not None else None
        part_numbers = {None: ANY_PART, "train": TRAIN, "eval": EVAL}
        values: dict[str, list[Any]] = {
            "status": [row.status for row in rows],
            "part": [part_numbers[row.part] for row in rows],
            "source": [self.recipe.place] * len(rows),
            "number": [row.raw.number for row in rows],
            "flags": [row.flags for row in rows],
            "length": [len(row.line) for row in rows],
            "tokens": [row.tokens.length if row.tokens else -1 for row in rows],
            "trained": [row.tokens.trained if row.tokens else -1 for row in rows],
            **{
                name: [getattr(row.digest, name) for row in rows]
                for name in ("key", "opening", "question", "answer", "prompt_characters", "answer_characters")
            },
            "turns": [min(row.digest.turns, 2**16 - 1) for row in rows],
        }
        return Batch(
            columns={name: np.array(column, dtype=COLUMNS[name]) for name, column in values.items()},
            lines=b"".join(row.line for row in rows),
            tags=[row.tag for row in rows],
            groups=[row.group for row in rows],
            languages=[language_of(text) if text else None for text in texts],
            bands=bands,
            examples=self.examples,
            fraction=rows[-1].raw.fraction,
        )


@lru_cache(maxsize=2)
def _tokenizer(folder: Path) -> ChatTokenizer:
    return ChatTokenizer.load(folder)


def _dumped(row: Row) -> bytes:
    # Cutting the brace off also copies: what orjson returns holds on to several times its length.
    return orjson.dumps(row, default=json_value, option=orjson.OPT_NON_STR_KEYS)[:-1]


def _raw_line(label: str, raw: RawRow) -> bytes:
    """A row that can't be used, for looking at: its own values, where they are not too large."""
    row: Row = {"source": label, "row": raw.number}
    try:
        line = _dumped({"raw": raw.values, **row})
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        return _dumped(row)
    return line if len(line) <= LONGEST_RAW_LINE else _dumped(row)


def _own_name(field_name: str, columns: dict[str, str]) -> str:
    """A field as the source itself calls it: `output` → `response`, `messages, turn 2` → `chat, turn 2`."""
    name, comma, rest = field_name.partition(",")
    return columns.get(name, name) + comma + rest
