"""What a row is on its way from a file into a dataset version, and how a fault in one is named.

file → RawRow → Candidate → canonical row (a dict) → PreparedRow → a line of train.jsonl or eval.jsonl
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

Message = dict[str, Any]
Row = dict[str, Any]
Part = Literal["train", "eval"]
Kind = Literal["conversation", "preference", "unpaired", "text"]
# The lists of messages that a row of each kind has, in TRL's names.
PARTS: dict[Kind, tuple[str, ...]] = {
    "conversation": ("messages",),
    "preference": ("prompt", "chosen", "rejected"),
    "unpaired": ("prompt", "completion"),
    "text": ("text",),
}


# What a canonical row of messages says under `learn` when the answers before the last are not to be learned.
LAST_ANSWER = "last answer"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with one row: the field it is in ("" for the whole row), what it is, and why it can't be used."""

    field: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as read. `number` counts from 1; `line` is given where the file's line is another number (CSV).

    `fraction` says how much of the file is read so far. A row that can't even be read has a `fault` and no values.
    `part` is given where the source itself says what the row is for.
    """

    number: int
    values: dict[str, Any]
    fraction: float
    line: int | None = None
    fault: Finding | None = None
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A Finding with its place: what a person needs to find the row and mend it."""

    file: str
    row: int
    field: str
    what: str
    why: str
    line: int | None = None

    def __str__(self) -> str:
        line = f" (line {self.line})" if self.line is not None else ""
        where = f", field {self.field}" if self.field else ""
        reason = f" ({self.why})" if self.why else ""
        return f"{self.file}, row {self.row}{line}{where}: {self.what}{reason}"


@dataclass(slots=True)
class Turn:
    """A message, and the name that the source has for its place, for messages about faults."""

    message: Message
    field: str

    @property
    def role(self) -> str:
        return str(self.message["role"])

    @property
    def text(self) -> str:
        """The content; "" where it is missing or no text."""
        content = self.message.get("content")
        return content if isinstance(content, str) else ""


@dataclass(slots=True)
class Candidate:
    """A row converted from its source's columns, before and while it is checked.

    `parts` holds lists of turns by the names in PARTS of its kind. A text row has one turn with the role `text`.
    `desirable` is the label of an unpaired preference; `structured` the answer where it is data; `last_only` says that
    answers before the last one were given, not to be learned. `findings` are faults met while converting.
    """

    kind: Kind = "conversation"
    parts: dict[str, list[Turn]] = field(default_factory=dict)
    tools: list[dict[str, Any]] = field(default_factory=list)
    desirable: bool | None = None
    structured: Any = None
    last_only: bool = False
    findings: list[Finding] = field(default_factory=list)

    def add(self, part: str, role: str, content: Any, source_field: str, **rest: Any) -> None:
        self.part(part).append(Turn({"role": role, "content": content, **rest}, source_field))

    def part(self, name: str) -> list[Turn]:
        """The turns of a part, which may be added to."""
        return self.parts.setdefault(name, [])

    def fault(self, source_field: str, what: str, why: str) -> None:
        self.findings.append(Finding(source_field, what, why))

    def turns(self) -> Iterator[Turn]:
        """Every turn of every part."""
        for turns in self.parts.values():
            yield from turns

    def answers(self) -> Iterator[Turn]:
        """The assistant's turns; of a text row its text."""
        return (turn for turn in self.turns() if turn.message["role"] in ("assistant", "text"))

    def conversations(self) -> list[list[Turn]]:
        """The conversations that the row holds whole: one, or for a preference the chosen and the rejected one."""
        if self.kind == "text":
            return []
        first, *endings = (self.parts.get(name, []) for name in PARTS[self.kind])
        return [[*first, *ending] for ending in endings] if endings else [first]


@dataclass(frozen=True, slots=True)
class Digest:
    """What later stages ask of a row, as numbers, so that a million rows fit into little memory.

    `key` is equal for equal rows; `opening`, `question` and `answer` where the first user text, all before the last
    answer, and that answer are equal (64-bit hashes; white space doesn't count). Lengths are in characters.
    """

    key: int
    opening: int
    question: int
    answer: int
    turns: int
    prompt_characters: int
    answer_characters: int


def canonical(row: Candidate) -> Row:
    """The row in TRL's shape: `messages`, or `prompt` with `chosen` and `rejected`, or with `completion` and `label`,
    or `text`.
    """
    if row.kind == "text":
        return {"text": row.parts["text"][0].message["content"]}
    shaped: Row = {name: [turn.message for turn in row.parts[name]] for name in PARTS[row.kind]}
    if row.kind == "unpaired":
        shaped["label"] = row.desirable
    if row.tools:
        shaped["tools"] = row.tools
    if row.structured is not None:
        shaped["answer"] = row.structured
    if row.last_only and row.kind == "conversation":
        shaped["learn"] = LAST_ANSWER
    return shaped


def kind_of(row: Row) -> Kind:
    """The kind of a canonical row."""
    return next((kind for kind, parts in PARTS.items() if all(part in row for part in parts)), "conversation")


