"""Chats that were kept, as monitoring reads them: those of a window of time, by whom, and in which group they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

from datasets_src.checks.language import language_of
from datasets_src.interactions import Interaction, InteractionFilter, Interactions
from jobs.workspace import Workspace

Group = Literal["language", "tag", "length"]
# Tokens of the question with all before it.
LENGTHS = ((128, "up to 128 tokens"), (512, "129 to 512 tokens"), (2048, "513 to 2,048 tokens"))
LONGER, UNKNOWN_LENGTH = "more than 2,048 tokens", "unknown length"
NO_TAG, UNKNOWN_LANGUAGE = "no tag", "unknown language"


def chats_between(workspace: Workspace, since: float, until: float, *, only_rated: bool) -> Iterator[Interaction]:
    """Chats from `since` up to, not including, `until`; `only_rated`: those that were rated or corrected."""
    first, last = datetime.fromtimestamp(since, UTC).date(), datetime.fromtimestamp(until, UTC).date()
    chosen = InteractionFilter(date_from=first, date_to=last + timedelta(days=1), min_rating=1 if only_rated else None)
    for chat in Interactions(workspace).find(chosen):
        if since <= chat.time < until:
            yield chat


def person_of(chat: Interaction) -> str:
    """Whose chats belong together: the user's (as a hash), else the conversation's, else each is its own."""
    return chat.user or chat.conversation or f"chat {chat.id}"


def group_of(chat: Interaction, by: Group) -> str:
    """The group of a chat: the language of the last question, its tag, or how long it was."""
    if by == "tag":
        return chat.tag or NO_TAG
    if by == "length":
        return length_group(chat.prompt_tokens)
    asked = [message.get("content") for message in chat.prompt if message.get("role") == "user"]
    text = asked[-1] if asked and isinstance(asked[-1], str) else chat.answer
    return language_of(text) or UNKNOWN_LANGUAGE


def length_group(prompt_tokens: int | None) -> str:
    """The stretch of lengths that a question falls into."""
    if prompt_tokens is None or prompt_tokens < 0:
        return UNKNOWN_LENGTH
    return next((name for most, name in LENGTHS if prompt_tokens <= most), LONGER)
