"""The formats that people's rows come in, and how one is recognised by its columns and what they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from datasets_src import convert
from datasets_src.convert import QUESTIONS, TURNS, Values, yes_or_no
from datasets_src.rows import Candidate, Kind
from datasets_src.spec import MAPPABLE, FormatName
from jobs.errors import BadInput

# Columns that every format may have beside its own.
COMMON_COLUMNS = ("system", "tools", "tag", "group", "split")
# Names that stand for a known one where that is absent.
ALIASES = {
    "answer": ("response", "reply", "solution"),
    "question": ("query", "problem"),
    "completion": ("response",),
    "tools": ("functions",),
    "label": ("kto_tag",),
    "chosen": ("chosen_response",),
    "rejected": ("rejected_response",),
    "text": ("content",),
    "split": ("partition",),
}


@dataclass(frozen=True)
class Format:
    """A known shape of rows. `required`: sets of columns of which one has to be there whole, the first that fits."""

    name: FormatName
    title: str
    kind: Kind
    required: tuple[tuple[str, ...], ...]
    optional: tuple[str, ...]
    convert: Callable[[Values], Candidate]

    @property
    def columns(self) -> frozenset[str]:
        """Every column that the format reads; others are kept as the row's `extra`."""
        return frozenset(name for names in self.required for name in names) | {*self.optional, *COMMON_COLUMNS}

    def fitting(self, columns: set[str]) -> tuple[str, ...] | None:
        """The columns that make the format, None when they are not all there."""
        return next((names for names in self.required if set(names) <= columns), None)


def _columns_format(name: FormatName, title: str, question: str, answer: str) -> Format:
    """What is asked and what is answered in columns of their own."""
    read = partial(convert.question_and_answer, question=question, answer=answer)
    return Format(name, title, "conversation", ((question, answer),), ("input", "history"), read)


_PROMPTS = (*QUESTIONS, *TURNS)
# In the order in which they are tried: the more a format asks for, the earlier.
FORMATS: tuple[Format, ...] = (
    Format(
        "preference",
        "preference pairs",
        "preference",
        (*((name, "chosen", "rejected") for name in _PROMPTS), ("chosen", "rejected")),
        ("input", "history"),
        convert.preference,
    ),
    Format(
        "unpaired",
        "answers marked good or bad",
        "unpaired",
        (
            ("prompt", "completion", "label"),
            ("messages", "label"),
            ("conversations", "label"),
            ("instruction", "output", "label"),
            ("question", "answer", "label"),
        ),
        ("input", "history"),
        convert.unpaired,
    ),
    Format(
        "messages",
        "chat messages",
        "conversation",
        (("messages",),),
        ("answer", "learn"),
        partial(convert.turns, column="messages"),
    ),
    Format(
        "sharegpt",
        "ShareGPT conversations",
        "conversation",
        (("conversations",),),
        (),
        partial(convert.turns, column="conversations"),
    ),
    _columns_format("alpaca", "Alpaca instructions", "instruction", "output"),
    _columns_format("prompt_completion", "prompts and completions", "prompt", "completion"),
    _columns_format("question_answer", "questions and answers", "question", "answer"),
    _columns_format("input_output", "inputs and outputs", "input", "output"),
    Format("text", "plain text", "text", (("text",),), (), convert.text),
)


@dataclass(frozen=True)
class Detection:
    """The format of a source, None where none fits, the evidence in words, and the mapping of columns in effect."""

    format: Format | None
    evidence: str
    columns: dict[str, str]


def detect(rows: Sequence[Values], mapping: Mapping[str, str], wanted: FormatName = "auto") -> Detection:
    """Which format the first rows of a source speak for, under the mapping that the person gave.

    A column of another usual name stands in for a missing one, which the evidence says.
    """
    own = list(dict.fromkeys(str(name) for row in rows for name in row))
    named = set(rename(dict.fromkeys(own), mapping)[0])
    guessed = {} if mapping else _by_other_names(named)
    columns = {**mapping, **guessed}
    names = set(rename(dict.fromkeys(own), columns)[0])
    possible = [known for known in FORMATS if wanted in ("auto", known.name) and known.fitting(names)]
    fitting = [known for known in possible if known.name != "unpaired" or wanted != "auto" or _labels(rows, columns)]
    if not fitting:
        return Detection(None, _why_none_fits(own, wanted), dict(mapping))
    best = fitting[0]
    used = best.fitting(names) or ()
    guessed = {name: column for name, column in guessed.items() if name in best.columns}
    return Detection(best, _evidence(best, used, names, guessed, fitting, wanted), {**mapping, **guessed})


