"""The Nava example: a model learns to write and explain programs, a checker runs what it writes, and it is merged."""

from __future__ import annotations

from pathlib import Path

from datasets_src.spec import DatasetSpec
from evaluation.spec import EvaluateSpec
from export.spec import ExportSpec
from recipes.nava.generate import generate
from recipes.nava.results import outcome_lines
from recipes.recipe import Outcome, Progress, Recipe, Run, Step
from trainer.spec import TrainSpec

FOLDER = Path(__file__).parent
ROWS = 750
SEED = 0


def _write_rows(run: Run, progress: Progress) -> None:
    generate(run.workspace.uploads / "nava", run.rows, SEED, progress)


def _data(run: Run) -> DatasetSpec:
    place = run.workspace.uploads / "nava"
    return DatasetSpec.load(place / "data.yaml").with_absolute_paths(place)


def _train(_run: Run) -> TrainSpec:
    return TrainSpec.load(FOLDER / "train.yaml")


def _evaluate(run: Run) -> EvaluateSpec:
    models = ("embedded", f"job:{run.jobs['train'].id}")
    return EvaluateSpec.load(FOLDER / "evaluate.yaml").model_copy(update={"models": models})


def _export(run: Run) -> ExportSpec:
    return ExportSpec.load(FOLDER / "export.yaml").model_copy(update={"job": run.jobs["train"].id})


def _outcome(run: Run) -> Outcome:
    figures, export = run.figures("evaluate"), run.figures("export")
    folder = run.jobs["export"].path
    lines = [
        *outcome_lines(figures),
        "",
        "The exported files beside the trained model",
        *(f"  {file}: {sentence}" for file, sentence in export["parity"].items()),
        "",
        "What to do next",
        f"  read the report      {run.jobs['evaluate'].path / 'report.html'}",
        f"  ask it in Ollama     cd {folder}",
        "                       ollama create nava-writer -f Modelfile-Q8_0 && ollama run nava-writer",
        "  run its programs     python -m recipes.nava.checker PROGRAM.txt --map room",
    ]
    return Outcome(lines)


RECIPE = Recipe(
    name="nava",
    title="Nava, a path language",
    about="A model learns to write programs in a small language, which a checker runs, and to explain them.",
    rows=ROWS,
    size="Rows of each kind: wish → program, and program → explanation.",
    rows_name="Nava rows",
    write_rows=_write_rows,
    steps=(
        Step("data", "Dataset", "data.build", "nava", _data),
        Step("train", "Training", "train", "Nava writer", _train),
        Step("evaluate", "Verdict", "evaluate", "Nava writer against its base", _evaluate),
        Step("export", "Merge, GGUF and check", "export", "Nava writer", _export),
    ),
    outcome=_outcome,
)