def from_canonical(row: Row) -> Candidate:
    """A canonical row as a Candidate, so that it can be checked again after somebody changed it."""
    kind = kind_of(row)
    found = Candidate(
        kind,
        tools=row.get("tools", []),
        desirable=row.get("label"),
        structured=row.get("answer"),
        last_only=row.get("learn") == LAST_ANSWER,
    )
    if kind == "text":
        found.add("text", "text", row["text"], "text")
        return found
    for name in PARTS[kind]:
        found.parts[name] = [Turn(message, f"{name}, turn {n}") for n, message in enumerate(row[name], start=1)]
    return found


def conversation_of(row: Row) -> tuple[list[Message], list[dict[str, Any]] | None]:
    """The conversation that a canonical row shows a model, and its tools: of a preference that with the chosen answer.

    A text row gives one message with the role `text`.
    """
    kind = kind_of(row)
    if kind == "text":
        return [{"role": "text", "content": row["text"]}], None
    first, *endings = PARTS[kind]
    return [*row[first], *(row[endings[0]] if endings else [])], row.get("tools")


def learns_last_only(row: Row) -> bool:
    """Whether only the last answer of a canonical row is to be learned: what came before it was given."""
    return "messages" not in row or row.get("learn") == LAST_ANSWER


def conversations_of(row: Row) -> list[tuple[list[Message], list[dict[str, Any]] | None, bool]]:
    """Each conversation that training on a canonical row computes, its tools, and whether its last answer alone is to
    be learned: of a preference that with the chosen and that with the rejected answer."""
    messages, tools = conversation_of(row)
    last_only = learns_last_only(row)
    if "rejected" in row:
        return [(messages, tools, last_only), ([*row["prompt"], *row["rejected"]], tools, last_only)]
    return [(messages, tools, last_only)]


def digest(row: Candidate) -> Digest:
    """The digest of a checked row."""
    texts = {name: [_normalised(turn.message) for turn in turns] for name, turns in row.parts.items()}
    said = [turn.message for turn in row.turns()]
    tools = orjson.dumps(row.tools, default=json_value).decode() if row.tools else ""
    question, answer = _question_and_answer(row, texts)
    answered = sum(len(turn.message["content"]) for turn in row.answers())
    whole = "\0".join("\2".join(part) for part in texts.values())
    return Digest(
        key=_hash(f"{tools}\0{row.desirable}\0{whole}"),
        opening=_hash(opening(said)),
        question=_hash(f"{tools}\0{question}"),
        answer=_hash(answer),
        turns=len(said),
        prompt_characters=sum(len(message["content"]) for message in said) - answered,
        answer_characters=answered,
    )


def _question_and_answer(row: Candidate, texts: dict[str, list[str]]) -> tuple[str, str]:
    if row.kind == "conversation":
        roles = [turn.message["role"] for turn in row.parts["messages"]]
        last = max(place for place, role in enumerate(roles) if role == "assistant")
        return "\0".join(texts["messages"][:last]), texts["messages"][last]
    if row.kind == "text":
        return "\0".join(texts["text"]), ""
    # Of a preference the answer is which one was chosen; of an unpaired one, whether it is good.
    if row.kind == "preference":
        chosen, rejected = ("\0".join(texts[name]) for name in ("chosen", "rejected"))
        return "\0".join([*texts["prompt"], *sorted((chosen, rejected))]), chosen
    return "\0".join([*texts["prompt"], *texts["completion"]]), str(row.desirable)


def opening(messages: list[Message]) -> str:
    """Equal for rows that open with the same user text (of text rows: the text), whatever the system prompt."""
    first = next((message["content"] for message in messages if message["role"] in ("user", "text")), "")
    return " ".join(first.split())


def compared_text(row: Candidate) -> str:
    """What near-duplicates and passages are compared by: all that was said but for the system prompt."""
    return "\n".join(str(turn.message["content"]) for turn in row.turns() if turn.message["role"] != "system")


def text_of(row: Row) -> str:
    """The same of a canonical row."""
    kind = kind_of(row)
    if kind == "text":
        return str(row["text"])
    said = (message for name in PARTS[kind] for message in row[name])
    return "\n".join(message["content"] for message in said if message["role"] != "system")


def compared_passages(row: Candidate) -> list[str]:
    """What overlaps are looked for in: the row as a whole, and each question by itself, which may be short."""
    questions = [turn.text for turn in row.turns() if turn.message["role"] == "user"]
    return [compared_text(row), *questions]


def json_value(value: Any) -> str:
    """How orjson writes what Parquet holds and JSON can't: bytes as text (else hexadecimal), the rest as its text."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.hex()
    return str(value)


def label(value: Any) -> str | None:
    """A column's value as the name of a group or tag; None where it is empty."""
    if value is None or isinstance(value, str):
        return (value or "").strip() or None
    return orjson.dumps(value, default=json_value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()


def _normalised(message: Message) -> str:
    """The message as text for comparison: every run of white space is one space."""
    calls = orjson.dumps(message["tool_calls"], default=json_value).decode() if "tool_calls" in message else ""
    return f"{message['role']}\1{' '.join(message['content'].split())}\1{calls}"


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
