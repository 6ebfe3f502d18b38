"""Mending a row's structure. Each function changes the row only where the result is sound, and else leaves it alone."""

from __future__ import annotations

from collections.abc import Sequence

from datasets_src.checks.check import CheckSettings
from datasets_src.checks.turn_order import blank, ending_parts, order_faults
from datasets_src.rows import PARTS, Candidate, Turn

Parts = dict[str, list[Turn]]


def fix_empty(row: Candidate, _settings: CheckSettings) -> None:
    """Remove empty turns; where the last answer is one, its question too."""
    without = {name: [turn for turn in turns if not blank(turn)] for name, turns in row.parts.items()}
    for parts in (without, _cut_back(row, without)):
        if _in_order(row, parts) and _answered(row, parts):
            row.parts = parts
            return


def fix_order(row: Candidate, _settings: CheckSettings) -> None:
    """Join neighbours of one role, drop a greeting before the first question and system prompts that come late."""
    first = PARTS[row.kind][0]
    parts = {name: _without_greeting(turns) if name == first else turns for name, turns in row.parts.items()}
    parts = {name: _joined(_without_late_systems(turns, name == first)) for name, turns in parts.items()}
    if _in_order(row, parts):
        row.parts = parts


def fix_unanswered(row: Candidate, _settings: CheckSettings) -> None:
    """Cut every conversation back to its last answer."""
    parts = _cut_back(row, row.parts)
    if _answered(row, parts):
        row.parts = parts


def _in_order(row: Candidate, parts: Parts) -> bool:
    return not any(fault for turns in _with(row, parts).conversations() for fault in order_faults(turns))


def _answered(row: Candidate, parts: Parts) -> bool:
    """Whether every conversation asks something, and every part that is to end with an answer does."""
    asked = all(any(turn.role == "user" for turn in turns) for turns in _with(row, parts).conversations())
    endings = [parts.get(name) for name in ending_parts(row)]
    return asked and all(turns and turns[-1].role == "assistant" for turns in endings)


def _with(row: Candidate, parts: Parts) -> Candidate:
    return Candidate(row.kind, parts)


def _cut_back(row: Candidate, parts: Parts) -> Parts:
    """The parts, each that is to end with an answer without what follows its last one."""
    endings = ending_parts(row)
    return {name: _up_to_answer(turns) if name in endings else turns for name, turns in parts.items()}


def _up_to_answer(turns: Sequence[Turn]) -> list[Turn]:
    answers = [place for place, turn in enumerate(turns) if turn.role == "assistant"]
    return list(turns[: answers[-1] + 1]) if answers else []


def _without_greeting(turns: Sequence[Turn]) -> list[Turn]:
    """Without the assistant's turns before the first question, where one follows and none of them calls a tool."""
    start = next((place for place, turn in enumerate(turns) if turn.role == "user"), None)
    if start is None or any("tool_calls" in turn.message for turn in turns[:start]):
        return list(turns)
    return [turn for place, turn in enumerate(turns) if place >= start or turn.role != "assistant"]


def _without_late_systems(turns: Sequence[Turn], is_first: bool) -> list[Turn]:
    """Without system prompts after the beginning; several at the beginning stay, to be joined."""
    kept: list[Turn] = []
    for turn in turns:
        late = not is_first or any(before.role != "system" for before in kept)
        if turn.role != "system" or not late:
            kept.append(turn)
    return kept


def _joined(turns: Sequence[Turn]) -> list[Turn]:
    """Neighbouring texts of one role as one turn, with a blank line between them."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and _can_join(joined[-1], turn):
            text = f"{joined[-1].text}\n\n{turn.text}".strip()
            joined[-1] = Turn({**joined[-1].message, **turn.message, "content": text}, joined[-1].field)
        else:
            joined.append(turn)
    return joined


def _can_join(before: Turn, after: Turn) -> bool:
    """A turn that called a tool is followed by the tool's answer, so nothing is joined to it; results stay apart."""
    role = after.role
    same = role == before.role and role in ("system", "user", "assistant")
    texts = all(isinstance(turn.message.get("content"), str) for turn in (before, after))
    return same and texts and "tool_calls" not in before.message
