"""What all commands share: their common options, how results are printed, how a job is started and followed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.errors import BadInput, Missing
from jobs.follow import follow
from jobs.kinds import KINDS
from jobs.workspace import Workspace

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", help="Folder for datasets and jobs. Default: HEARTH_WORKSPACE, else ./workspace."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Start the job and return at once.")]
ANY_OPTION = {"allow_extra_args": True, "ignore_unknown_options": True}

console = Console(stderr=True, highlight=False)


def open_workspace(folder: Path | None) -> Workspace:
    return Workspace(folder) if folder else Workspace.default()


def show(value: Any, as_json: bool, text: str) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str) if as_json else text)


def run_job(workspace: Workspace, kind: str, spec: dict[str, Any], title: str, as_json: bool, detach: bool) -> None:
    """Start a job, follow it unless detached, print its result, exit with its status."""
    from models.hardware import probe

    job = launcher.start(workspace, kind, spec, title=title, resource=probe(workspace.root).resource)
    console.print(f"{KINDS[kind].label}: job {job.id}")
    if not detach:
        follow(job, console)
    report(job, as_json)


def report(job: JobDirectory, as_json: bool) -> None:
    """Print how a job stands; exit 1, 2 or 130 when it did not end well."""
    status = launcher.observe(job)
    figures = (job.manifest or {}).get("figures", {})
    summary = {
        "job": job.id,
        "state": status.state,
        "message": status.message,
        "path": str(job.path),
        "figures": figures,
    }
    if status.state is State.FAILED:
        summary |= {"error": status.error, "hint": status.hint}
        console.print(f"[red]Failed:[/red] {status.error}\n  do:  {status.hint}\n  log: {job.log_path}")
    shown = [line for name, value in figures.items() for line in _lines(name, value)]
    show(summary, as_json, "\n".join([f"{job.id}: {status.message or status.state}", *shown, str(job.path)]))
    if status.state is State.STOPPED:
        raise typer.Exit(130)
    if status.state in (State.FAILED, State.LOST):
        raise typer.Exit(2 if status.error_kind in (BadInput.kind, Missing.kind) else 1)


def _lines(name: str, value: Any) -> list[str]:
    """A figure as lines: sentences each on its own, counts by name side by side; what is deeper stays in --json."""
    if isinstance(value, list):
        return [f"  - {each}" for each in value if isinstance(each, str)]
    if isinstance(value, dict):
        plain = [f"{key} {each:,}" for key, each in value.items() if isinstance(each, int)]
        return [f"  {name}: {', '.join(plain)}"] if plain else []
    return [f"  {name}: {value}"]
