"""Rounds with real datasets, trainings and evaluations of the tiny model: better is promoted, poison is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datasets_src.interactions import Interaction, Interactions
from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace
from serving.loop.rounds import begin
from serving.loop.spec import LoopSpec
from serving.registry import Registry
from tests.serving.loop.conftest import conversation
from tests.toys import publish_rows
from tests.trainer.conftest import wait_for

PROJECT = Path(__file__).resolve().parents[3]
WORDS = ["river", "apple", "stone", "cloud", "horse", "music", "glass", "bread", "chair", "light"]
USERS = [f"user-{number}" for number in range(8)]


def question(number: int) -> str:
    return f"Is number {number} a {WORDS[number % 10]} or a {WORDS[(number // 10) % 10]}?"


def log_chats(workspace: Workspace, numbers: range, answer: str, users: list[str]) -> None:
    """Rated chats in which every question has the same answer: what the tiny model can learn, and generalises."""
    store = Interactions(workspace)
    for number in numbers:
        prompt = [{"role": "user", "content": question(number)}]
        store.record(Interaction(prompt, answer, "yes-bot", rating=5), user=users[number % len(users)])


@pytest.fixture
def plan(workspace: Workspace, tiny_model: Path) -> LoopSpec:
    """A plan for the untrained tiny model, which is in production; the right answer is always `yes`."""
    registry = Registry(workspace)
    registry.register("yes-bot", str(tiny_model))
    registry.promote("yes-bot", 1, "the first")
    rows = [conversation(question(number), "yes") for number in range(1000, 1030)]
    fixed = publish_rows(workspace, "fixed", [conversation("Is it?", "yes")], rows)
    short = {"max_new_tokens": 2, "batch_size": 64, "precision": "fp32"}
    return LoopSpec.parse(
        {
            "name": "yes-loop",
            "model": "yes-bot",
            "when": {"min_new": 100},
            "data": {"near_duplicates": None},
            "train": {
                "backend": "peft",
                "precision": "fp32",
                "method": {"adapter": "none"},
                "optimisation": {"epochs": 10, "batch_size": 16, "learning_rate": 0.01},
                "saving": {"samples": 0, "checkpoint_every": 10},
            },
            "new_options": {**short, "lenient_untrained": False},
            "regression": {"data": fixed.id, "options": {**short, "lenient_untrained": False}},
            "general_options": {**short, "max_items": 30},
            "promote": "automatic",
        }
    )


def run_round(workspace: Workspace, spec: LoopSpec) -> dict[str, Any]:
    """One round, its steps all in one process; the figures."""
    path = workspace.new_job_path("loop")
    JobDirectory.create(path, kind="loop", title="round", spec=spec.model_dump(mode="json"), resource=None)
    command = [sys.executable, "-m", "tests.serving.loop.inline_worker", str(path)]
    done = subprocess.run(command, cwd=PROJECT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True)
    manifest = JobDirectory(path).manifest
    assert manifest is not None, f"{JobDirectory(path).status()}\n{done.stdout.decode()}\n{done.stderr.decode()}"
    return dict(manifest["figures"])


@pytest.mark.heavy
def test_honest_chats_are_learned_and_promoted_and_poisoned_ones_are_not(workspace: Workspace, plan: LoopSpec) -> None:
    registry = Registry(workspace)
    log_chats(workspace, range(120), "yes", USERS)
    first = run_round(workspace, plan)
    assert first["outcome"] == "promoted", first["sentence"]
    assert first["findings"]["new"]["outcome"] == "better"
    assert first["findings"]["regression"]["outcome"] == "better"
    assert registry.resolve("yes-bot").label == first["version"] == "yes-bot@2"
    assert registry.history("yes-bot")[-1].reason == first["sentence"]
    lineage = registry.get("yes-bot", 2).lineage
    assert lineage.data == first["data"]

    # Enough accounts that the share of one user stops nothing, and the old rows hardly count.
    log_chats(workspace, range(200, 400), "no", [f"attacker-{number}" for number in range(20)])
    second = run_round(workspace, plan.model_copy(update={"replay": 0.1}))
    assert second["chosen"]["new"] == 200
    assert second["findings"]["new"]["outcome"] == "better", "by the poisoners' own answers it is"
    assert second["findings"]["regression"]["outcome"] == "worse"
    assert second["outcome"] == "worse"
    assert registry.resolve("yes-bot").number == 2
    assert registry.get("yes-bot", 3).stage == "retired"


@pytest.mark.heavy
def test_a_round_whose_worker_is_killed_in_training_goes_on_with_that_training(
    workspace: Workspace, plan: LoopSpec
) -> None:
    log_chats(workspace, range(120), "yes", USERS)
    job = begin(workspace, plan).job
    assert job is not None
    try:
        wait_for(job, lambda _job: any(each.status().started for each in workspace.list_jobs("train")))
        (training,) = workspace.list_jobs("train")
        launcher.end_process_group(job)
        wait_for(job, lambda job: job.status().state is State.LOST)
        assert training.status().state.active, "steps live on without the round"
        wait_for(training, lambda training: bool(training.metrics()))
        launcher.end_process_group(training)
        wait_for(training, lambda training: training.status().state is State.LOST)
        again = begin(workspace, plan).job
        assert again is not None and again.id == job.id
        wait_for(job, lambda job: not job.status().state.active, seconds=400)
    finally:
        for each in workspace.list_jobs():
            launcher.end_process_group(each)
    assert job.manifest is not None, job.log_tail()
    assert job.manifest["figures"]["outcome"] == "promoted"
    assert [each.id for each in workspace.list_jobs("train")] == [training.id]
    assert training.manifest is not None and training.manifest["attempts"] == 2
    assert len(workspace.list_jobs("data.build")) == 1, "production's own data isn't known, so nothing is replayed"
    assert len(workspace.list_jobs("evaluate")) == 3
