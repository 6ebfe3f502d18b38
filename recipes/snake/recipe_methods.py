"""Snake trained three ways, LoRA, QLoRA and all weights, and compared in one report: quality, memory, speed, time."""

from __future__ import annotations

from typing import Any

from evaluation.spec import EvaluateSpec
from recipes.recipe import Outcome, Recipe, Run, Step
from recipes.snake import pipeline
from recipes.snake.recipe import data, write_rows
from trainer.spec import TrainSpec

# All weights learn at a tenth of an adapter's rate.
METHODS: dict[str, dict[str, Any]] = {
    "lora": {"method": {"adapter": "lora", "rank": 16, "alpha": 32}},
    "qlora": {"method": {"adapter": "qlora", "rank": 16, "alpha": 32}},
    "full": {"method": {"adapter": "none"}, "optimisation": {"learning_rate": 1e-4}},
}
NAMES = {"lora": "LoRA", "qlora": "QLoRA", "full": "full"}
FEWEST_STEPS, STEPS_PER_ROW = 30, 1 / 12


def train_spec(method: str, rows: int) -> TrainSpec:
    """The Snake player trained by one of METHODS; fewer rows take fewer steps, up to those of the example."""
    values = pipeline.train_spec().model_dump(mode="json")
    changed = METHODS[method]
    steps = max(FEWEST_STEPS, min(values["optimisation"]["max_steps"], round(rows * STEPS_PER_ROW)))
    optimisation = {**values["optimisation"], "max_steps": steps, **changed.get("optimisation", {})}
    method_values = {**values["method"], **changed["method"]}
    saving = {**values["saving"], "checkpoint_every": steps, "evaluate_every": steps}
    name = f"Snake, {NAMES[method]}"
    return TrainSpec.parse(
        {**values, "name": name, "method": method_values, "optimisation": optimisation, "saving": saving}
    )


def _train(method: str) -> Step:
    name = f"Training, {NAMES[method]}"
    return Step(method, name, "train", f"Snake, {NAMES[method]}", lambda run: train_spec(method, run.rows))


def _evaluate(run: Run) -> EvaluateSpec:
    tuned = tuple(f"job:{run.jobs[method].id}" for method in METHODS)
    return pipeline.evaluate_spec("embedded", tuned[0]).model_copy(update={"models": ("embedded", *tuned), "games": 0})


def _outcome(run: Run) -> Outcome:
    figures = run.figures("evaluate")
    lines = [
        "Each against the untrained model",
        *(f"  {sentence}" for sentence in figures["verdicts"]),
        "",
        f"One report with memory, speed and training time: {run.jobs['evaluate'].path / 'report.html'}",
    ]
    return Outcome(lines)


RECIPE = Recipe(
    name="snake",
    title="Snake: LoRA, QLoRA and all weights",
    about="The same moves learned three ways, compared in one report: quality, memory, speed, time. Takes longer.",
    rows=pipeline.ROWS_PER_TEACHER,
    size="Rows per teacher.",
    rows_name="Snake rows from four teachers",
    write_rows=write_rows,
    steps=(
        Step("data", "Dataset", "data.build", "snake", data),
        *(_train(method) for method in METHODS),
        Step("evaluate", "Verdict", "evaluate", "Snake, three ways of training", _evaluate),
    ),
    outcome=_outcome,
)
