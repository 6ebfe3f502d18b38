"""A conversation as HTML: each question, its branches, the answers beside each other, and what can be done with it."""

from __future__ import annotations

import time
from html import escape

from evaluation.report.text import visible
from jobs.workspace import Workspace
from ui.clicks import button
from ui.conversation import Answer, Conversation, Turn, read_conversation, shown_answers
from ui.inert import inert

VOTES = {"a": "A is better", "b": "B is better", "tie": "Both alike", "bad": "Both bad"}
MOST_TOKENS = 400


def conversation_html(workspace: Workspace, names: dict[str, str]) -> str:
    """The shown branch. `names`: what people call the models."""
    conversation = read_conversation(workspace)
    turns = [_turn(workspace, conversation, turn, names) for turn in conversation.path()]
    return f'<div class="hearth-chat">{"".join(turns)}</div>' if turns else ""


def _turn(workspace: Workspace, conversation: Conversation, turn: Turn, names: dict[str, str]) -> str:
    revealed = conversation.revealed
    answers = shown_answers(workspace, turn, revealed, time.time())
    last = turn.id == conversation.at
    ready = all(answer.done for answer in answers)
    shown = "".join(
        _answer(turn, side, answer, names if revealed else None, ready) for side, answer in enumerate(answers)
    )
    head = f'<div class="asked">{inert(turn.text)}{_moves(conversation, turn) if ready else ""}</div>'
    return f'{head}<div class="answers">{shown}</div>{_vote(turn, ready and last)}'


def _moves(conversation: Conversation, turn: Turn) -> str:
    """Edit, try again, and the way to the branches beside this one."""
    acts = button("edit", turn.id, "Edit", label="Ask this differently, beside what was asked")
    acts += button("retry", turn.id, "Try again", label="Ask again with another seed")
    beside = conversation.branches(turn)
    if len(beside) > 1:
        place = beside.index(turn)
        before = button("go", beside[place - 1].id, "‹", label="The branch before") if place else ""
        after = button("go", beside[place + 1].id, "›", label="The next branch") if place + 1 < len(beside) else ""
        acts += f'<span class="branches">{before} {place + 1} of {len(beside)} {after}</span>'
    return f'<div class="acts">{acts}</div>'


def _answer(turn: Turn, side: int, answer: Answer, names: dict[str, str] | None, ready: bool) -> str:
    letter = turn.letters[side]
    name = f" · {escape(names.get(turn.models[side], turn.models[side]))}" if names is not None else ""
    figures = f'<div class="figures quiet">{_figures(answer)}</div>' if names is not None and answer.done else ""
    body = f'<span class="warning">{inert(answer.error)}</span>' if answer.error else inert(answer.text)
    if not body:
        waiting = "…" if names is not None else "writing; shown when both are done"
        body = f'<span class="quiet">{"(empty answer)" if answer.done else waiting}</span>'
    acts = _answer_acts(turn, letter, names is not None and bool(answer.prompt)) if ready and not answer.error else ""
    state = "done" if answer.done else "writing"
    return f'<div class="answer {state}"><b>{letter}{name}</b><div class="text">{body}</div>{figures}{acts}</div>'


def _answer_acts(turn: Turn, letter: str, known_prompt: bool) -> str:
    about = f"{turn.id}:{letter}"
    acts = button("good", about, "Good", label="A good answer") + button("poor", about, "Poor", label="A poor answer")
    acts += button("correct", about, "Correct…", label="Write the answer as it should have been")
    if known_prompt:
        acts += button("tokens", about, "Prompt", label="The exact prompt, token by token")
    kept = ' <span class="quiet">kept</span>' if letter in turn.kept else ""
    return f'<div class="acts">{acts}{kept}</div>'


def _figures(answer: Answer) -> str:
    """Tokens, seconds, tokens/s, time to first token, memory: what is known of each."""
    parts = []
    if answer.tokens is not None and answer.seconds:
        parts.append(
            f"{answer.tokens} tokens in {answer.seconds:.1f} s ({answer.tokens / answer.seconds:.0f} tokens/s)"
        )
    if answer.time_to_first_token is not None:
        parts.append(f"first after {answer.time_to_first_token:.2f} s")
    if answer.memory_bytes:
        shared = f", shared by {answer.shared_by}" if (answer.shared_by or 1) > 1 else ""
        parts.append(f"{answer.memory_bytes / 1e9:.2f} GB{shared}")
    return " · ".join(parts)


def _vote(turn: Turn, open_to_vote: bool) -> str:
    if turn.vote is not None:
        return f'<div class="vote quiet">Your vote: {VOTES[turn.vote]}</div>'
    if not open_to_vote or len(turn.voices) != 2:
        return ""
    acts = "".join(button("vote", f"{turn.id}:{choice}", words) for choice, words in VOTES.items())
    return f'<div class="vote">{acts}</div>'


def prompt_html(turn: Turn, letter: str, answer: Answer) -> str:
    """The prompt as the model got it: each token with its id; the first ones of a long one."""
    pieces = (answer.prompt or [])[:MOST_TOKENS]
    tokens = "".join(
        f'<span class="token" translate="no" title="token {number}">'
        f"{escape(visible(text)).replace(chr(10), '↵<br>')}</span>"
        for number, text in pieces
    )
    count = answer.prompt_tokens or len(pieces)
    more = f" (the first {MOST_TOKENS} are shown)" if count > MOST_TOKENS else ""
    head = f"The prompt that {letter} got for “{inert(turn.text, 80)}”: {count:,} tokens{more}"
    return f'<div class="hearth-prompt"><p class="quiet">{head}</p><div>{tokens}</div></div>'
