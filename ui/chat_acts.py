"""What is done in a chat: asking, voting, rating, correcting. Votes and ratings go to the interactions store."""

from __future__ import annotations

from typing import Any

from datasets_src.interactions.records import THUMB_DOWN, THUMB_UP, Interaction, Vote
from datasets_src.interactions.store import Interactions
from evaluation.chat_spec import ChatSpec
from jobs import launcher
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from models.hardware import probe
from ui.chat_models import chosen_models, settings_of, short_name
from ui.conversation import (
    DRAFT,
    Turn,
    all_shown,
    answers_of,
    ask,
    begin_conversation,
    change_turn,
    history,
    read_conversation,
)  # fmt: skip
from ui.drafts import read_draft, save_draft


def is_blind(workspace: Workspace) -> bool:
    return bool(read_draft(workspace, DRAFT).get("blind"))


def running_chat(workspace: Workspace) -> JobDirectory | None:
    """The chat job that is alive, if any."""
    jobs = workspace.list_jobs("chat")[:1]
    return jobs[0] if jobs and jobs[0].status().state.active else None


def open_chat(workspace: Workspace) -> JobDirectory:
    """The running chat with the chosen models; else a new one, after closing one with others. Raises Missing."""
    models = chosen_models(workspace)
    spec = ChatSpec.parse({"models": models})
    chat = running_chat(workspace)
    if chat is not None and chat.header["spec"]["models"] == models:
        return chat
    if chat is not None:
        launcher.stop(chat)
    title = "Chat with " + ", ".join(short_name(workspace, model) for model in models)
    resource = probe(workspace.root).resource
    return launcher.start(workspace, "chat", spec.model_dump(mode="json"), title=title, resource=resource)


def send(workspace: Workspace, text: str) -> None:
    """Ask the chosen models, opening the chat where it isn't. Raises BadInput for an empty question."""
    if not text.strip():
        raise BadInput(
            "There is nothing to ask.", "The message is empty.", "Write a question, or take a held-out prompt."
        )
    if not all_shown(workspace) and running_chat(workspace) is not None:
        raise BadInput("The last question isn't answered yet.", "A model still writes.", "Wait, or close the chat.")
    blind = is_blind(workspace)
    if blind and len(chosen_models(workspace)) < 2:
        raise BadInput("One model is chosen.", "A blind comparison needs two.", "Choose another one beside it.")
    job = open_chat(workspace)
    conversation = read_conversation(workspace)
    path = conversation.path()
    editing = read_draft(workspace, DRAFT).get("editing")
    parent = conversation.turns[editing].parent if editing in conversation.turns else conversation.at
    if _others_asked(path, job, blind):
        begin_conversation(workspace)
        parent = None
    ask(workspace, job, text.strip(), settings_of(workspace), parent=parent, blind=blind)
    save_draft(workspace, DRAFT, editing=None)


def job_models(job: JobDirectory) -> list[str]:
    return list(job.header["spec"]["models"])


def _others_asked(path: list[Turn], job: JobDirectory, blind: bool) -> bool:
    """Whether the conversation so far was led with other models, or not as blindly: then another one begins."""
    if not path:
        return False
    return path[-1].blind != blind or not set(path[-1].models) <= set(job_models(job))


def retry(workspace: Workspace, turn: Turn) -> None:
    """Ask the same again beside it, with the next seed (which tells only where the temperature is above 0)."""
    beside = len(read_conversation(workspace).branches(turn))
    settings = [{**each, "seed": each["seed"] + beside} for each in settings_of(workspace)]
    ask(workspace, open_chat(workspace), turn.text, settings, parent=turn.parent, blind=turn.blind)


