"""The seam between the server and whatever answers: an Ask in, Parts of an answer out, and the ways to fail."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

Message = dict[str, Any]


class FailureKind(StrEnum):
    """Why an engine gave no whole answer. `REFUSED`: the request itself can't be met; asking another model may help."""

    REFUSED = "refused"
    TOO_LONG = "too long"
    UNAVAILABLE = "unavailable"
    BUSY = "busy"
    TIMEOUT = "timeout"
    BROKEN_OFF = "broken off"


class EngineFailure(Exception):
    """No answer, or no more of it. The message is for the client: it names no secret and no file."""

    def __init__(self, kind: FailureKind, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


@dataclass(frozen=True)
class Ask:
    """One answer that is wanted: to a conversation (`messages`), or a text to go on with (`prompt`).

    `schema`: a JSON schema that the answer has to follow. `stop`: texts that end the answer and don't belong to it.
    """

    messages: Sequence[Message] = ()
    prompt: str | None = None
    tools: Sequence[dict[str, Any]] | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None


@dataclass(frozen=True)
class End:
    """How an answer ended: `stop`, `length` (at max_tokens) or `tool_calls`, and what it took.

    `confidence`: the geometric mean of the probabilities of its tokens, 0 to 1; None where the engine can't tell.
    """

    reason: str
    prompt_tokens: int
    answer_tokens: int
    confidence: float | None = None


@dataclass(frozen=True)
class Part:
    """More of an answer. The last one has `end`. `tool_calls` are whole calls in OpenAI's shape."""

    text: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    end: End | None = None


class Engine(Protocol):
    """Answers for one or several served models. Used inside one event loop."""

    @property
    def models(self) -> Sequence[str]:
        """The served names that it answers for."""

    async def open(self) -> None:
        """Load or connect. Raises UserError (Missing, BadInput, OutOfRoom) where that can't work."""

    async def close(self) -> None:
        """Give memory and connections back; answers that are under way end with EngineFailure."""

    def stream(self, model: str, ask: Ask) -> AsyncGenerator[Part]:
        """The answer part by part. Closing the generator ends the work. Raises EngineFailure."""
