"""DatasetSpec: what rows a dataset is made of, how they are read, mended and split.

The form, the command line, the YAML file and the options' documentation are derived from these fields.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from datasets_src.rows import PARTS
from jobs.spec import Spec, option

FormatName = Literal[
    "auto",
    "messages",
    "sharegpt",
    "alpaca",
    "prompt_completion",
    "question_answer",
    "input_output",
    "preference",
    "unpaired",
    "text",
]

# The names that `columns` can give to a source's own columns.
MAPPABLE = (
    *("messages", "conversations", "instruction", "input", "output", "prompt", "completion", "question", "answer"),
    *("chosen", "rejected", "label", "text", "system", "history", "tools", "tag", "group", "split"),
)
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
HUB, DATASET, JOB = "hub:", "dataset:", "job:"
# Answers that were given to people, and pairs of answers of which one was preferred or corrected.
INTERACTIONS, PAIRS = "interactions", "interactions:pairs"


class SourceSpec(Spec):
    """One place that rows come from: a file, the Hub, another dataset, a job's rows, or pasted text."""

    path: str | None = option(
        None,
        label="From",
        help="A file (JSONL, JSON, CSV, TSV, Parquet, XLSX, TXT, Markdown, PDF, DOCX, HTML, or an expansion as YAML; a "
        "relative path starts at the spec file's folder), `hub:owner/name`, `dataset:name` or `dataset:name@version`, "
        "`job:ID` for the rows that a job made, or `interactions` for what was said to served models "
        "(`interactions:pairs` for corrected and preferred answers).",
        depth="essential",
        min_length=1,
    )
    text: str | None = option(
        None,
        label="Pasted",
        help="Rows given here instead of a file: JSON lines, a JSON list, or lines of CSV under a heading.",
        min_length=1,
    )
    tag: str | None = option(
        None,
        label="Tag",
        help="A word that every row of this source gets, such as its topic or its author. Reports count per tag, and "
        "the evaluation part holds rows of every tag. Without one, a column named `tag` is used where there is one.",
        min_length=1,
    )
    weight: float = option(
        1.0,
        label="Weight",
        help="How often the source's training rows are used: 2 takes each twice, 0.5 a random half. Applied after the "
        "split, to the training part alone.",
        gt=0,
        le=100,
    )
    max_rows: int | None = option(
        None,
        label="At most",
        help="Use only this many of the source's rows: a seeded random sample, never the first ones.",
        ge=1,
    )
    part: Literal["auto", "train", "eval"] = option(
        "auto",
        label="Is for",
        help="`train` and `eval` put all its rows into that part. `auto` respects the split that a source has itself "
        "(the Hub's splits, a column named `split`, a Hearth dataset, files named …train… beside …eval… or …test…) "
        "and draws one where it has none.",
    )
    format: FormatName = option(
        "auto",
        label="Format",
        help="What the columns mean. `auto` recognises it by their names and says by which.",
    )
    columns: dict[str, str] = option(
        dict,
        label="Column names",
        help="For rows with other column names: the known name, then the source's own, as in `output: response`. "
        "Known: " + ", ".join(MAPPABLE) + ".",
        depth="everything",
    )
    config: str | None = option(
        None, label="Hub configuration", help="Of a Hub dataset that has several.", depth="everything", min_length=1
    )
    split: str | None = option(
        None,
        label="Hub split",
        help="One split of a Hub dataset, such as `train`. None reads all, each for the part that it is meant for.",
        depth="everything",
        min_length=1,
    )
    revision: str | None = option(
        None, label="Hub revision", help="A branch, tag or commit of a Hub dataset.", depth="everything", min_length=1
    )
    where: dict[str, str] = option(
        dict,
        label="Only those with",
        help="For `interactions`: what they are chosen by, as in `min_rating: 4, tag: cooking`.",
        depth="everything",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.text is None):
            raise ValueError("give either `path` or `text`")
        return self

    @property
    def is_file(self) -> bool:
        """Whether the rows stand in a file of this machine."""
        prefixes = (HUB, DATASET, JOB)
        return self.path is not None and not self.path.startswith(prefixes) and self.path not in (INTERACTIONS, PAIRS)

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        unknown = [name for name in columns if name not in MAPPABLE]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is no known column name; known: {', '.join(MAPPABLE)}")
        return columns


