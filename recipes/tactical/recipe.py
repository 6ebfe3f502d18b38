"""The tactical example: seeds are expanded, a model learns the rule book's advice in JSON, and is judged."""

from __future__ import annotations

from recipes.recipe import Outcome, Progress, Recipe, Run, Step
from recipes.tactical import pipeline
from recipes.tactical.generate import ROWS
from recipes.tactical.results import json_validity, outcome_lines

FOLDER = "recipes/tactical"
# What its training is called; the specialists find it by that.
ADVISER = "Tactical adviser"


def _write_rows(run: Run, progress: Progress) -> None:
    pipeline.write_rows(run.workspace, run.rows, progress)


def _outcome(run: Run) -> Outcome:
    figures, data = run.figures("evaluate"), run.figures("data")
    where = f"--workspace {run.workspace.root}"
    general = f"job:{run.jobs['train'].id}"
    lines = [
        *outcome_lines(figures),
        "",
        "What to do next",
        f"  read the report          {run.jobs['evaluate'].path / 'report.html'}",
        f"  ask five times           python cli.py evaluate {FOLDER}/consistency.yaml --models {general} {where}",
        f"  a specialist per domain  python cli.py demo tactical-specialists {where}",
    ]
    return Outcome(lines, {"json_valid": json_validity(figures), "rows": data.get("rows")})


RECIPE = Recipe(
    name="tactical",
    title="Tactical guidance",
    about="200 scenarios become 5,000 rows; a model learns to answer in JSON that follows a schema and a rule book.",
    rows=ROWS,
    size="Rows expanded from the seeds.",
    rows_name="Rows from seeds and fights",
    write_rows=_write_rows,
    steps=(
        Step("data", "Dataset", "data.build", "tactical", lambda run: pipeline.data_spec(run.workspace)),
        Step("train", "Training", "train", ADVISER, lambda _run: pipeline.train_spec()),
        Step(
            "evaluate",
            "Verdict",
            "evaluate",
            "Tactical adviser against its base",
            lambda run: pipeline.evaluate_spec(["embedded", f"job:{run.jobs['train'].id}"]),
        ),
    ),
    outcome=_outcome,
)
