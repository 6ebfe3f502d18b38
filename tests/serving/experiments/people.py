"""Simulated users of a served experiment: they are assigned, answered, and leave outcomes, through the real store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from serving.experiments import Experiments, ExperimentSpec, Outcome
from serving.writer import Writer

Draw = np.random.Generator
Behave = Callable[[str, Draw], Outcome]
BEGAN = 1_700_000_000.0
HOUR = 3600.0


def two_arms(**changes: Any) -> ExperimentSpec:
    """An experiment `greeting` between A and B."""
    arms = [{"model": "A", "percentage": 50}, {"model": "B", "percentage": 50}]
    return ExperimentSpec.parse({"name": "greeting", "arms": arms, "salt": "s", **changes})


def come(
    experiments: Experiments,
    users: range,
    behave: Behave,
    answers: int = 1,
    name: str = "greeting",
    began: float = BEGAN,
    apart_seconds: float = 1.0,
    seed: int = 0,
) -> None:
    """Users come one after the other, `apart_seconds` apart, and get some answers, a minute apart."""
    generator = np.random.default_rng(seed)
    with Writer(experiments.database) as writer:
        server = Experiments(experiments.workspace, writer)
        for user in users:
            for answer in range(answers):
                moment = began + apart_seconds * user + 60 * answer
                assignment = server.assign(name, f"user-{user}", None)
                request = f"{name}-{moment:.0f}-{user}"
                server.expose(assignment, request, moment)
                if assignment.counted:
                    server.record(request, behave(assignment.arm, generator), moment + 0.5)


def succeeding(**chances: float) -> Behave:
    """Each arm's answers succeed with its own chance."""
    return lambda arm, generator: Outcome(error=False, success=float(generator.random() < chances[arm]))