def _by_other_names(named: set[str]) -> dict[str, str]:
    """Known names that other columns stand in for: spelt otherwise (Question), or of the same meaning (query)."""
    spelt = {name.strip().lower(): name for name in sorted(named)}
    asked_for = {name for known in FORMATS for names in known.required for name in (*names, *known.optional)}
    found = {name: spelt[name] for name in sorted(asked_for - named) if name in spelt}
    there = {*named, *found}
    asks = {"answer": {"question", *ALIASES["question"]} & {*there, *spelt}, "completion": {"prompt"} & there}
    for name, others in ALIASES.items():
        free = [spelt[other] for other in others if other in spelt and spelt[other] not in found.values()]
        if name not in there and free and asks.get(name, True):
            found[name] = free[0]
    return found


def _labels(rows: Sequence[Values], columns: Mapping[str, str]) -> bool:
    """Whether the label column says yes or no everywhere; else it is something beside the row, such as a class."""
    labels = [rename(row, columns)[0].get("label") for row in rows]
    given = [value for value in labels if value is not None]
    return bool(given) and all(yes_or_no(value) is not None for value in given)


def _why_none_fits(own: Sequence[str], wanted: FormatName) -> str:
    has = ", ".join(own) or "(none)"
    asked = next((known for known in FORMATS if known.name == wanted), None)
    if asked is None:
        return f"the columns {has} fit no known format"
    return f"{asked.title} need {_columns_in_words(asked.required[0])}, it has {has}"


def _evidence(
    best: Format,
    used: Sequence[str],
    names: set[str],
    guessed: Mapping[str, str],
    fitting: Sequence[Format],
    wanted: FormatName,
) -> str:
    beside = [name for name in (*best.optional, *COMMON_COLUMNS) if name in names and name not in used]
    evidence = ("asked for; " if wanted != "auto" else "") + _columns_in_words(used)
    evidence += f", beside {', '.join(beside)}" if beside else ""
    evidence += "; every label says yes or no" if best.kind == "unpaired" else ""
    others = {name: column for name, column in guessed.items() if column.strip().lower() != name}
    evidence += "".join(f"; {column} taken as {name}" for name, column in others.items())
    if len(fitting) > 1:
        evidence += f" (it would fit {', '.join(other.title for other in fitting[1:])} as well)"
    return evidence


def choose(source: str, detection: Detection) -> Format:
    """The detected format. Raises BadInput when there is none."""
    if detection.format is not None:
        return detection.format
    known = "; ".join(f"{known.name}: {', '.join(known.required[0])}" for known in FORMATS)
    raise BadInput(
        f"{source} can't be read: {detection.evidence}.",
        f"Its rows have to have the columns of a known format ({known}).",
        "Say which of its columns mean what: on the page under “Which column holds what”, in a spec with `columns`, as "
        "in `columns: {instruction: task, output: result}`.",
    )


def rename(values: Values, columns: Mapping[str, str]) -> tuple[Values, Values]:
    """The row under the known names, and what those names hid: columns of the same name that were not meant."""
    if not columns:
        return values, {}
    sources = set(columns.values())
    renamed = {name: value for name, value in values.items() if name not in sources and name not in columns}
    renamed.update({name: values[source] for name, source in columns.items() if source in values})
    hidden = {name: value for name, value in values.items() if name in columns and name not in sources}
    return renamed, hidden


def check_mapping(source: str, mapping: Mapping[str, str], columns: Sequence[str]) -> None:
    """Raise BadInput when `columns` names a column that the source doesn't have."""
    absent = [column for column in mapping.values() if column not in columns]
    if absent:
        raise BadInput(
            f"{source} has no column {', '.join(absent)}, which `columns` names.",
            f"Its columns are {', '.join(columns)}.",
            f"Write the known name first, then the source's own. Known names: {', '.join(MAPPABLE)}.",
        )


def _columns_in_words(names: Sequence[str]) -> str:
    listed = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    return f"the column{'s' if len(names) > 1 else ''} {listed}"


def example(values: Mapping[str, Any], name: FormatName) -> Candidate:
    """A row converted as a named format, for documentation and tests."""
    return next(known for known in FORMATS if known.name == name).convert(dict(values))
