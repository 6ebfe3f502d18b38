"""What went wrong, as an HTTP answer in OpenAI's shape: status, body and headers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from jobs.errors import Missing, UserError
from serving.engines.engine import EngineFailure, FailureKind
from serving.gate import TooMany

STATUS = {
    FailureKind.REFUSED: (400, "invalid_request_error"),
    FailureKind.TOO_LONG: (400, "invalid_request_error"),
    FailureKind.BUSY: (429, "rate_limit_error"),
    FailureKind.TIMEOUT: (504, "timeout_error"),
    FailureKind.UNAVAILABLE: (503, "server_error"),
    FailureKind.BROKEN_OFF: (502, "server_error"),
}
CODES = {FailureKind.TOO_LONG: "context_length_exceeded"}
RETRY_SECONDS = 5.0


@dataclass
class Refusal(Exception):
    """A request that gets no answer, for a reason that stands fast before any model is asked."""

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class Told:
    """An error as it goes out."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


def told(problem: Exception) -> Told:
    """How a problem is told to a client. What isn't foreseen shows no detail: the log has it."""
    if isinstance(problem, Refusal):
        return _told(problem.status, problem.message, problem.type, problem.code, problem.param, problem.retry_after)
    if isinstance(problem, TooMany):
        return _told(429, str(problem), "rate_limit_error", problem.reason, retry_after=problem.retry_after)
    if isinstance(problem, EngineFailure):
        status, kind = STATUS[problem.kind]
        wait = problem.retry_after or (RETRY_SECONDS if status in (429, 503) else None)
        return _told(status, str(problem), kind, CODES.get(problem.kind, problem.kind.replace(" ", "_")), None, wait)
    if isinstance(problem, Missing):
        message = f"{problem.what} {problem.why} {problem.fix}"
        return _told(404, message, "invalid_request_error", "model_not_found", "model")
    if isinstance(problem, UserError):
        return _told(400, f"{problem.what} {problem.why}", "invalid_request_error")
    return _told(500, "The server failed; its log has the reason.", "server_error", "internal")


def _told(
    status: int,
    message: str,
    kind: str,
    code: str | None = None,
    param: str | None = None,
    retry_after: float | None = None,
) -> Told:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Told(status, {"error": error}, {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))})
