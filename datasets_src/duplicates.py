"""Rows that are equal, and prompts that are answered in different ways."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from datasets_src.rows import PreparedRow

EXAMPLES = 3


@dataclass
class Deduplicator:
    """Remembers the rows that were kept. The first of equal rows stays, in the order of the sources."""

    active: bool
    kept: set[bytes] = field(default_factory=set)
    dropped: int = 0

    def new_rows(self, rows: Iterable[PreparedRow]) -> Iterator[PreparedRow]:
        """The rows of one source that equal neither one another nor a row kept from an earlier source."""
        seen: set[bytes] = set()
        for row in rows:
            if self.active and (row.key in seen or row.key in self.kept):
                self.dropped += 1
            else:
                seen.add(row.key)
                yield row

    def keep(self, rows: Iterable[PreparedRow]) -> None:
        """Remember what a source contributed. A row that its cap left out may still come from a later source."""
        self.kept.update(row.key for row in rows)


@dataclass(frozen=True)
class Contradictions:
    """Prompts with different answers. `best_agreement`: the share of rows that the most frequent answer to each
    prompt gives right, which is the most that any model can reach on these rows.
    """

    prompts: int
    rows: int
    best_agreement: float
    examples: list[dict[str, Any]]


def find_contradictions(rows: Sequence[PreparedRow], labels: Sequence[str]) -> Contradictions:
    """Count prompts that are answered in different ways. They are never dropped: several right answers are normal.

    `labels` names the sources, for the examples.
    """
    asked = Counter(row.question for row in rows)
    answers: defaultdict[bytes, list[PreparedRow]] = defaultdict(list)
    for row in rows:
        if asked[row.question] > 1:
            answers[row.question].append(row)
    best = sum(1 for count in asked.values() if count == 1)
    contradictory = []
    for same in answers.values():
        counts = Counter(row.answer for row in same)
        best += max(counts.values())
        if len(counts) > 1:
            contradictory.append(same)
    return Contradictions(
        prompts=len(contradictory),
        rows=sum(len(same) for same in contradictory),
        best_agreement=best / len(rows) if rows else 1.0,
        examples=[_example(same, labels) for same in contradictory[:EXAMPLES]],
    )


def _example(rows: Sequence[PreparedRow], labels: Sequence[str]) -> dict[str, Any]:
    different = {row.answer: row for row in rows}
    prompt = next(message["content"] for message in reversed(rows[0].messages()) if message["role"] == "user")
    answers = [
        {"source": labels[row.source], "row": row.number, "answer": shorten(_last_answer(row))}
        for row in list(different.values())[:EXAMPLES]
    ]
    return {"prompt": shorten(prompt), "answers": answers}


def _last_answer(row: PreparedRow) -> str:
    last = next(message for message in reversed(row.messages()) if message["role"] == "assistant")
    return str(last["content"] or orjson.dumps(last.get("tool_calls", [])).decode())


def shorten(text: str, longest: int = 160) -> str:
    """The text, cut to `longest` characters, for reports."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
