"""A conversation with several models: a tree of turns, kept as a draft that names the chat jobs' requests.

A turn that is edited or tried again is a branch beside the first; `at` is the turn that is shown last. The answers are
read from the jobs, so the conversation outlives them, a refresh and a restart. Sides are lettered in the order shown,
which in a blind conversation is a shuffled one that never leaves the server.
"""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from ui.drafts import read_draft, save_draft

DRAFT = "chat"
LETTERS = "ABCD"
# A blind answer appears at this pace whoever wrote it: characters a second.
PACE = 150


@dataclass(frozen=True)
class Turn:
    """A question and whom it was put to; the lists have an entry for each side, in the order shown.

    `voices` are places among the job's models, `models` what these are called, `sampling` how each was asked (its
    system prompt too). `released`: when all answers of a blind turn were there, in seconds since 1970. `vote` is what
    was preferred; `kept` the ids of interactions by letter.
    """

    id: str
    parent: str | None
    text: str
    job: str
    request: str
    voices: list[int]
    models: list[str]
    sampling: list[dict[str, Any]]
    blind: bool = False
    released: float | None = None
    vote: str | None = None
    kept: dict[str, int] = field(default_factory=dict)

    @property
    def letters(self) -> str:
        return LETTERS[: len(self.voices)]


@dataclass(frozen=True)
class Answer:
    """One side's answer so far; figures are None until it is complete. Seconds and bytes are the chat job's own."""

    text: str = ""
    done: bool = False
    error: str | None = None
    seconds: float | None = None
    tokens: int | None = None
    time_to_first_token: float | None = None
    memory_bytes: int | None = None
    shared_by: int | None = None
    together: int | None = None
    prompt: list[Any] | None = None
    prompt_tokens: int | None = None


@dataclass(frozen=True)
class Conversation:
    """All turns by id, and the last one of the branch that is shown (None: nothing was said yet)."""

    id: str
    turns: dict[str, Turn]
    at: str | None

    def path(self) -> list[Turn]:
        """The shown branch, oldest first."""
        shown: list[Turn] = []
        known = self.at
        while known is not None:
            shown.append(self.turns[known])
            known = self.turns[known].parent
        return shown[::-1]

    def branches(self, turn: Turn) -> list[Turn]:
        """The turns beside this one, itself included, oldest first."""
        return [each for each in self.turns.values() if each.parent == turn.parent]

    def newest_below(self, turn: Turn) -> str:
        """The end of the branch of `turn` that was made last."""
        below = [each for each in self.turns.values() if each.parent == turn.id]
        return self.newest_below(below[-1]) if below else turn.id

    @property
    def revealed(self) -> bool:
        """Whether who is who may be known: nothing is blind, or a vote was given on the shown branch."""
        path = self.path()
        return not any(turn.blind for turn in path) or any(turn.vote for turn in path)


def read_conversation(workspace: Workspace) -> Conversation:
    draft = read_draft(workspace, DRAFT)
    turns = {values["id"]: Turn(**values) for values in draft.get("tree", [])}
    at = draft.get("at")
    return Conversation(str(draft.get("conversation", "")), turns, at if at in turns else None)


def save_conversation(workspace: Workspace, conversation: Conversation) -> None:
    tree = [asdict(turn) for turn in conversation.turns.values()]
    save_draft(workspace, DRAFT, tree=tree, at=conversation.at, conversation=conversation.id)


def begin_conversation(workspace: Workspace) -> None:
    """Forget the turns; the next question begins anew, in a blind chat with sides shuffled anew."""
    save_conversation(workspace, Conversation(secrets.token_hex(6), {}, None))


def change_turn(workspace: Workspace, turn_id: str, **changes: Any) -> None:
    conversation = read_conversation(workspace)
    if turn_id in conversation.turns:
        conversation.turns[turn_id] = replace(conversation.turns[turn_id], **changes)
        save_conversation(workspace, conversation)


def show_branch(workspace: Workspace, turn_id: str) -> None:
    """Show the branch that a turn is on, to its newest end."""
    conversation = read_conversation(workspace)
    if turn_id in conversation.turns:
        at = conversation.newest_below(conversation.turns[turn_id])
        save_conversation(workspace, replace(conversation, at=at))


