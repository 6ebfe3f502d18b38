"""What makes a row unusable: it can't be read, a turn is missing or empty, roles are out of order, no answer ends it.

Mending is in structure_fixes.py.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from datasets_src.checks.check import CheckSettings, RowCheck
from datasets_src.checks.structure_fixes import fix_empty, fix_order, fix_unanswered
from datasets_src.checks.turn_order import MAY_FOLLOW, blank, ending_parts, order_faults
from datasets_src.readers import json_type
from datasets_src.rows import Candidate, Finding, Message, Turn


def find_unreadable(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """What was met while the row was converted from its source's columns."""
    yield from row.findings


def find_missing(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Contents that are not there, or no text."""
    if row.kind == "text" and not row.parts.get("text"):
        yield Finding("text", "is missing", "there is nothing to learn from")
    for turn in row.turns():
        content = turn.message.get("content")
        if not isinstance(content, str):
            if content is None:
                yield Finding(turn.field, "is missing", _why_needed(turn.role))
            else:
                yield Finding(turn.field, f"is {json_type(content)}, not text", "a model reads and writes text")


def find_empty(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Turns without a visible sign, but for calls of tools and for what tools answer."""
    for turn in row.turns():
        if blank(turn):
            yield Finding(turn.field, "is empty", _why_needed(turn.role))


def find_unknown_role(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """Roles other than system, user, assistant and tool."""
    known = ("text",) if row.kind == "text" else MAY_FOLLOW
    for turn in row.turns():
        if turn.role not in known:
            why = "known are system, user (human), assistant (gpt), tool (observation) and function_call"
            yield Finding(turn.field, f"has the unknown role '{turn.role}'", why)


def find_order(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """A system prompt may begin; then user and assistant take turns; a tool answers a call."""
    conversations = row.conversations()
    if len(conversations) == 1:
        yield from order_faults(conversations[0])
    else:
        # The prompt stands in both.
        yield from dict.fromkeys(fault for turns in conversations for fault in order_faults(turns))


def find_unanswered(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """The last turn is not the assistant's; of a preference the last one of either answer."""
    for name in ending_parts(row):
        turns = row.parts.get(name, [])
        which = f"{name} answer" if row.kind == "preference" else "answer"
        if not turns and row.kind == "conversation":
            yield Finding("", "has no turns", "there is nothing to learn from")
        elif not turns:
            yield Finding(name, f"has no {which}", "there is nothing to learn from")
        elif turns[-1].role in ("user", "system", "tool"):
            why = f"the last turn is the {turns[-1].role}'s, so nothing is learned from it"
            yield Finding(turns[-1].field, f"has no {which}", why)


def find_equal_pair(row: Candidate, _settings: CheckSettings) -> Iterator[Finding]:
    """A chosen and a rejected answer that say the same."""
    if row.kind != "preference":
        return
    chosen, rejected = (row.parts.get(name, []) for name in ("chosen", "rejected"))
    if chosen and _compared(chosen) == _compared(rejected):
        yield Finding(rejected[0].field, "equals the chosen answer", "there is no preference to learn")


def _compared(turns: list[Turn]) -> list[Message]:
    """The turns without what no reader sees: runs of white space, and how accents are composed."""
    return [
        {**turn.message, "content": " ".join(unicodedata.normalize("NFC", turn.text).split())}
        if isinstance(turn.message.get("content"), str)
        else turn.message
        for turn in turns
    ]


def _why_needed(role: str) -> str:
    if role == "assistant":
        return "without an answer there is nothing to learn from"
    return {"user": "the model would be asked nothing", "text": "there is nothing to learn from"}.get(
        role, "it says nothing"
    )


CHECKS = (
    RowCheck(
        "unreadable",
        "Rows that can't be read",
        "Their columns don't hold what the format asks for, such as a turn without a role. If many rows have "
        "this, the "
        "format or the column names are probably wrong.",
        "structure",
        "stop",
        find=find_unreadable,
    ),
    RowCheck(
        "missing_content",
        "Missing content",
        "A turn has no content, or a number or list where text belongs. Nothing can be learned from a gap: mend "
        "such rows "
        "in their source, or drop them.",
        "structure",
        "stop",
        find=find_missing,
    ),
    RowCheck(
        "empty_turn",
        "Empty turns",
        "A turn holds nothing but white space: the model would be asked nothing, or learn to answer nothing. Fixing "
        "removes the turn, and a question that it leaves open at the end, where the rest is a sound conversation.",
        "structure",
        "stop",
        "removes the turn where the rest is sound",
        find_empty,
        fix_empty,
    ),
    RowCheck(
        "unknown_role",
        "Unknown roles",
        "Somebody speaks who is neither system, user, assistant nor tool, so it is unclear what the model shall "
        "learn "
        "to say. Name the roles in the source, or drop the rows.",
        "structure",
        "stop",
        find=find_unknown_role,
    ),
    RowCheck(
        "role_order",
        "Wrong order of roles",
        "User and assistant don't take turns, a system prompt comes late, or a tool answers without a call. "
        "Fixing joins "
        "neighbouring turns of one role, and drops a greeting before the first question and late system prompts, "
        "where that makes the row sound.",
        "structure",
        "stop",
        "joins or drops turns where that makes it sound",
        find_order,
        fix_order,
    ),
    RowCheck(
        "unanswered",
        "No answer at the end",
        "The last turn is not the assistant's, so what it asks stays open. Fixing cuts the row back to its last "
        "answer, where it has one.",
        "structure",
        "stop",
        "cuts back to the last answer",
        find_unanswered,
        fix_unanswered,
    ),
    RowCheck(
        "chosen_equals_rejected",
        "Chosen equals rejected",
        "Both answers of a preference pair say the same, apart from white space. There is no preference to learn "
        "from "
        "them.",
        "structure",
        "stop",
        find=find_equal_pair,
    ),
)
