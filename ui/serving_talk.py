"""The chat with a running server: what was said, kept on disk; of each answer who gave it and what people think."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Any

from datasets_src.interactions.records import THUMB_DOWN, THUMB_UP
from jobs.errors import BadInput, Missing, UserError
from jobs.workspace import Workspace
from ui.clicks import button
from ui.drafts import read_draft, save_draft
from ui.inert import inert
from ui.serving_client import Answer, Asked, ask, send_feedback

DRAFT = "serving_chat"
MOST_TURNS = 50
ABOUT = ("user", "tag", "reasoning_mode")


@dataclass(frozen=True)
class Turn:
    """One question and its answer. `address`: the server that gave it, to which feedback goes."""

    asked: str
    address: str
    answer_id: str
    model: str
    route: str
    reason: str
    text: str
    rating: int | None = None
    edit: str | None = None


def read_turns(workspace: Workspace) -> list[Turn]:
    """The conversation so far; empty where what is kept is of another version of Hearth."""
    kept = read_draft(workspace, DRAFT).get("turns", [])
    try:
        return [Turn(**each) for each in kept]
    except TypeError:
        return []


def save_turns(workspace: Workspace, turns: list[Turn]) -> None:
    save_draft(workspace, DRAFT, turns=[asdict(turn) for turn in turns[-MOST_TURNS:]] or None)


def read_about(workspace: Workspace) -> dict[str, str]:
    """What requests say about who asks."""
    kept = read_draft(workspace, DRAFT)
    return {name: str(kept.get(name, "")) for name in ABOUT}


def keep_about(workspace: Workspace, **about: str) -> None:
    save_draft(workspace, DRAFT, **{name: value.strip() or None for name, value in about.items()})


def say(workspace: Workspace, address: str, key: str, model: str, text: str) -> Iterator[str]:
    """Ask and keep the answer; the conversation as HTML while it grows. Raises what the server does."""
    if not text.strip():
        raise BadInput("There is nothing to ask.", "The message is empty.", "Write something first.")
    turns = read_turns(workspace)
    history = [message for turn in turns for message in _messages(turn)]
    about = read_about(workspace)
    asked = Asked([*history, {"role": "user", "content": text}], model, **about)
    yield talk_html(turns, text)
    answer = Answer("", "", "", "")
    for answer in ask(address, key, asked):
        yield talk_html(turns, text, answer)
    kept = Turn(text, address, answer.id, answer.model, answer.route, answer.reason, answer.text)
    # What was said meanwhile on another page stays.
    save_turns(workspace, [*read_turns(workspace), kept])
    yield talk_html(read_turns(workspace))


def _messages(turn: Turn) -> list[dict[str, str]]:
    return [{"role": "user", "content": turn.asked}, {"role": "assistant", "content": turn.edit or turn.text}]


def turn_of(workspace: Workspace, answer_id: str) -> Turn:
    """The turn with that answer. Raises Missing for one of a conversation that was cleared meanwhile."""
    found = [turn for turn in read_turns(workspace) if turn.answer_id == answer_id]
    if not found:
        raise Missing("That answer isn't shown any more.", "The conversation was begun anew.", "Rate a newer one.")
    return found[0]


def rate(workspace: Workspace, key: str, answer_id: str, *, good: bool) -> None:
    """Send a thumb, and show it once the server kept it."""
    rating = THUMB_UP if good else THUMB_DOWN
    _told(workspace, key, turn_of(workspace, answer_id), rating=rating)


def correct(workspace: Workspace, key: str, answer_id: str, text: str) -> None:
    """Send the answer as it should have been. Raises BadInput where nothing was changed."""
    turn = turn_of(workspace, answer_id)
    if not text.strip() or text == turn.text:
        raise BadInput("Nothing was changed.", "A correction says the answer as it should be.", "Edit it first.")
    _told(workspace, key, turn, edit=text)


def _told(workspace: Workspace, key: str, turn: Turn, **said: Any) -> None:
    try:
        send_feedback(turn.address, key, turn.answer_id, **said)
    except UserError as problem:
        raise type(problem)("The feedback was not kept.", problem.why, problem.fix) from problem
    now = [replace(each, **said) if each.answer_id == turn.answer_id else each for each in read_turns(workspace)]
    save_turns(workspace, now)


def talk_html(turns: list[Turn], asking: str = "", answer: Answer | None = None) -> str:
    """The conversation, and below it what is being asked and answered now."""
    shown = "".join(f'<div class="asked">{inert(turn.asked)}</div>{_turn(turn)}' for turn in turns)
    if asking:
        body = inert(answer.text) if answer and answer.text else '<span class="quiet">…</span>'
        head = _who(answer.model, answer.route, answer.reason) if answer else ""
        shown += f'<div class="asked">{inert(asking)}</div><div class="answer writing">{head}'
        shown += f'<div class="text">{body}</div></div>'
    return f'<div class="hearth-chat">{shown}</div>' if shown else ""


def _turn(turn: Turn) -> str:
    about = turn.answer_id
    acts = button("good", about, "Good", pressed=turn.rating == THUMB_UP, label="A good answer")
    acts += button("poor", about, "Poor", pressed=turn.rating == THUMB_DOWN, label="A poor answer")
    acts += button("correct", about, "Correct…", label="Write the answer as it should have been")
    text = inert(turn.text) if turn.text else '<span class="quiet">(empty answer)</span>'
    edit = f'<div class="quiet">Corrected: {inert(turn.edit)}</div>' if turn.edit else ""
    return (
        f'<div class="answer done">{_who(turn.model, turn.route, turn.reason)}<div class="text">{text}</div>{edit}'
        f'<div class="acts">{acts}</div></div>'
    )


def _who(model: str, route: str, reason: str) -> str:
    """Whose answer it is, and how it came to be asked."""
    if not model:
        return ""
    return (
        f'<div class="who"><b>{escape(model)}</b> <span class="chip">{escape(route)}</span> '
        f'<span class="quiet">{escape(reason)}</span></div>'
    )
