"""Every step of the assistant's demo as a real job, with a tiny model that learns nothing: nothing is promoted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from jobs.workspace import Workspace
from recipes.assistant import pipeline
from recipes.assistant.recipe import RECIPE
from recipes.demo import Demo
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
    result = Demo(workspace, RECIPE, rows=60, console=Console(quiet=True)).run()
    assert result.exit_status == 0, [stage.name for stage in result.stages]
    figures: dict[str, Any] = result.figures
    assert [stage.name for stage in result.stages] == [RECIPE.rows_name, *(step.name for step in RECIPE.steps)]
    for round_ in (figures["honest"], figures["attack"]):
        assert round_["outcome"] in ("unproven", "worse"), round_["sentence"]
        assert round_["against"] == "assistant@1"
    assert figures["production"] == "assistant@1"
    assert figures["attack"]["chosen"]["users"] >= 12
    assert Registry(workspace).resolve("assistant").ref == f"job:{workspace.list_jobs('train')[-1].id}"
    assert "shop, multi-step" in result.text and figures["honest"]["sentence"] in result.text