def vote(workspace: Workspace, turn: Turn, preferred: str, comment: str) -> None:
    """Keep a vote on the two answers, with everything that repeats them. Raises BadInput for a second one."""
    if turn.vote is not None:
        raise BadInput("This was voted on.", "Each pair of answers has one vote.", "Ask the next question.")
    conversation = read_conversation(workspace)
    before = _before(workspace, turn)
    answers = answers_of(workspace, turn)
    prompts = [_prompt(workspace, turn, before, side) for side in (0, 1)]
    sampling: dict[str, Any] = {"a": turn.sampling[0], "b": turn.sampling[1]}
    if prompts[0] != prompts[1]:
        sampling["prompt_b"] = prompts[1]
    record = Vote(
        prompt=prompts[0],
        answer_a=answers[0].text,
        answer_b=answers[1].text,
        preferred=preferred,  # type: ignore[arg-type]
        model_a=turn.models[0],
        model_b=turn.models[1],
        conversation=conversation.id,
        blind=not conversation.revealed,
        sampling=sampling,
        comment=comment.strip() or None,
    )
    Interactions(workspace).vote(record)
    change_turn(workspace, turn.id, vote=preferred)


def rate(workspace: Workspace, turn: Turn, letter: str, good: bool) -> None:
    """Keep an answer with a thumb up or down."""
    store = Interactions(workspace)
    store.rate(_kept(workspace, store, turn, letter), THUMB_UP if good else THUMB_DOWN)


def correct(workspace: Workspace, turn: Turn, letter: str, text: str, comment: str) -> None:
    """Keep an answer with the text that it should have been, and why. Raises BadInput for an empty one."""
    store = Interactions(workspace)
    known = _kept(workspace, store, turn, letter)
    store.correct(known, text)
    if comment.strip():
        store.comment(known, comment.strip())


def _kept(workspace: Workspace, store: Interactions, turn: Turn, letter: str) -> int:
    """The id of an answer in the store, where it is written the first time that anything is said of it."""
    if letter in turn.kept:
        return turn.kept[letter]
    side = turn.letters.index(letter)
    answer = answers_of(workspace, turn)[side]
    known = store.record(
        Interaction(
            prompt=_prompt(workspace, turn, _before(workspace, turn), side),
            answer=answer.text,
            model=turn.models[side],
            conversation=read_conversation(workspace).id,
            prompt_tokens=answer.prompt_tokens,
            answer_tokens=answer.tokens,
            sampling=turn.sampling[side],
        )
    )
    change_turn(workspace, turn.id, kept={**turn.kept, letter: known})
    return known


def _before(workspace: Workspace, turn: Turn) -> list[Turn]:
    """The turns of the shown branch before this one."""
    path = read_conversation(workspace).path()
    return path[: [each.id for each in path].index(turn.id)]


def _prompt(workspace: Workspace, turn: Turn, before: list[Turn], side: int) -> list[dict[str, Any]]:
    """All messages that a side was given."""
    system = turn.sampling[side].get("system")
    first = [{"role": "system", "content": system}] if system else []
    return [*first, *history(workspace, before, side), {"role": "user", "content": turn.text}]


def turn_of(workspace: Workspace, turn_id: str) -> Turn:
    """A turn that is shown. Raises Missing for one that is not."""
    for turn in read_conversation(workspace).path():
        if turn.id == turn_id:
            return turn
    raise Missing("This question isn't shown any more.", "The conversation was begun anew.", "Ask again.")


def next_prompt(workspace: Workspace) -> str:
    """The next prompt of the list, and a new conversation for it. Raises Missing at its end or without a list."""
    draft = read_draft(workspace, DRAFT)
    prompts = [line.strip() for line in str(draft.get("prompts", "")).splitlines() if line.strip()]
    done = int(draft.get("prompts_done", 0))
    if done >= len(prompts):
        raise Missing(
            f"All {len(prompts)} prompts of the list were asked." if prompts else "There is no list of prompts.",
            "One prompt stands on each line.",
            "Write more of them, or ask freely.",
        )
    save_draft(workspace, DRAFT, prompts_done=done + 1)
    begin_conversation(workspace)
    return prompts[done]
