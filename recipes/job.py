"""The job of kind "recipe": a recipe from nothing to its verdict, each of its steps a job of its own.

    recipe.json    which job does which step, and what else is done

One that was stopped or killed goes on with the step it was at.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jobs.children import Step as JobStep
from jobs.children import run_step
from jobs.context import JobContext
from jobs.directory import JobDirectory
from jobs.files import read_json, write_json
from models.hardware import probe
from recipes.recipe import Recipe, Run, Step, load_recipe
from recipes.spec import RecipeSpec

FILE = "recipe.json"
ROWS = "rows"


@dataclass(frozen=True)
class Stage:
    """One step of a recipe that ended: what it was, how many seconds it took, where its result lies."""

    name: str
    seconds: float
    place: str


class RecipeNotes:
    """What a recipe's job has done so far, written by its worker alone."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        known: dict[str, Any] = read_json(self._path) or {}
        self._children: dict[str, str] = known.get("children", {})
        self._seconds: dict[str, float] = known.get("seconds", {})

    def child(self, key: str) -> str | None:
        return self._children.get(key)

    def note_child(self, key: str, job_id: str) -> None:
        self._children[key] = job_id
        self._write()

    def seconds(self, key: str) -> float | None:
        """How long something took that is no job; None while it isn't done."""
        return self._seconds.get(key)

    def note_done(self, key: str, seconds: float) -> None:
        self._seconds[key] = round(seconds, 1)
        self._write()

    def _write(self) -> None:
        write_json(self._path, {"children": self._children, "seconds": self._seconds})


def run(context: JobContext) -> dict[str, Any]:
    """Leaves the jobs of the recipe's steps; returns its stages and what it came to, for the manifest."""
    spec = RecipeSpec.parse(context.spec, where="the recipe's spec")
    recipe = load_recipe(spec.name)
    notes, made = RecipeNotes(context.path), Run(context.workspace, spec.rows or recipe.rows)
    stages = [_rows(context, notes, recipe, made)]
    for step in recipe.steps:
        context.check_stop()
        stages.append(_step(context, notes, step, made))
        context.log(f"{stages[-1].name}: {stages[-1].seconds:.1f} s")
    outcome = recipe.outcome(made)
    return {
        "message": outcome.lines[0],
        "recipe": spec.name,
        "stages": [asdict(stage) for stage in stages],
        "jobs": {key: job.id for key, job in made.jobs.items()},
        "lines": outcome.lines,
        "found": dict(outcome.figures),
    }


def _rows(context: JobContext, notes: RecipeNotes, recipe: Recipe, run: Run) -> Stage:
    write = partial(recipe.write_rows, run, lambda fraction, message: context.progress(fraction, message))
    context.progress(0.0, recipe.rows_name)
    seconds = _once(notes, ROWS, write)
    return Stage(recipe.rows_name, seconds, str(recipe.place(run.workspace)))


def _step(context: JobContext, notes: RecipeNotes, step: Step, run: Run) -> Stage:
    if step.before is not None:
        context.progress(None, f"{step.name}: making ready")
        _once(notes, f"before {step.key}", partial(step.before, run))
    wanted = JobStep(step.key, step.kind, step.title, step.spec(run).model_dump(mode="json"))
    run_step(context, notes, wanted, probe(run.workspace.root).resource)
    job = run.jobs[step.key] = run.workspace.job(str(notes.child(step.key)))
    assert job.manifest is not None  # run_step raises for one that did not end well
    return Stage(step.name, round(float(job.manifest["seconds"]), 1), str(job.path))


def _once(notes: RecipeNotes, key: str, do: Any) -> float:
    """Do what isn't done yet; how many seconds it took."""
    known = notes.seconds(key)
    if known is not None:
        return known
    started = time.monotonic()
    do()
    notes.note_done(key, time.monotonic() - started)
    return notes.seconds(key) or 0.0


def told(job: JobDirectory) -> list[str]:
    """What a finished recipe came to, and where everything lies, as lines for a terminal."""
    figures = job.manifest["figures"] if job.manifest else {}
    stages = [Stage(**each) for each in figures.get("stages", [])]
    return [
        *figures.get("lines", []),
        "",
        f"Where everything lies ({sum(stage.seconds for stage in stages):.0f} s in all)",
        *(f"  {stage.name:<30} {stage.seconds:6.1f} s  {stage.place}" for stage in stages),
        "",
        f"All of it on the page: python app.py --workspace {job.path.parent.parent}",
    ]


def as_json(job: JobDirectory) -> dict[str, Any]:
    """A finished recipe's stages, and what each of its jobs and all of it came to."""
    figures = job.manifest["figures"] if job.manifest else {}
    jobs = {key: JobDirectory(job.path.parent / name).manifest for key, name in figures.get("jobs", {}).items()}
    stages = figures.get("stages", [])
    return {
        "stages": stages,
        "seconds": sum(stage["seconds"] for stage in stages),
        **{key: manifest["figures"] for key, manifest in jobs.items() if manifest},
        **figures.get("found", {}),
    }
