"""The formats that people's files come in, and how one is recognised by its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from datasets_src.convert import Values, from_columns, from_turns
from datasets_src.rows import Conversation
from datasets_src.spec import MAPPABLE, FormatName
from jobs.errors import BadInput

# Columns that every format may have beside its own.
COMMON_COLUMNS = ("system", "tools", "tag", "group")


@dataclass(frozen=True)
class Format:
    """A known shape of rows: the columns it needs, those it also reads, and what makes messages of them."""

    name: FormatName
    title: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    convert: Callable[[Values], Conversation]

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.required, *self.optional, *COMMON_COLUMNS)


# In the order in which they are tried: a file that has turns is taken by its turns.
FORMATS: tuple[Format, ...] = (
    Format("messages", "chat messages", ("messages",), (), partial(from_turns, column="messages")),
    Format("sharegpt", "ShareGPT conversations", ("conversations",), (), partial(from_turns, column="conversations")),
    Format(
        "alpaca",
        "Alpaca instructions",
        ("instruction", "output"),
        ("input", "history"),
        partial(from_columns, question="instruction", answer="output"),
    ),
    Format(
        "prompt_completion",
        "prompts and completions",
        ("prompt", "completion"),
        ("input", "history"),
        partial(from_columns, question="prompt", answer="completion"),
    ),
    Format(
        "question_answer",
        "questions and answers",
        ("question", "answer"),
        ("input", "history"),
        partial(from_columns, question="question", answer="answer"),
    ),
)


@dataclass(frozen=True)
class Detection:
    """The format of a file, None where none fits, and the evidence in words."""

    format: Format | None
    evidence: str


def detect(columns: Sequence[str]) -> Detection:
    """Which format the columns speak for. Preference pairs are recognised, and refused as no conversations."""
    if {"chosen", "rejected"} <= set(columns):
        return Detection(None, "the columns chosen and rejected make it preference pairs, which hold two answers each")
    fitting = [known for known in FORMATS if set(known.required) <= set(columns)]
    if not fitting:
        return Detection(None, f"the columns {', '.join(columns) or '(none)'} fit no known format")
    best = fitting[0]
    beside = [name for name in (*best.optional, *COMMON_COLUMNS) if name in columns]
    evidence = _columns_in_words(best.required) + (f", beside {', '.join(beside)}" if beside else "")
    if len(fitting) > 1:
        evidence += f" (it would fit {', '.join(other.title for other in fitting[1:])} as well)"
    return Detection(best, evidence)


def choose(file: str, wanted: FormatName, columns: Sequence[str]) -> Detection:
    """The format asked for, or the one detected for `auto`. Raises BadInput when the file's columns don't fit."""
    detection = detect(columns) if wanted == "auto" else _asked_for(wanted, columns)
    if detection.format is not None:
        return detection
    known = "; ".join(f"{known.name}: {', '.join(known.required)}" for known in FORMATS)
    raise BadInput(
        f"{file} can't be read as conversations: {detection.evidence}.",
        f"Its rows have to have the columns of a known format ({known}).",
        "Say which of its columns mean what with `columns`, as in `columns: {instruction: task, output: result}`.",
    )


def rename(values: Values, columns: dict[str, str]) -> tuple[Values, Values]:
    """The row under the known names, and what those names hid: columns of the same name that were not meant."""
    if not columns:
        return values, {}
    sources = set(columns.values())
    renamed = {name: value for name, value in values.items() if name not in sources and name not in columns}
    renamed.update({name: values[source] for name, source in columns.items() if source in values})
    hidden = {name: value for name, value in values.items() if name in columns and name not in sources}
    return renamed, hidden


def check_mapping(file: str, mapping: dict[str, str], columns: Sequence[str]) -> None:
    """Raise BadInput when `columns` names a column that the file doesn't have."""
    absent = [source for source in mapping.values() if source not in columns]
    if absent:
        raise BadInput(
            f"{file} has no column {', '.join(absent)}, which `columns` names.",
            f"Its columns are {', '.join(columns)}.",
            f"Write the known name first, then the file's own. Known names: {', '.join(MAPPABLE)}.",
        )


def _asked_for(wanted: FormatName, columns: Sequence[str]) -> Detection:
    asked = next(known for known in FORMATS if known.name == wanted)
    missing = [name for name in asked.required if name not in columns]
    if missing:
        return Detection(None, f"{asked.title} need {_columns_in_words(missing)}, it has {', '.join(columns)}")
    return Detection(asked, f"asked for; {_columns_in_words(asked.required)}")


def _columns_in_words(names: Sequence[str]) -> str:
    return f"the column{'s' if len(names) > 1 else ''} {' and '.join(names)}"
