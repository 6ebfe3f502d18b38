"""DatasetSpec: which files a dataset is made of, how they are read, and how they are split.

The form, the command line, the YAML file and the options' documentation are derived from these fields.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import field_validator

from jobs.spec import Spec, option

FormatName = Literal["auto", "messages", "sharegpt", "alpaca", "prompt_completion", "question_answer"]

# The names that `columns` can give to a file's own columns.
MAPPABLE = (
    *("messages", "conversations", "instruction", "input", "output", "prompt", "completion", "question", "answer"),
    *("system", "history", "tools", "tag", "group"),
)
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class SourceSpec(Spec):
    """One file that rows come from."""

    path: str = option(
        label="File",
        help="A JSONL, JSON, CSV or Parquet file. A relative path starts at the spec file's folder.",
        depth="essential",
        min_length=1,
    )
    tag: str | None = option(
        None,
        label="Tag",
        help="A word that every row of this file gets, such as its topic or its author. Reports count per tag, and the "
        "evaluation part holds rows of every tag. Without one, a column named `tag` is used where there is one.",
        min_length=1,
    )
    weight: float = option(
        1.0,
        label="Weight",
        help="How often the file's training rows are used: 2 takes each twice, 0.5 a random half. Applied after the "
        "split, to the training part alone.",
        gt=0,
        le=100,
    )
    max_rows: int | None = option(
        None,
        label="At most",
        help="Use only this many of the file's rows: a seeded random sample, never the first ones.",
        ge=1,
    )
    format: FormatName = option(
        "auto",
        label="Format",
        help="What the columns mean. `auto` recognises it by their names and says by which.",
    )
    columns: dict[str, str] = option(
        dict,
        label="Column names",
        help="For files with other column names: the known name, then the file's own, as in `output: response`. Known: "
        + ", ".join(MAPPABLE)
        + ".",
        depth="everything",
    )

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        unknown = [name for name in columns if name not in MAPPABLE]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is no known column name; known: {', '.join(MAPPABLE)}")
        return columns


class DatasetSpec(Spec):
    """What a dataset is made of. The same spec on the same files gives the same version, bit for bit."""

    name: str = option(
        label="Name",
        help="Lower-case letters, digits, - and _. Versions of the dataset are kept under it.",
        depth="essential",
    )
    sources: list[SourceSpec] = option(
        label="Files",
        help="The files that rows come from. Each can have a tag, a weight and a cap of its own.",
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
    deduplicate: bool = option(
        True,
        label="Leave out duplicates",
        help="Keep one of the rows that are equal in every turn (runs of spaces and line ends count as one space).",
    )
    on_bad_rows: Literal["fail", "skip"] = option(
        "fail",
        label="Rows that can't be used",
        help="`fail` stops and lists them, because a broken or unanswered row often means that the whole file was read "
        "in a wrong way, and rows that vanish unseen are worse than a build that stops. `skip` leaves them out and "
        "lists them in the report.",
    )

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not NAME_PATTERN.fullmatch(name):
            raise ValueError("use 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit")
        return name

    def with_absolute_paths(self, base: Path) -> Self:
        """The same spec with every relative source path resolved against `base`, for a job that runs elsewhere."""
        sources = [source.model_copy(update={"path": str((base / source.path).resolve())}) for source in self.sources]
        return self.model_copy(update={"sources": sources})