def sides_for(conversation: Conversation, voices: int, blind: bool) -> list[int]:
    """Which models answer next, in the order shown. Blind: two of them, shuffled once for the conversation."""
    path = conversation.path()
    if not blind:
        return list(range(voices))
    if path and path[-1].blind:
        return path[-1].voices
    return random.SystemRandom().sample(range(voices), min(2, voices))


def ask(
    workspace: Workspace,
    job: JobDirectory,
    text: str,
    settings: list[dict[str, Any]],
    *,
    parent: str | None,
    blind: bool = False,
) -> Turn:
    """Put a question to the job's models after the turn `parent`, in one request. `settings`: one for each model."""
    conversation = read_conversation(workspace)
    if not conversation.id:
        begin_conversation(workspace)
        conversation = read_conversation(workspace)
    before = replace(conversation, at=parent)
    models = list(job.header["spec"]["models"])
    sides = sides_for(before, len(models), blind)
    # Blind answers differ by the model alone.
    used = [settings[0] if blind else settings[voice] for voice in sides]
    asks = []
    for side, voice in enumerate(sides):
        sampling = {name: value for name, value in used[side].items() if name != "system"}
        said = [*history(workspace, before.path(), side), {"role": "user", "content": text}]
        system = [{"role": "system", "content": used[side]["system"]}] if used[side].get("system") else []
        asks.append({"voice": voice, "messages": [*system, *said], "sampling": sampling})
    request = f"{time.time_ns():020d}"
    # In the order of the models, not of the sides.
    job.ask(request, {"asks": sorted(asks, key=lambda each: each["voice"])})
    names = [models[voice] for voice in sides]
    turn = Turn(secrets.token_hex(6), parent, text, job.id, request, sides, names, used, blind)
    conversation.turns[turn.id] = turn
    save_conversation(workspace, replace(conversation, at=turn.id))
    return turn


def history(workspace: Workspace, path: list[Turn], side: int) -> list[dict[str, str]]:
    """The conversation as a side knows it. After a vote for one of two, both go on from the preferred answer."""
    messages: list[dict[str, str]] = []
    for turn in path:
        answers = answers_of(workspace, turn)
        known = {"a": 0, "b": 1}.get(turn.vote or "", side)
        answer = answers[known] if known < len(answers) else None
        if answer is not None and answer.done and answer.error is None and answer.text:
            messages += [{"role": "user", "content": turn.text}, {"role": "assistant", "content": answer.text}]
    return messages


def answers_of(workspace: Workspace, turn: Turn) -> list[Answer]:
    """What each side has answered so far."""
    parts = JobDirectory(workspace.jobs / turn.job).replies(turn.request)
    finished = any(part.get("finished") for part in parts)
    refused = next((part["error"] for part in parts if "error" in part and "voice" not in part), None)
    return [_answer([part for part in parts if part.get("voice") == voice], finished, refused) for voice in turn.voices]


def _answer(own: list[dict[str, Any]], finished: bool, refused: dict[str, str] | None) -> Answer:
    end = next((part for part in own if part.get("done")), {})
    error = end.get("error") or refused
    known = {name: end.get(name) for name in Answer.__dataclass_fields__ if name not in ("text", "done", "error")}
    return Answer(
        text="".join(part.get("text", "") for part in own),
        done=bool(end) or finished,
        error=f"{error['what']} {error['why']} {error['fix']}" if error else None,
        **known,
    )


def shown_answers(workspace: Workspace, turn: Turn, revealed: bool, now: float) -> list[Answer]:
    """The answers as they may be seen. Blind ones are held until all are there, then all appear at the same pace:
    when a text arrives tells nothing of who wrote it."""
    answers = answers_of(workspace, turn)
    if revealed:
        return answers
    if not all(answer.done for answer in answers):
        return [Answer() for _ in answers]
    if turn.released is None:
        change_turn(workspace, turn.id, released=now)
        return [Answer() for _ in answers]
    characters = int((now - turn.released) * PACE)
    whole = characters >= max(len(answer.text) for answer in answers)
    return [
        Answer(answer.text[:characters], done=whole, error="This model gave no answer." if answer.error else None)
        for answer in answers
    ]


def all_shown(workspace: Workspace) -> bool:
    """Whether nothing is still to appear in the last turn."""
    conversation = read_conversation(workspace)
    path = conversation.path()
    if not path:
        return True
    return all(each.done for each in shown_answers(workspace, path[-1], conversation.revealed, time.time()))
