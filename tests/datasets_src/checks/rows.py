"""Small rows for the tests of checks, and what a check finds in them."""

from __future__ import annotations

from typing import Any

from datasets_src.checks import ROW_CHECKS, CheckSettings, RowCheck
from datasets_src.rows import Candidate, Finding

Said = tuple[str, Any]


def chat(*turns: Said) -> Candidate:
    """A conversation; a turn is its role and its content."""
    row = Candidate()
    for number, (role, content) in enumerate(turns, start=1):
        row.add("messages", role, content, f"messages, turn {number}")
    return row


def answer(text: Any) -> Candidate:
    """A question with this answer."""
    return chat(("user", "What do you say?"), ("assistant", text))


def pair(chosen: Any, rejected: Any) -> Candidate:
    """A preference: two answers to one prompt."""
    row = Candidate("preference")
    row.add("prompt", "user", "Which is better?", "prompt")
    row.add("chosen", "assistant", chosen, "chosen")
    row.add("rejected", "assistant", rejected, "rejected")
    return row


def check(name: str) -> RowCheck:
    return next(check for check in ROW_CHECKS if check.name == name)


def find(name: str, row: Candidate, *languages: str) -> list[Finding]:
    """Everything that the check of this name finds."""
    return list(check(name).find(row, CheckSettings(languages)))


def fixed(name: str, row: Candidate) -> list[str]:
    """The row's texts after the check has mended it."""
    mend = check(name).fix
    assert mend is not None
    mend(row, CheckSettings())
    return [turn.text for turn in row.turns()]


def said(row: Candidate) -> list[Said]:
    return [(turn.role, turn.message["content"]) for turn in row.turns()]
