"""The Snake example: four teachers play, a model learns their moves, is judged, and becomes a checked GGUF file."""

from __future__ import annotations

from datasets_src.spec import DatasetSpec
from recipes.recipe import Outcome, Progress, Recipe, Run, Step
from recipes.snake import pipeline
from recipes.snake.results import outcome_lines, share_of_ceiling


def write_rows(run: Run, progress: Progress) -> None:
    """Let the teachers play."""
    pipeline.write_rows(run.workspace, run.rows, progress)


def data(run: Run) -> DatasetSpec:
    """The spec that the rows were written with."""
    place = run.workspace.uploads / "snake"
    return DatasetSpec.load(place / "data.yaml").with_absolute_paths(place)


def _outcome(run: Run) -> Outcome:
    figures, export = run.figures("evaluate"), run.figures("export")
    folder = run.jobs["export"].path
    lines = [
        *outcome_lines(figures, pipeline.evaluate_spec("embedded", "embedded").game_steps),
        "",
        "The exported files beside the trained model",
        *(f"  {file}: {sentence}" for file, sentence in export["parity"].items()),
        f"  {export['recommendation']['sentence']}",
        "",
        "What to do next",
        f"  read the report        {run.jobs['evaluate'].path / 'report.html'}",
        f"  play it in Ollama      cd {folder}",
        "                         ollama create snake-player -f Modelfile-Q8_0 && ollama run snake-player",
        "  train on your own rows python cli.py data inspect YOUR_FILE.jsonl",
    ]
    return Outcome(lines, {"share_of_ceiling": share_of_ceiling(figures)})


RECIPE = Recipe(
    name="snake",
    title="Snake",
    about="Four path finders play, a model learns their moves, is judged in whole games, and becomes a GGUF file.",
    rows=pipeline.ROWS_PER_TEACHER,
    size="Rows per teacher.",
    rows_name="Snake rows from four teachers",
    write_rows=write_rows,
    steps=(
        Step("data", "Dataset", "data.build", "snake", data),
        Step("train", "Training", "train", "Snake player", lambda _: pipeline.train_spec()),
        Step(
            "evaluate",
            "Verdict",
            "evaluate",
            "Snake player against its base",
            lambda run: pipeline.evaluate_spec("embedded", f"job:{run.jobs['train'].id}"),
        ),
        Step(
            "export",
            "GGUF and check",
            "export",
            "Snake player",
            lambda run: pipeline.export_spec(run.jobs["train"].id),
        ),
    ),
    outcome=_outcome,
)
