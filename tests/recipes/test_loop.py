"""The loop: people vote on Snake answers, the votes become pairs, DPO learns from them, and a verdict is given."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from datasets_src.build import build
from datasets_src.interactions import Interactions, Vote
from datasets_src.store import DatasetVersion, open_version
from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace
from recipes.snake import pipeline
from recipes.snake.game import MOVES

PROJECT = Path(__file__).resolve().parents[2]
ROWS_PER_TEACHER = 120


@pytest.fixture
def snake(workspace: Workspace) -> DatasetVersion:
    """A small dataset of the teachers' moves."""
    return build(pipeline.write_rows(workspace, rows=ROWS_PER_TEACHER), workspace)


def vote_on_moves(workspace: Workspace, rows: Sequence[dict[str, Any]]) -> int:
    """Votes of somebody who knows the right move, on the answers of two players: one makes it, one moves at random.

    Which of them stands first is drawn, and where they agree the vote is a tie. Returns how many votes chose one.
    """
    store = Interactions(workspace)
    decided = 0
    for number, row in enumerate(rows):
        *prompt, right = row["messages"]
        draw = random.Random(number)
        answers = {"knows": right["content"], "guesses": draw.choice(MOVES)}
        first, second = draw.sample(sorted(answers), 2)
        preferred = "tie" if answers["knows"] == answers["guesses"] else "a" if first == "knows" else "b"
        decided += preferred != "tie"
        store.vote(
            Vote(prompt, answers[first], answers[second], preferred, first, second, blind=True),  # type: ignore[arg-type]
            user="voter",
        )
    return decided


def run_all(jobs: Sequence[JobDirectory]) -> list[dict[str, Any]]:
    """Run jobs one after the other in one worker process; the figures of each."""
    command = [sys.executable, "-m", "tests.trainer.many", *(str(job.path) for job in jobs)]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    figures = []
    for job in jobs:
        output = f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
        assert job.status().state is State.SUCCEEDED, f"{job.header['kind']}: {job.status()}\n{output}"
        assert job.manifest is not None
        figures.append(dict(job.manifest["figures"]))
    return figures


def close_the_loop(workspace: Workspace, snake: DatasetVersion, model: str, **options: Any) -> list[dict[str, Any]]:
    """Votes → pairs → DPO → verdict; the figures of the three jobs, the training's metrics among its own."""
    decided = vote_on_moves(workspace, snake.train())
    base = {"backend": "peft", "max_length": 256, "method": {"objective": "dpo"}}
    saving = {"evaluate_every": 5, "evaluate_rows": 32, "samples": 0}
    pairs = _job(workspace, "pairs", {"name": "snake-votes", "scored_by": "votes"})
    train = _job(workspace, "train", {"model": model, "data": "snake-votes", "saving": saving, **base, **options})
    compared = {"data": snake.id, "task": "recipes.snake.task", "max_items": 24, "max_new_tokens": 8, "games": 0}
    judged = _job(workspace, "evaluate", {"models": [model, f"job:{train.id}"], **compared})
    paired, trained, verdict = run_all([pairs, train, judged])
    assert 0 < paired["pairs"] <= decided, "votes about the same two moves count once"
    version = open_version(workspace, paired["dataset"])
    held_out = version.eval_rows / paired["pairs"]
    assert version.name == "snake-votes" and 0.03 < held_out < 0.2, (
        "a tenth is held out of prompts that were split once"
    )
    margins = [event["eval_rewards_margin"] for event in train.metrics() if "eval_rewards_margin" in event]
    return [paired, {**trained, "margins": margins}, verdict]


def _job(workspace: Workspace, kind: str, spec: dict[str, Any]) -> JobDirectory:
    return JobDirectory.create(workspace.new_job_path(kind), kind=kind, title="loop", spec=spec, resource=None)


@pytest.mark.heavy
def test_votes_on_snake_answers_become_pairs_a_dpo_run_and_a_verdict(
    workspace: Workspace, snake: DatasetVersion, tiny_model: Path
) -> None:
    short = {"optimisation": {"batch_size": 8, "max_steps": 5, "learning_rate": 0.001}}
    _, trained, verdict = close_the_loop(workspace, snake, str(tiny_model), **short)
    assert trained["margins"], "the chosen moves were measured against the rejected ones on held-out pairs"
    (sentence,) = verdict["verdicts"]
    assert sentence and verdict["items"] == 24
    held_out = {row["group"] for row in snake.eval()}
    pairs = open_version(workspace, "snake-votes")
    assert not held_out & {row["prompt"][-1]["content"] for row in [*pairs.train(), *pairs.eval()]}, "nothing leaks"


@pytest.mark.heavy
@pytest.mark.timeout(1200)
def test_with_the_embedded_model_the_margin_on_held_out_pairs_rises_and_the_verdict_is_not_worse(
    workspace: Workspace, snake: DatasetVersion
) -> None:
    learning = {"optimisation": {"batch_size": 8, "max_steps": 20, "learning_rate": 0.0005, "warmup_ratio": 0.1}}
    paired, trained, verdict = close_the_loop(workspace, snake, "embedded", **learning)
    margins = trained["margins"]
    assert len(margins) >= 3
    assert margins[-1] > max(0, margins[0]), margins
    (found,) = verdict["measures"][0]["verdicts"]
    print(f"{paired['pairs']} pairs; margins on held-out pairs {margins}; {found['sentence']}")
    assert found["outcome"] != "worse", found["sentence"]
