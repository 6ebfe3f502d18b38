"""A side-by-side conversation: kept as a draft that names the chat jobs' requests; the answers are read from there.

It outlives the chat job: when that was closed to free the machine, the next question goes to a new one.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from ui.drafts import read_draft, save_draft

DRAFT = "chat"
SIDES = {"base": "Base model", "tuned": "Tuned model"}


@dataclass(frozen=True)
class Ask:
    """A request to a chat job, and the sides that were asked to answer."""

    job: str
    request: str
    sides: list[str]


@dataclass(frozen=True)
class Turn:
    """What was asked, and whom."""

    text: str
    asks: list[Ask] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """One side's answer so far. Seconds are its own work alone."""

    text: str = ""
    done: bool = False
    seconds: float | None = None
    tokens: int | None = None
    error: str | None = None


def read_turns(workspace: Workspace) -> list[Turn]:
    draft = read_draft(workspace, DRAFT)
    return [Turn(turn["text"], [Ask(**ask) for ask in turn["asks"]]) for turn in draft.get("turns", [])]


def save_turns(workspace: Workspace, turns: list[Turn]) -> None:
    save_draft(workspace, DRAFT, turns=[asdict(turn) for turn in turns])


def ask(workspace: Workspace, job: JobDirectory, text: str, sides: list[str], max_new_tokens: int) -> None:
    """Put a question to the sides. They share a request while their conversations are the same."""
    turns = read_turns(workspace)
    histories = {side: history(workspace, turns, side) for side in sides}
    shared = all(histories[side] == histories[sides[0]] for side in sides)
    asks = []
    for number, group in enumerate([sides] if shared else [[side] for side in sides]):
        request = f"{time.time_ns():020d}-{number}"
        messages = [*histories[group[0]], {"role": "user", "content": text}]
        job.ask(request, {"messages": messages, "sides": group, "max_new_tokens": max_new_tokens})
        asks.append(Ask(job.id, request, group))
    save_turns(workspace, [*turns, Turn(text, asks)])


def history(workspace: Workspace, turns: list[Turn], side: str) -> list[dict[str, str]]:
    """The conversation as `side` knows it: only turns that it answered."""
    messages: list[dict[str, str]] = []
    for turn in turns:
        answer = answer_of(workspace, turn, side)
        if answer is not None and answer.done and answer.error is None and answer.text:
            messages += [{"role": "user", "content": turn.text}, {"role": "assistant", "content": answer.text}]
    return messages


def answer_of(workspace: Workspace, turn: Turn, side: str) -> Answer | None:
    """What a side has answered so far; None where it was not asked."""
    found = next((each for each in turn.asks if side in each.sides), None)
    if found is None:
        return None
    parts = JobDirectory(workspace.jobs / found.job).replies(found.request)
    own = [part for part in parts if part.get("side") == side]
    end: dict[str, Any] = next((part for part in own if part.get("done")), {})
    error = next((part["error"] for part in parts if "error" in part), None)
    return Answer(
        text="".join(part.get("text", "") for part in own),
        done=bool(end) or any(part.get("finished") for part in parts),
        seconds=end.get("seconds"),
        tokens=end.get("tokens"),
        error=f"{error['what']} {error['fix']}" if error else None,
    )


def finished(workspace: Workspace) -> bool:
    """Whether nobody is still to answer the last question."""
    turns = read_turns(workspace)
    answers = [answer_of(workspace, turns[-1], side) for side in SIDES] if turns else []
    return all(answer is None or answer.done for answer in answers)


def conversation_html(workspace: Workspace) -> str:
    """Each question with the answers beside each other."""
    parts = []
    for turn in read_turns(workspace):
        answers = "".join(_answer_html(workspace, turn, side) for side in SIDES)
        parts.append(f'<div class="asked">{_lines(turn.text)}</div><div class="answers">{answers}</div>')
    return f'<div class="hearth-chat">{"".join(parts)}</div>' if parts else ""


def _answer_html(workspace: Workspace, turn: Turn, side: str) -> str:
    answer = answer_of(workspace, turn, side)
    if answer is None:
        return ""
    about = ""
    if answer.seconds and answer.tokens:
        about = f"{answer.tokens} tokens in {answer.seconds:.1f} s"
    body = escape(answer.error) if answer.error else _lines(answer.text)
    if not body:
        body = '<span class="quiet">(empty answer)</span>' if answer.done else '<span class="quiet">…</span>'
    state = "done" if answer.done else "writing"
    head = f'<b>{SIDES[side]}</b> <span class="quiet">{about}</span>'
    return f'<div class="answer {side} {state}">{head}<div>{body}</div></div>'


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")
