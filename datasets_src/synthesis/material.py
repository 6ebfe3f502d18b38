"""What a synthesis starts from: pieces of documents, example rows and prompts, read from the input file."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from datasets_src.formats import Detection, detect, rename
from datasets_src.readers import READERS, read_rows
from datasets_src.rows import RawRow, label
from datasets_src.synthesis.spec import SynthesisSpec
from jobs.errors import BadInput, Missing
from jobs.files import sha256
from models.endpoints.client import Message

ROWS_TO_DETECT_BY = 100
PROMPT_COLUMNS = ("prompt", "instruction", "question", "query", "problem", "input")
# Where a long document is cut, the best place first.
BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?。！？])\s*"), re.compile(r"\s+"))


@dataclass(frozen=True)
class Piece:
    """A part of a document (`text`), or a conversation (`messages`). `parent` names the row that it comes from."""

    parent: str
    tag: str | None = None
    text: str = ""
    messages: tuple[Message, ...] = ()

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The conversation up to the last thing that the user says."""
        ends = [place for place, message in enumerate(self.messages, start=1) if message["role"] == "user"]
        return self.messages[: ends[-1]] if ends else ()

    @property
    def answer(self) -> str:
        """The assistant's last answer, "" where there is none."""
        said = [message["content"] for message in self.messages if message["role"] == "assistant"]
        return str(said[-1]) if said and self.messages[-1]["role"] == "assistant" else ""


@dataclass(frozen=True)
class Material:
    """The pieces in the files' order, why other rows gave none (reason → how many), and the SHA-256 of the input."""

    pieces: list[Piece] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    sha256: str | None = None

    def for_domain(self, name: str) -> list[Piece]:
        """The pieces that a domain uses: those tagged with its name, and those without a tag."""
        return [piece for piece in self.pieces if piece.tag in (None, name)]


def load_material(spec: SynthesisSpec, base: Path) -> Material:
    """Read the input. Raises Missing or BadInput when there is none to read, or no row that the mode can use."""
    if spec.input is None:
        return Material()
    path = base / spec.input
    files = _files_in(path) if path.is_dir() else {path.name: path}
    material = Material()
    for name, file in files.items():
        _read_into(material, name, file, spec)
    _require_pieces(spec, material, path)
    return replace(material, sha256=_stamp(files) if path.is_dir() else sha256(path))


def _files_in(folder: Path) -> dict[str, Path]:
    """The files below a folder that can be read, by their place in it, in the order of their names."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in READERS and path.is_file())
    if not found:
        raise Missing(
            f"{folder} holds no file that can be read.",
            f"Files that end in {', '.join(READERS)} are.",
            "Put the documents there, or name another folder or file.",
        )
    return {path.relative_to(folder).as_posix(): path for path in found}


def _stamp(files: dict[str, Path]) -> str:
    """Changes with any file's name or content."""
    return hashlib.sha256("".join(f"{name}\0{sha256(path)}\n" for name, path in files.items()).encode()).hexdigest()


def _read_into(material: Material, name: str, path: Path, spec: SynthesisSpec) -> None:
    rows = read_rows(path)
    first = list(islice(rows, ROWS_TO_DETECT_BY))
    detection = detect([row.values for row in first if row.fault is None], {})
    names = {domain.name for domain in spec.domains}
    for row in chain(first, rows):
        found = list(_pieces(row, name, detection, spec, names))
        unfit = _unfit(found, row, spec)
        if unfit:
            material.left_out[unfit] += 1
        else:
            material.pieces.extend(found)


def _pieces(row: RawRow, file: str, detection: Detection, spec: SynthesisSpec, domains: set[str]) -> Iterator[Piece]:
    """What one row gives. A tag counts only where it is the name of a domain."""
    tag = label(row.values.get("tag"))
    tag = tag if tag in domains else None
    parent = f"{file}:{row.number}"
    text = row.values.get("text")
    if isinstance(text, str) and spec.mode in ("question_answer", "multi_turn"):
        for part in split_document(text, spec.document_characters):
            yield Piece(parent, tag, text=part)
        return
    messages = _messages(row.values, detection)
    if messages:
        yield Piece(parent, tag, messages=tuple(messages))


def _messages(values: dict[str, Any], detection: Detection) -> list[Message]:
    """The conversation in a row of a known format, or the prompt in one that has a prompt alone."""
    if detection.format is not None and detection.format.kind != "text":
        candidate = detection.format.convert(rename(values, detection.columns)[0])
        turns = next(iter(candidate.conversations()), [])
        messages = [turn.message for turn in turns if turn.text.strip() or turn.role != "assistant"]
        return [] if candidate.tools or candidate.findings else messages
    column = next((name for name in PROMPT_COLUMNS if _said(values, name)), None)
    if column is None:
        return []
    asked = values[column] if column == "input" else "\n\n".join(filter(None, (values[column], _said(values, "input"))))
    opening = [{"role": "system", "content": values["system"]}] if _said(values, "system") else []
    return [*opening, {"role": "user", "content": asked}]


def _said(values: dict[str, Any], column: str) -> str:
    """A column's text, "" where it holds none."""
    value = values.get(column)
    return value if isinstance(value, str) and value.strip() else ""


def _unfit(pieces: list[Piece], row: RawRow, spec: SynthesisSpec) -> str | None:
    """Why the mode can't use a row, None when it can."""
    if row.fault is not None:
        return row.fault.what
    if spec.mode == "question_answer":
        return None if pieces else "no text in a column named text"
    if spec.mode == "multi_turn":
        return None if pieces else "neither a text nor a prompt"
    if not pieces or not pieces[0].prompt or any(not _plain(message) for message in pieces[0].messages):
        return "no plain conversation that a user begins (tools are not supported)"
    if spec.mode in ("rewrite", "self_instruct") and not pieces[0].answer:
        return "no answer to the prompt"
    return None


def _plain(message: Message) -> bool:
    known = message["role"] in ("system", "user", "assistant") and "tool_calls" not in message
    return known and isinstance(message["content"], str) and bool(message["content"].strip())


def _require_pieces(spec: SynthesisSpec, material: Material, path: Path) -> None:
    reasons = "; ".join(f"{count} rows: {reason}" for reason, count in material.left_out.most_common(3))
    for domain in spec.domains:
        if not material.for_domain(domain.name):
            raise BadInput(
                f"{path} has no row that `{spec.mode}` can use for the domain '{domain.name}'.",
                reasons or "All of its rows are tagged for other domains.",
                "Documents need a column `text`; other modes take rows of any known format, or a column `prompt`.",
            )


def split_document(text: str, longest: int) -> Iterator[str]:
    """The text in pieces of at most `longest` characters, cut between paragraphs, else lines, sentences, words."""
    rest = text.strip()
    while len(rest) > longest:
        end = _break_before(rest, longest)
        yield rest[:end].strip()
        rest = rest[end:].strip()
    if rest:
        yield rest


def _break_before(text: str, longest: int) -> int:
    for pattern in BREAKS:
        # A piece of less than half the length would waste a request.
        ends = [found.end() for found in pattern.finditer(text, longest // 2, longest) if found.end() > 0]
        if ends:
            return ends[-1]
    return longest