class EditSpec(Spec):
    """One row that was changed or deleted by hand."""

    source: str = option(label="Source", help="The source's name, as the report writes it.", min_length=1)
    row: int = option(label="Row", help="The row's number in its source, from 1.", ge=1)
    value: dict[str, Any] | None = option(
        None, label="Now reads", help="The row as it shall be (messages, or prompt and chosen …). None deletes it."
    )

    @field_validator("value")
    @classmethod
    def _a_row(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is None or isinstance(value.get("text"), str):
            return value
        parts = next((names for names in PARTS.values() if set(names) <= set(value)), None)
        if parts is None:
            raise ValueError("a row has messages; or prompt, chosen and rejected; or prompt and completion; or text")
        turns = [turn for name in parts for turn in (value[name] if isinstance(value[name], list) else [None])]
        if not all(
            isinstance(turn, dict) and isinstance(turn.get("role"), str) and "content" in turn for turn in turns
        ):
            raise ValueError(f"{', '.join(parts)} are lists of turns, each with a role and a content")
        return value


class DatasetSpec(Spec):
    """What a dataset is made of. The same spec on the same files gives the same version, bit for bit."""

    name: str = option(
        label="Name",
        help="Lower-case letters, digits, - and _. Versions of the dataset are kept under it.",
        depth="essential",
    )
    sources: list[SourceSpec] = option(
        label="Sources",
        help="Where rows come from. Each source can have a tag, a weight and a cap of its own.",
        depth="essential",
        min_length=1,
    )
    eval_fraction: float = option(
        0.1,
        label="Part kept for evaluation",
        help="The share of groups that is kept out of training, to judge the model by. 0 keeps none.",
        depth="essential",
        ge=0.0,
        le=0.5,
    )
    group_by: str = option(
        "prompt",
        label="Keep together by",
        help="Rows of one group are never in both parts. `prompt`: rows that open with the same user text (and rows "
        "that share a value in a column named `group`, where there is one). Or the name of a column, such as a "
        "document's id: rows that share its value stay together, as well as rows with the same prompt.",
        min_length=1,
    )
    seed: int = option(
        0,
        label="Seed",
        help="Another seed gives another sample, split and order.",
        depth="everything",
        ge=0,
        le=2**63 - 1,
    )
    system_prompt: str | None = option(
        None,
        label="System prompt",
        help="Put before every row that has no system prompt of its own.",
        min_length=1,
    )
    on_bad_rows: Literal["fail", "skip"] = option(
        "fail",
        label="Rows that can't be used",
        help="`fail` stops and lists them, because a broken or unanswered row often means that the whole file was read "
        "in a wrong way, and rows that vanish unseen are worse than a build that stops. `skip` leaves them out and "
        "lists them in the report. `remedies` decides on single checks.",
    )
    remedies: dict[str, Literal["stop", "fix", "drop", "keep"]] = option(
        dict,
        label="Remedies",
        help="What happens to the rows that a health check finds, by the check's name, as in `private_data: fix, "
        "refusal: drop`. Checks that are not named do as their own default says.",
    )
    near_duplicates: float | None = option(
        0.8,
        label="Nearly equal from",
        help="The similarity (Jaccard, of the rows' word sequences) from which two rows count as near-duplicates; they "
        "stay in one part, so that nothing leaks. Empty doesn't look for them: right for rows made from one template, "
        "which are all alike.",
        ge=0.5,
        le=1.0,
    )
    model: str | None = option(
        None,
        label="Lengths for model",
        help="The model whose tokenizer and chat template count the tokens: its Hub id or folder, or `embedded`. "
        "Without one, lengths are told in characters alone.",
        min_length=1,
    )
    max_length: int | None = option(
        None,
        label="Context length",
        help="The length in tokens that training will cut rows to: answers that it would cut are found.",
        ge=16,
        le=2**20,
    )
    languages: list[str] = option(
        list,
        label="Languages",
        help="The languages that rows are expected in, as two letters (en, de, zh); others are found. None: any.",
    )
    contamination: list[str] = option(
        list,
        label="Keep clear of",
        help="Files or Hearth datasets (`dataset:name`) whose rows must not be trained on, such as a benchmark: rows "
        "that share 12 words in a row with them are found.",
    )
    balance: bool = option(
        False,
        label="Balance tags",
        help="Repeat training rows of the rarer tags until every tag has as many lines as the most frequent one. After "
        "the split, in the training part alone.",
    )
    shares: dict[str, float] = option(
        dict,
        label="Shares",
        help="The share of training lines that each tag shall have, as in `code: 0.7, explanation: 0.3`; rows are "
        "repeated to reach it, after the split, in the training part alone.",
    )
    edits: list[EditSpec] = option(
        list,
        label="Edits by hand",
        help="Rows that were changed or deleted by hand, as a layer over the sources: those stay as they are.",
        depth="everything",
    )

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not NAME_PATTERN.fullmatch(name):
            raise ValueError("use 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit")
        return name

    @field_validator("remedies")
    @classmethod
    def _known_remedies(cls, remedies: dict[str, str]) -> dict[str, str]:
        from datasets_src.checks import CHECKS

        known = {check.name: check for check in CHECKS}
        problems = []
        for name, wanted in remedies.items():
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            if name not in known:
                problems.append(f"`{name}` is no check ({hint})")
            elif wanted not in known[name].remedies:
                problems.append(f"`{name}` can't be `{wanted}`; possible: {', '.join(known[name].remedies)}")
        if problems:
            raise ValueError("; ".join(problems))
        return remedies

    @field_validator("languages")
    @classmethod
    def _known_languages(cls, languages: list[str]) -> list[str]:
        from datasets_src.checks.language import LANGUAGES

        unknown = [code for code in languages if code not in LANGUAGES]
        if unknown:
            known = ", ".join(sorted(LANGUAGES))
            raise ValueError(f"{', '.join(unknown)} can't be told from others; languages that can: {known}")
        return languages

    @field_validator("shares")
    @classmethod
    def _real_shares(cls, shares: dict[str, float]) -> dict[str, float]:
        if any(not 0 < share <= 1 for share in shares.values()) or sum(shares.values()) > 1.0001:
            raise ValueError("every share lies between 0 and 1, and all together are at most 1")
        return shares

    @model_validator(mode="after")
    def _one_mix(self) -> Self:
        if self.balance and self.shares:
            raise ValueError("give `balance` or `shares`, not both: each says how many lines a tag gets")
        return self

    def with_absolute_paths(self, base: Path) -> Self:
        """The same spec with every relative path resolved against `base`, for a job that runs elsewhere."""

        def resolved(path: str) -> str:
            return str((base / path).resolve()) if SourceSpec(path=path).is_file else path

        sources = [
            source.model_copy(update={"path": resolved(source.path)}) if source.path else source
            for source in self.sources
        ]
        contamination = [resolved(path) for path in self.contamination]
        return self.model_copy(update={"sources": sources, "contamination": contamination})
