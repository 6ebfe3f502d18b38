"""A recipe from nothing to its verdict, with real jobs, told in a terminal: `python cli.py demo [NAME]`."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.errors import BadInput, Missing
from jobs.follow import follow
from jobs.workspace import Workspace
from models.hardware import probe
from recipes.recipe import Recipe, Run, Step


@dataclass(frozen=True)
class Stage:
    """One step of the demo: what it was, how many seconds it took, where its result lies."""

    name: str
    seconds: float
    place: str


@dataclass
class DemoResult:
    """What the demo came to. `exit_status` is 0 when every stage ended well."""

    stages: list[Stage] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    exit_status: int = 0

    def as_json(self) -> dict[str, Any]:
        stages = [asdict(stage) for stage in self.stages]
        return {"stages": stages, "seconds": sum(stage.seconds for stage in self.stages), **self.figures}


class StageFailed(Exception):
    """A job of the demo did not end well; its message was shown. The argument is the exit status."""


class Demo:
    """Runs a recipe's steps in order; a failed or stopped one ends the demo, and what was made before stays."""

    def __init__(self, workspace: Workspace, recipe: Recipe, rows: int | None, console: Console) -> None:
        self._recipe = recipe
        self._run = Run(workspace, rows or recipe.rows)
        self._console = console
        self._result = DemoResult()

    def run(self) -> DemoResult:
        hardware = probe(self._run.workspace.root)
        self._console.print(f"[bold]{self._recipe.title}[/bold] · {hardware.describe()}")
        self._console.print(f"Workspace: {self._run.workspace.root}\n")
        try:
            self._write_rows()
            for step in self._recipe.steps:
                self._job(step, hardware.resource)
        except StageFailed as failed:
            self._result.exit_status = int(failed.args[0])
            return self._result
        outcome = self._recipe.outcome(self._run)
        self._result.figures |= outcome.figures
        self._result.text = "\n".join([*outcome.lines, "", *self._places()])
        return self._result

    def _write_rows(self) -> None:
        started = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=30))
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bar:
            task = bar.add_task(self._recipe.rows_name, total=1.0)
            self._recipe.write_rows(
                self._run, lambda fraction, message: bar.update(task, completed=fraction, description=message)
            )
        self._done(self._recipe.rows_name, started, str(self._recipe.place(self._run.workspace)))

    def _job(self, step: Step, resource: str) -> None:
        """Run one job to its end. Raises StageFailed with the exit status when it didn't end well."""
        started = time.monotonic()
        if step.before is not None:
            step.before(self._run)
        spec = step.spec(self._run).model_dump(mode="json")
        job = launcher.start(self._run.workspace, step.kind, spec, title=step.title, resource=resource)
        status = follow(job, self._console)
        if status.state is not State.SUCCEEDED:
            self._console.print(f"[red]{step.name} did not end well:[/red] {status.error or status.message}")
            self._console.print(f"  do:  {status.hint or f'python cli.py jobs resume {job.id}'}\n  log: {job.log_path}")
            bad = status.error_kind in (BadInput.kind, Missing.kind)
            raise StageFailed(130 if status.state is State.STOPPED else 2 if bad else 1)
        self._keep(step, job)
        self._done(step.name, started, str(job.path))

    def _keep(self, step: Step, job: JobDirectory) -> None:
        self._run.jobs[step.key] = job
        self._result.figures[step.key] = self._run.figures(step.key)

    def _done(self, name: str, started: float, place: str) -> None:
        stage = Stage(name, round(time.monotonic() - started, 1), place)
        self._result.stages.append(stage)
        self._console.print(f"[green]✓[/green] {name:<30} {stage.seconds:6.1f} s")

    def _places(self) -> list[str]:
        total = sum(stage.seconds for stage in self._result.stages)
        return [
            f"Where everything lies ({total:.0f} s in all)",
            *(f"  {stage.name:<30} {stage.seconds:6.1f} s  {stage.place}" for stage in self._result.stages),
            "",
            f"All of it on the page: python app.py --workspace {self._run.workspace.root}",
        ]
