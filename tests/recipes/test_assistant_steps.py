"""Every step of the assistant's demo as a real job, with a tiny model that learns nothing: nothing is promoted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.context import JobContext
from jobs.directory import JobDirectory, State, Status
from jobs.workspace import Workspace
from recipes.assistant import pipeline
from recipes.assistant.recipe import RECIPE
from recipes.job import as_json, run, told
from serving.loop.spec import LoopSpec
from serving.registry import Registry
from trainer.spec import TrainSpec

pytestmark = [pytest.mark.heavy, pytest.mark.recipe]

SHORT = {"batch_size": 8, "max_steps": 2, "learning_rate": 0.0001}


@pytest.fixture
def with_tiny_model(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    """The recipe's own specs, of another model and with fewer steps."""
    train, loop, against_base = pipeline.train_spec, pipeline.loop_spec, pipeline.evaluate_spec

    def short_training(name: str, data: str) -> TrainSpec:
        spec = train(name, data, model=str(tiny_model))
        return spec.model_copy(update={"optimisation": spec.optimisation.model_copy(update=SHORT)})

    def short_round(workspace: Workspace) -> LoopSpec:
        spec = loop(workspace)
        return spec.model_copy(update={"train": {**spec.train, "optimisation": SHORT}})

    monkeypatch.setattr(pipeline, "train_spec", short_training)
    monkeypatch.setattr(pipeline, "loop_spec", short_round)
    monkeypatch.setattr(pipeline, "against_base_spec", lambda tuned: against_base(str(tiny_model), tuned))


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("with_tiny_model")
def test_a_demo_whose_versions_learn_nothing_promotes_none_and_says_so(workspace: Workspace) -> None:
    spec = {"name": "assistant", "rows": 60}
    path = workspace.new_job_path("recipe")
    job = JobDirectory.create(path, kind="recipe", title=RECIPE.title, spec=spec, resource=None)
    job.write_status(Status(State.RUNNING))
    done = run(JobContext(job, attempt=1, started=0.0))
    job.write_manifest({"figures": done, "artifacts": {}, "seconds": 1})
    figures: dict[str, Any] = as_json(job)
    assert [stage["name"] for stage in figures["stages"]] == [RECIPE.rows_name, *(step.name for step in RECIPE.steps)]
    for round_ in (figures["honest"], figures["attack"]):
        assert round_["outcome"] in ("unproven", "worse"), round_["sentence"]
        assert round_["against"] == "assistant@1"
    assert figures["production"] == "assistant@1"
    assert figures["attack"]["chosen"]["users"] >= 12
    assert Registry(workspace).resolve("assistant").ref == f"job:{workspace.list_jobs('train')[-1].id}"
    text = "\n".join(told(job))
    assert "shop, multi-step" in text and figures["honest"]["sentence"] in text
    again = run(JobContext(job, attempt=2, started=0.0))
    assert again["jobs"] == done["jobs"] and len(workspace.list_jobs("loop")) == 2, "what is done is not done again"
