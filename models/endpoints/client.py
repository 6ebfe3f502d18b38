"""What a chat endpoint is to the rest of Hearth: messages in, an Answer out, and the ways in which that fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

Message = dict[str, Any]


class FailureKind(StrEnum):
    """Why a request gave nothing that can be used. The first six: no answer came. The others: it was no good."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMIT = "rate limit"
    SERVER = "server error"
    BROKEN_OFF = "broken off"
    NOT_THE_API = "not the API"
    REFUSED = "request refused"
    EMPTY = "empty answer"
    CUT_SHORT = "cut short"
    PROSE = "prose instead of JSON"
    WRONG_SHAPE = "JSON of another shape"


class EndpointFailure(Exception):
    """A request that brought no answer. `retry_after`: how many seconds the endpoint asks to be left alone."""

    def __init__(self, kind: FailureKind, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after

    @property
    def worth_retrying(self) -> bool:
        """Whether the same request may well succeed later: not one that the endpoint called wrong."""
        return self.kind is not FailureKind.REFUSED


class UnusableAnswer(Exception):
    """An answer that came (and may have been paid for) but is not what was asked for."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class ChatOptions:
    """How to answer. What is None is left to the endpoint.

    `schema` is a JSON schema that the answer has to follow, where the endpoint can be held to one; the answer is to be
    checked all the same. `extra` goes into the request's body as it is. `timeout_seconds` is for the whole answer.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    schema: Mapping[str, Any] | None = None
    timeout_seconds: float = 120.0
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A whole answer. `finish_reason` is the endpoint's own word: `stop`, or `length` at the limit of tokens.

    Token counts are the endpoint's, None where it tells none. `seconds`: from the request to the answer's end.
    """

    text: str
    finish_reason: str | None
    tokens_in: int | None
    tokens_out: int | None
    seconds: float


@dataclass(frozen=True)
class Piece:
    """A part of an answer as it is written. The last one has no text but the whole `answer`."""

    text: str
    answer: Answer | None = None


class ChatClient(Protocol):
    """A model that is asked over HTTP. Use it inside one event loop; from plain code with `asyncio.run`."""

    async def complete(self, messages: list[Message], options: ChatOptions) -> Answer:
        """The answer, in one request.

        Raises EndpointFailure when none comes, Missing or BadInput when asking again can't help (no right to ask, no
        such model or address).
        """

    def stream(self, messages: list[Message], options: ChatOptions) -> AsyncGenerator[Piece]:
        """The answer piece by piece; the last piece carries it whole. Raises as `complete`."""

    async def models(self, timeout_seconds: float) -> list[str]:
        """The names of the models that the endpoint has. Raises as `complete`."""

    async def close(self) -> None:
        """Give the connections back."""


def whole_characters(text: str) -> str:
    """The text with halves of characters, which JSON can escape and no file can hold, replaced."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
