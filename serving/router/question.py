"""What a route is chosen by: the text that was asked, and what the request says about itself."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from serving.engines.engine import Ask, Message

LONGEST_LOOKED_AT = 20_000


@dataclass(frozen=True)
class Question:
    """One request. `text`: what was asked, cut by `looked_at`. Who asks: `user`, else `conversation` keeps weights
    sticky."""

    text: str
    tag: str | None = None
    reasoning_mode: str | None = None
    user: str | None = None
    conversation: str | None = None

    @classmethod
    def of(
        cls,
        ask: Ask,
        *,
        tag: str | None = None,
        reasoning_mode: str | None = None,
        user: str | None = None,
        conversation: str | None = None,
    ) -> Self:
        """The question of a request: its last user message, or the text that it wants continued."""
        text = ask.prompt if ask.prompt is not None else question_text(ask.messages)
        return cls(looked_at(text), tag, reasoning_mode, user, conversation)

    @property
    def asker(self) -> str | None:
        """Whom weights stick to; None for a request that tells neither user nor conversation."""
        if self.user:
            return f"user:{self.user}"
        return f"conversation:{self.conversation}" if self.conversation else None


def question_text(messages: Sequence[Message]) -> str:
    """The text of the last user message, "" where there is none. Of content in parts, the parts that are text."""
    content = next((each.get("content") for each in reversed(messages) if each.get("role") == "user"), "")
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def looked_at(text: str, longest: int = LONGEST_LOOKED_AT) -> str:
    """The beginning and the end of a long text: what is wanted stands before or after what was pasted."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]}\n{text[-half:]}"


def plain(text: str) -> str:
    """The text for comparison: upper and lower case, ways of writing a sign (NFKC) and runs of blanks are the same."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
