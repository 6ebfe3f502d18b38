"""A fake teacher on a real port, specs for it, and synthesis jobs run in this process."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from datasets_src.synthesis.campaign import REMINDER
from datasets_src.synthesis.job import run
from jobs.context import JobContext
from jobs.directory import JobDirectory, Status
from jobs.files import read_json_lines
from jobs.workspace import Workspace
from tests.models.endpoints.fake_chat_server import Asked, FakeChatServer, Reply

MakeSpec = Callable[..., dict[str, Any]]


@pytest.fixture
def server() -> Iterator[FakeChatServer]:
    with FakeChatServer(well_behaved) as running:
        yield running


def well_behaved(asked: Asked) -> Reply:
    """What a good teacher answers in each mode: words that occur in no other answer."""
    return Reply(json.dumps(good_answer(asked.prompt)) if "JSON" in asked.prompt else f"Because {unlike(asked.prompt)}")


def good_answer(prompt: str) -> dict[str, Any]:
    """An answer of the shape that the prompt shows."""
    if '"score"' in prompt:
        return {"reason": "It is fine.", "score": 8}
    words = unlike(prompt)
    if '"pairs"' in prompt:
        wanted = int(re.findall(r"up to (\d+)", prompt)[0])
        said = [unlike(f"{prompt}{n}") for n in range(wanted)]
        return {"pairs": [{"question": f"{words}?", "answer": f"Because {words}"} for words in said]}
    if '"turns"' in prompt:
        wanted = int(re.findall(r"exactly (\d+)", prompt)[0])
        return {"turns": [{"user": f"u{n} {words}", "assistant": f"a{n} {words}"} for n in range(wanted)]}
    if '"reasoning"' in prompt:
        return {"reasoning": f"First {words}.", "answer": words.split()[0]}
    return {"instruction": f"Do {words}.", "answer": f"Done: {words}."}


def unlike(prompt: str) -> str:
    """Five words that belong to this prompt alone, the reminder of a repeated one left out."""
    seed = zlib.crc32(prompt.replace(REMINDER, "").encode())
    return " ".join(f"w{seed:x}{n}" for n in "abcde")


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """Twelve short documents."""
    rows = [{"text": f"Document {n} tells of thing number {n}."} for n in range(12)]
    path = tmp_path / "documents.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def make_spec(server: FakeChatServer, documents: Path) -> MakeSpec:
    """A spec for question/answer pairs from the documents by the fake teacher; keyword arguments change it."""

    def make(teacher: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        asked = {"model": "openai:toy", "base_url": server.address, "price_in": 1.0, "price_out": 2.0}
        return {
            "name": "toy",
            "mode": "question_answer",
            "teachers": [{**asked, **(teacher or {})}],
            "domains": [{"name": "things", "count": 6}],
            "input": str(documents),
            "pairs_per_document": 2,
            "backoff_seconds": 0,
            **options,
        }

    return make


@dataclass
class Made:
    """A synthesis job's folder, what it told last, and its figures."""

    job: JobDirectory
    status: Status
    figures: dict[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return rows_of(self.job)

    @property
    def questions(self) -> list[str]:
        return [row["messages"][0]["content"] for row in self.rows]


def rows_of(job: JobDirectory) -> list[dict[str, Any]]:
    return list(read_json_lines(job.path / "rows.jsonl"))


class Synthesis:
    """Runs synthesis jobs in this process; `attempt` runs one again, as a resume does."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def create(self, spec: dict[str, Any]) -> JobDirectory:
        path = self.workspace.new_job_path("data.synthesise")
        return JobDirectory.create(path, kind="data.synthesise", title="Toy", spec=spec, resource=None)

    def attempt(self, job: JobDirectory, number: int = 1) -> Made:
        context = JobContext(job, number, time.time())
        figures = run(context)
        return Made(job, context.status, figures)

    def __call__(self, spec: dict[str, Any]) -> Made:
        return self.attempt(self.create(spec))


@pytest.fixture
def synthesise(workspace: Workspace) -> Synthesis:
    return Synthesis(workspace)
