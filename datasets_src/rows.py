"""What a row is on its way from a file into a dataset version, and how a fault in one is named.

file → RawRow → Conversation → canonical row (a dict) → PreparedRow → a line of train.jsonl or eval.jsonl
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson

Message = dict[str, Any]
Row = dict[str, Any]


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
    """

    number: int
    values: dict[str, Any]
    fraction: float
    line: int | None = None
    fault: Finding | None = None


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
        return f"{self.file}, row {self.row}{line}{where}: {self.what} ({self.why})"


@dataclass(slots=True)
class Conversation:
    """A row converted to messages. `fields[i]` names the source field of `messages[i]`, for messages about faults."""

    messages: list[Message] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, role: str, content: Any, source_field: str, **rest: Any) -> None:
        self.messages.append({"role": role, "content": content, **rest})
        self.fields.append(source_field)

    def fault(self, source_field: str, what: str, why: str) -> None:
        self.findings.append(Finding(source_field, what, why))


@dataclass(slots=True)
class PreparedRow:
    """A canonical row, serialised once, beside the little that later stages ask of it (so that memory stays small).

    `line` still lacks its end, the group, which is known only when all rows are read. `key` is equal for equal rows;
    `opening`, `question` and `answer` where the first user text, all before the last answer, and that answer are equal.
    """

    line: bytes
    source: int
    number: int
    tag: str | None
    given_group: str | None
    key: bytes
    opening: str
    question: bytes
    answer: bytes
    prompt_characters: int
    answer_characters: int

    @property
    def identity(self) -> bytes:
        """Tells this row from every other of the dataset, equal ones included."""
        return b"%s/%d/%d" % (self.key, self.source, self.number)

    def finished(self, group: str) -> bytes:
        """The line of the version's file: the row with its group."""
        return self.line + b',"group":' + orjson.dumps(group) + b"}\n"

    def messages(self) -> list[Message]:
        """The row's messages, read back."""
        return list(orjson.loads(self.line + b"}")["messages"])


def prepare(row: Row, source: int, given_group: str | None) -> PreparedRow:
    """Serialise a checked canonical row. `source` is its source's place in the spec."""
    messages = row["messages"]
    texts = [_normalised(message) for message in messages]
    tools = orjson.dumps(row["tools"], default=json_value).decode() if "tools" in row else ""
    last_answer = max(index for index, message in enumerate(messages) if message["role"] == "assistant")
    before = "\0".join([tools, *texts[:last_answer]])
    answer_characters = sum(len(message["content"]) for message in messages if message["role"] == "assistant")
    return PreparedRow(
        # Without its closing brace, which also copies it: what orjson returns holds on to several times its length.
        line=orjson.dumps(row, default=json_value)[:-1],
        source=source,
        number=row["row"],
        tag=row.get("tag"),
        given_group=given_group,
        key=_digest("\0".join([tools, *texts])),
        opening=opening_key(messages),
        question=_digest(before),
        answer=_digest(texts[last_answer]),
        prompt_characters=sum(len(message["content"]) for message in messages) - answer_characters,
        answer_characters=answer_characters,
    )


def opening_key(messages: list[Message]) -> str:
    """Equal for rows that open with the same user text, whatever the system prompt: such rows must not be split."""
    first = next((message["content"] for message in messages if message["role"] == "user"), "")
    return "prompt-" + _digest(" ".join(first.split())).hex()


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


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=10).digest()
