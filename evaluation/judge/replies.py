"""Requests to a model, its replies, and the append-only file that keeps them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobs.files import append_json_line, read_json_lines
from models.backends import Quantisation
from models.precision import Precision

Message = dict[str, Any]


@dataclass(frozen=True)
class Manner:
    """Which model answers, and how. `temperature` None leaves it to the endpoint; lengths are in tokens."""

    model: str
    max_tokens: int
    temperature: float | None = 0.0
    top_p: float = 1.0
    seed: int = 0
    schema: dict[str, Any] | None = None
    key_variable: str | None = None
    concurrency: int = 4
    context_length: int = 8192
    batch_size: int = 8
    precision: Precision = "auto"
    quantisation: Quantisation = "none"
    timeout_seconds: float = 300.0


@dataclass(frozen=True)
class Request:
    """One question. `key` is its name in the file of replies; `seed` is for endpoints that take one."""

    key: str
    messages: list[Message]
    seed: int = 0
    tools: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Reply:
    """What came. `failure` says why nothing did; `seed` is what the reply was sampled with, where that is known."""

    key: str
    text: str
    finish_reason: str | None = None
    seconds: float = 0.0
    seed: int | None = None
    failure: str | None = None


@dataclass
class Replies:
    """The file of replies. Those that failed are asked again after a resume."""

    path: Path
    _known: dict[str, Reply] = field(init=False)

    def __post_init__(self) -> None:
        lines = (line for line in read_json_lines(self.path) if isinstance(line, dict))
        self._known = {line["key"]: Reply(**line) for line in lines if not line.get("failure")}

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Reply:
        return self._known[key]

    def __len__(self) -> int:
        return len(self._known)

    def add(self, reply: Reply) -> None:
        """Keep a reply; one that is known already stays as it was."""
        if reply.key not in self._known:
            self._known[reply.key] = reply
            append_json_line(self.path, asdict(reply))
