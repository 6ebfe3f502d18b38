"""The demo: the Snake example from nothing to a checked GGUF, with real jobs, told in a terminal."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.errors import BadInput, Missing
from jobs.follow import follow
from jobs.spec import Spec
from jobs.workspace import Workspace
from models.hardware import probe
from recipes.snake import pipeline
from recipes.snake.results import outcome_lines, share_of_ceiling


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
        return {
            "stages": [asdict(stage) for stage in self.stages],
            "seconds": sum(stage.seconds for stage in self.stages),
            "share_of_ceiling": share_of_ceiling(self.figures["evaluate"]) if "evaluate" in self.figures else None,
            **self.figures,
        }

    def as_text(self) -> str:
        return self.text


class StageFailed(Exception):
    """A job of the demo did not end well; its message was shown. The argument is the exit status."""


class Demo:
    """Runs the stages in order; a failed or stopped one ends the demo, and what was made before stays."""

    def __init__(self, workspace: Workspace, rows: int, console: Console) -> None:
        self._workspace = workspace
        self._rows = rows
        self._console = console
        self._result = DemoResult()

    def run(self) -> DemoResult:
        hardware = probe(self._workspace.root)
        self._console.print(f"[bold]Hearth demo[/bold] · {hardware.describe()}\nWorkspace: {self._workspace.root}\n")
        try:
            self._stages(hardware.resource)
        except StageFailed as failed:
            self._result.exit_status = int(failed.args[0])
        return self._result

    def _stages(self, resource: str) -> None:
        started = time.monotonic()
        spec = self._write_rows()
        self._done("Snake rows from four teachers", started, self._workspace.uploads / "snake")
        data = self._job("Dataset", "data.build", spec, "snake", resource)
        train = self._job("Training", "train", pipeline.train_spec(), "Snake player", resource)
        comparison = pipeline.evaluate_spec("embedded", f"job:{train.id}")
        verdict = self._job("Verdict", "evaluate", comparison, "Snake player against its base", resource)
        export = self._job("GGUF and check", "export", pipeline.export_spec(train.id), "Snake player", resource)
        jobs = {"data": data, "train": train, "evaluate": verdict, "export": export}
        self._result.figures = {name: _figures(job) for name, job in jobs.items()}
        self._result.text = _summary(self._result, self._workspace, jobs, comparison.game_steps)

    def _write_rows(self) -> Spec:
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=30))
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bar:
            task = bar.add_task("The teachers play", total=1.0)
            return pipeline.write_rows(
                self._workspace,
                self._rows,
                lambda fraction, message: bar.update(task, completed=fraction, description=message),
            )

    def _job(self, name: str, kind: str, spec: Spec, title: str, resource: str) -> JobDirectory:
        """Run one job to its end. Raises StageFailed with the exit status when it didn't end well."""
        started = time.monotonic()
        job = launcher.start(self._workspace, kind, spec.model_dump(mode="json"), title=title, resource=resource)
        status = follow(job, self._console)
        if status.state is not State.SUCCEEDED:
            self._console.print(f"[red]{name} did not end well:[/red] {status.error or status.message}")
            self._console.print(f"  do:  {status.hint or f'python cli.py jobs resume {job.id}'}\n  log: {job.log_path}")
            bad = status.error_kind in (BadInput.kind, Missing.kind)
            raise StageFailed(130 if status.state is State.STOPPED else 2 if bad else 1)
        self._done(name, started, job.path)
        return job

    def _done(self, name: str, started: float, place: Path) -> None:
        stage = Stage(name, round(time.monotonic() - started, 1), str(place))
        self._result.stages.append(stage)
        self._console.print(f"[green]✓[/green] {name:<30} {stage.seconds:6.1f} s")


def _figures(job: JobDirectory) -> dict[str, Any]:
    manifest = job.manifest
    return dict(manifest["figures"]) if manifest else {}


def _summary(result: DemoResult, workspace: Workspace, jobs: dict[str, JobDirectory], game_steps: int) -> str:
    """What came out, where it lies, how long it took and what to do next."""
    export = jobs["export"].path
    total = sum(stage.seconds for stage in result.stages)
    lines = [
        *outcome_lines(result.figures["evaluate"], game_steps),
        "",
        "The exported files beside the trained model",
        *(f"  {file}: {sentence}" for file, sentence in result.figures["export"]["parity"].items()),
        f"  {result.figures['export']['recommendation']['sentence']}",
        "",
        f"Where everything lies ({total:.0f} s in all)",
        *(f"  {stage.name:<30} {stage.seconds:6.1f} s  {stage.place}" for stage in result.stages),
        "",
        "What to do next",
        f"  read the report        {jobs['evaluate'].path / 'report.html'}",
        f"  play it in Ollama      cd {export}",
        "                         ollama create snake-player -f Modelfile-Q8_0 && ollama run snake-player",
        f"  see all this clickable python app.py --workspace {workspace.root}",
        "  train on your own rows python cli.py data inspect YOUR_FILE.jsonl",
    ]
    return "\n".join(lines)
