"""What the loop's tests share: a workspace with a model in production, a regression set, chats, and fake step jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from datasets_src.interactions import Interaction, Interactions
from jobs import launcher
from jobs.context import JobContext
from jobs.directory import JobDirectory, State, Status
from jobs.files import write_json, write_text
from jobs.workspace import Workspace
from serving.loop.spec import LoopSpec
from serving.registry import Registry
from tests.serving.registry.conftest import finished
from tests.toys import publish_rows

Say = Callable[..., list[int]]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base model's folder; its weights are never read here."""
    folder = tmp_path / "base"
    write_json(folder / "config.json", {"model_type": "llama"})
    write_text(folder / "model.safetensors", "weights of the base")
    return folder


def write_training(job: JobDirectory, base: Path, data: str) -> None:
    """What a finished training leaves that the registry and an evaluation look at."""
    write_json(job.path / "adapter" / "adapter_config.json", {"r": 8, "base_model_name_or_path": str(base)})
    write_text(job.path / "adapter" / "adapter_model.safetensors", f"weights of {job.id}")
    found = {"text": str(base), "name": "base", "folder": str(base), "adapter": None}
    job.write_resolved({"base": {"value": found}, "data": {"value": data}})
    finished(job, {"final_loss": 0.25})


@pytest.fixture
def place(workspace: Workspace, base: Path) -> Workspace:
    """A workspace with bot@1 in production, trained on old@v, and the regression set `fixed` of 24 questions."""
    spec = {"model": str(base), "data": "old@v", "method": {"objective": "sft", "adapter": "lora"}}
    job = JobDirectory.create(workspace.new_job_path("train"), kind="train", title="old", spec=spec, resource=None)
    write_training(job, base, "old@v")
    registry = Registry(workspace)
    registry.register("bot", f"job:{job.id}")
    registry.promote("bot", 1, "the first")
    rows = [conversation(f"Fixed question {number}?", "yes.") for number in range(24)]
    publish_rows(workspace, "fixed", [conversation("Another?", "yes.")], rows)
    return workspace


@pytest.fixture
def plan(place: Workspace) -> LoopSpec:
    return LoopSpec.parse(plan_values(place))


def plan_values(workspace: Workspace, **changes: Any) -> dict[str, Any]:
    """A small plan as values."""
    (fixed,) = (workspace.datasets / "fixed").glob("[!.b]*")
    return {
        "name": "bot-loop",
        "model": "bot",
        "when": {"min_new": 4},
        "regression": {"data": f"fixed@{fixed.name}"},
        "promote": "automatic",
        **changes,
    }


def conversation(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


@pytest.fixture
def say(place: Workspace) -> Say:
    """Log rated chats: `say(8, rating=5, user="alice")` gives their ids."""
    store = Interactions(place)

    def log(count: int, *, rating: int | None = 5, user: str | None = "alice", answer: str = "yes.") -> list[int]:
        ids = []
        for _ in range(count):
            number = store.count() + 1
            prompt = [{"role": "user", "content": f"Chat question {number}?"}]
            ids.append(store.record(Interaction(prompt, answer, "bot", "bot@1", rating=rating), user=user))
        return ids

    return log


def context_of_round(workspace: Workspace, spec: LoopSpec) -> JobContext:
    """The context of a new round, to run in this process."""
    job = JobDirectory.create(
        workspace.new_job_path("loop"), kind="loop", title="round", spec=spec.model_dump(mode="json"), resource=None
    )
    return JobContext(job, attempt=1, started=time.time())


@dataclass
class FakeSteps:
    """Stands in for the workers of a round's steps: each job ends at once with the figures given here.

    `outcomes`: what the three evaluations say, by the end of their titles; `fails`: titles whose job fails, once.
    """

    base: Path
    outcomes: dict[str, str] = field(default_factory=dict)
    fails: list[str] = field(default_factory=list)
    launched: list[str] = field(default_factory=list)

    def __call__(self, job: JobDirectory) -> None:
        title = str(job.header["title"]).rpartition(": ")[2]
        self.launched.append(title)
        if title in self.fails:
            self.fails.remove(title)
            told = {"error_kind": "out_of_room", "error": "The disk is full.", "hint": "Free some."}
            job.write_status(Status(State.FAILED, updated=time.time(), **told))  # type: ignore[arg-type]
            return
        spec = job.header["spec"]
        match job.header["kind"]:
            case "data.build":
                finished(job, {"dataset": f"{spec['name']}@fake"})
            case "train":
                write_training(job, self.base, spec["data"])
            case "evaluate":
                finished(job, self._evaluation(spec, self.outcomes.get(title, "no difference shown")))

    def _evaluation(self, spec: dict[str, Any], outcome: str) -> dict[str, Any]:
        names = ["production", "candidate"]
        standing = {"kind": "model", "mean": 0.5, "low": 0.4, "high": 0.6}
        verdict = {"reference": names[0], "candidate": names[1], "outcome": outcome, "sentence": f"{outcome} (fake)"}
        measure = {"metric": "right", "main": True, "unit": "points", "verdicts": [verdict]}
        return {
            "task": {"name": spec["task"]},
            "models": [{"name": name, "ref": ref} for name, ref in zip(names, spec["models"], strict=True)],
            "measures": [{**measure, "standings": [{"name": name, **standing} for name in names]}],
        }


@pytest.fixture
def steps(base: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSteps]:
    """Fake workers for the steps of a round; the new chats are answered better unless a test says otherwise."""
    fake = FakeSteps(base, {"new chats": "better"})
    monkeypatch.setattr(launcher, "_launch", fake)
    yield fake
