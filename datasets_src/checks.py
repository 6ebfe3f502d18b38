"""What makes a row unusable. A check is a plain function from a conversation to its findings; add one to CHECKS."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from datasets_src.readers import json_type
from datasets_src.rows import Conversation, Finding

Check = Callable[[Conversation], Iterator[Finding]]

# Who may speak after whom; None stands for the beginning.
MAY_FOLLOW = {
    None: ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("tool", "assistant"),
}


def contents_are_text(conversation: Conversation) -> Iterator[Finding]:
    """Every turn's content is there and is text."""
    for message, field in zip(conversation.messages, conversation.fields, strict=True):
        content = message["content"]
        if content is None:
            yield Finding(field, "is missing", _why_needed(message["role"]))
        elif not isinstance(content, str):
            yield Finding(field, f"is {json_type(content)}, not text", "a model reads and writes text")


def turns_are_not_empty(conversation: Conversation) -> Iterator[Finding]:
    """No turn is blank, but for a turn that calls a tool and for what a tool answers."""
    for message, field in zip(conversation.messages, conversation.fields, strict=True):
        content = message["content"]
        may_be_blank = "tool_calls" in message or message["role"] == "tool"
        if isinstance(content, str) and not content.strip() and not may_be_blank:
            yield Finding(field, "is empty", _why_needed(message["role"]))


def roles_are_known(conversation: Conversation) -> Iterator[Finding]:
    """Every role is system, user, assistant or tool."""
    for message, field in zip(conversation.messages, conversation.fields, strict=True):
        if message["role"] not in MAY_FOLLOW:
            why = "known are system, user (human), assistant (gpt), tool (observation) and function_call"
            yield Finding(field, f"has the unknown role '{message['role']}'", why)


def roles_take_turns(conversation: Conversation) -> Iterator[Finding]:
    """A system prompt may begin; then user and assistant take turns; tool results stand between two assistant turns."""
    before: str | None = None
    for message, field in zip(conversation.messages, conversation.fields, strict=True):
        role = message["role"]
        if role in MAY_FOLLOW and before in MAY_FOLLOW and role not in MAY_FOLLOW[before]:
            place = "begins the row" if before is None else f"follows {before}"
            expected = " or ".join(MAY_FOLLOW[before])
            yield Finding(field, f"wrong order: {role} {place}", f"expected there is {expected}")
        before = role


def has_an_answer(conversation: Conversation) -> Iterator[Finding]:
    """The last turn is the assistant's."""
    if not conversation.messages:
        yield Finding("", "has no turns", "there is nothing to learn from")
    elif conversation.messages[-1]["role"] in ("user", "system", "tool"):
        role = conversation.messages[-1]["role"]
        why = f"the last turn is the {role}'s, so nothing is learned from it"
        yield Finding(conversation.fields[-1], "has no answer", why)


CHECKS: tuple[Check, ...] = (contents_are_text, turns_are_not_empty, roles_are_known, roles_take_turns, has_an_answer)


def check_conversation(conversation: Conversation) -> list[Finding]:
    """Everything wrong with a row. A row that could not be converted whole shows only why, not what follows from it."""
    if conversation.findings:
        return conversation.findings
    return [finding for check in CHECKS for finding in check(conversation)]


def _why_needed(role: str) -> str:
    if role == "assistant":
        return "without an answer there is nothing to learn from"
    return "the model would be asked nothing" if role == "user" else "it says nothing"
