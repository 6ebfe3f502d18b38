"""items.jsonl: each answer, loss and reading of an evaluation as it comes, so that a killed one goes on where it was.

A line names the model (as the spec does) and what it holds:

    {"what": "answer", "model", "item", "sample", "asked", "text", "tokens", "prompt_tokens", "seconds", "ended",
     "refused", "scored_by", "scores"}
    {"what": "loss", "model", "item", "asked", "nll", "tokens"}
    {"what": "cost", "model", "peak_memory_bytes", "energy_joules"}, {"what": "first_token", "model", "seconds"}
    {"what": "games", "model", "games": […]}

`asked` is a digest of the question and `scored_by` one of the task's file: a question or a scorer that was changed
before the job was resumed is asked, or scores, anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluation.costs import Reading
from evaluation.tasks import TaskItem
from jobs.files import read_json_lines

FILE = "items.jsonl"


@dataclass(frozen=True)
class Reply:
    """One answer. Token counts are None where an endpoint tells none; `seconds`: its share of its batch's time;
    `ended`: the model stopped by itself; `refused`: why an endpoint gave no answer to this question (text is empty).
    """

    text: str
    tokens: int | None
    prompt_tokens: int | None
    seconds: float
    ended: bool
    refused: str | None = None


@dataclass(frozen=True)
class Loss:
    """Mean negative log-likelihood (nats a token) of an item's answer, None where it has no tokens; their number."""

    nll: float | None
    tokens: int


class ItemLog:
    """The file of the job in `folder`. Lines are synced batch by batch."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._answers: dict[tuple[str, str, int], dict[str, Any]] = {}
        self._losses: dict[tuple[str, str], dict[str, Any]] = {}
        self._readings: dict[str, list[Reading]] = {}
        self._first_tokens: dict[str, list[float]] = {}
        self._games: dict[str, list[dict[str, Any]]] = {}
        _end_last_line(self._path)
        for line in read_json_lines(self._path):
            if isinstance(line, dict):
                self._take(line)

    def answer(self, model: str, item: TaskItem, sample: int = 0) -> Reply | None:
        """The stored answer to that very question."""
        line = self._answers.get((model, item.id, sample))
        if line is None or line["asked"] != digest(item):
            return None
        names = ("text", "tokens", "prompt_tokens", "seconds", "ended", "refused")
        return Reply(**{name: line[name] for name in names})

    def scores(self, model: str, item: TaskItem, scored_by: str) -> dict[str, float] | None:
        """The stored scores of the item's first answer, if this very scorer gave them."""
        line = self._answers.get((model, item.id, 0))
        if line is None or line["asked"] != digest(item) or line["scored_by"] != scored_by:
            return None
        return None if line["scores"] is None else dict(line["scores"])

    def loss(self, model: str, item: TaskItem) -> Loss | None:
        line = self._losses.get((model, item.id))
        return None if line is None or line["asked"] != digest(item) else Loss(line["nll"], line["tokens"])

    def readings(self, model: str) -> list[Reading]:
        return self._readings.get(model, [])

    def first_tokens(self, model: str) -> list[float]:
        """Seconds until the first token, one for each question that was tried alone."""
        return self._first_tokens.get(model, [])

    def games(self, model: str) -> list[dict[str, Any]] | None:
        return self._games.get(model)

    def write(self, lines: Sequence[dict[str, Any]]) -> None:
        """Append lines (see the functions below) and sync them."""
        for line in lines:
            self._take(line)
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        with self._path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def _take(self, line: dict[str, Any]) -> None:
        model = line["model"]
        match line["what"]:
            case "answer":
                self._answers[model, line["item"], line["sample"]] = line
            case "loss":
                self._losses[model, line["item"]] = line
            case "cost":
                reading = Reading(line["peak_memory_bytes"], line["energy_joules"])
                self._readings.setdefault(model, []).append(reading)
            case "first_token":
                self._first_tokens.setdefault(model, []).append(line["seconds"])
            case "games":
                self._games[model] = line["games"]


def answer_line(
    model: str, item: TaskItem, sample: int, reply: Reply, scores: dict[str, float] | None, scored_by: str
) -> dict[str, Any]:
    known = {"what": "answer", "model": model, "item": item.id, "sample": sample, "asked": digest(item)}
    return {**known, **asdict(reply), "scored_by": scored_by, "scores": scores}


def loss_line(model: str, item: TaskItem, loss: Loss) -> dict[str, Any]:
    return {"what": "loss", "model": model, "item": item.id, "asked": digest(item), **asdict(loss)}


def cost_line(model: str, reading: Reading) -> dict[str, Any]:
    return {"what": "cost", "model": model, **asdict(reading)}


def first_token_line(model: str, seconds: float) -> dict[str, Any]:
    return {"what": "first_token", "model": model, "seconds": seconds}


def games_line(model: str, games: list[dict[str, Any]]) -> dict[str, Any]:
    return {"what": "games", "model": model, "games": games}


def digest(item: TaskItem) -> str:
    """Of what a model is asked, and of the answer that a loss is measured on."""
    text = json.dumps([item.messages, item.tools, item.reference], sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


def _end_last_line(path: Path) -> None:
    """A line cut short by a kill is ended, so that it can't swallow the next one."""
    if path.exists() and path.stat().st_size > 0:
        with path.open("rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
