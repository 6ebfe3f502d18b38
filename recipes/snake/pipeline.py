"""The specs of the Snake example, ready to be started: what the demo runs and what the page offers as its example."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from datasets_src.spec import DatasetSpec
from evaluation.spec import EvaluateSpec
from export.spec import ExportSpec
from jobs.workspace import Workspace
from recipes.snake.generate import generate
from trainer.spec import TrainSpec

FOLDER = Path(__file__).parent
ROWS_PER_TEACHER = 1500
SEED = 0


def write_rows(
    workspace: Workspace,
    rows: int = ROWS_PER_TEACHER,
    progress: Callable[[float, str], None] | None = None,
) -> DatasetSpec:
    """Let the four teachers play and write their rows into the workspace; returns the DatasetSpec that mixes them."""
    place = workspace.uploads / "snake"
    generate(place, rows=rows, seed=SEED, progress=progress)
    return DatasetSpec.load(place / "data.yaml").with_absolute_paths(place)


def train_spec(model: str = "embedded") -> TrainSpec:
    """How the Snake player is trained."""
    return TrainSpec.load(FOLDER / "train.yaml").model_copy(update={"model": model})


def evaluate_spec(base: str, tuned: str) -> EvaluateSpec:
    """How it is judged: `base` and `tuned` are model texts, such as embedded and job:<id>."""
    return EvaluateSpec.load(FOLDER / "evaluate.yaml").model_copy(update={"models": (base, tuned)})


def export_spec(job: str) -> ExportSpec:
    """What is made of it."""
    return ExportSpec.parse({"job": job, "name": "snake-player", "check_tokens": 16})
