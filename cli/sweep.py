"""Commands about sweeps: start, list, show, resume."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.shared import DetachOption, JsonOption, WorkspaceOption, console, open_workspace, show
from jobs.directory import State
from jobs.errors import BadInput
from jobs.follow import follow
from jobs.workspace import Workspace
from trainer.sweep import Sweep, SweepSpec, go_on, job_of, list_sweeps, open_sweep, start
from trainer.sweep_table import COLUMNS, Row, as_json, best, in_order, table

sweep_app = typer.Typer(no_args_is_help=True, help="Train many times with other options, and compare.")


@sweep_app.command("start")
def sweep_start(
    spec: Path, workspace: WorkspaceOption = None, as_json: JsonOption = False, detach: DetachOption = False
) -> None:
    """Queue a training job for each run of a SweepSpec (YAML): base, and grid or runs by dotted options."""
    place = open_workspace(workspace)
    sweep = start(place, SweepSpec.load(spec), _resource(place))
    console.print(f"Sweep {sweep.id}: {len(sweep.runs)} runs")
    _follow_and_report(place, sweep, as_json, detach)


@sweep_app.command("resume")
def sweep_resume(
    sweep_id: str, workspace: WorkspaceOption = None, as_json: JsonOption = False, detach: DetachOption = False
) -> None:
    """Start what was not started, and go on with runs that were stopped, failed or lost."""
    place = open_workspace(workspace)
    sweep = go_on(place, open_sweep(place, sweep_id), _resource(place))
    _follow_and_report(place, sweep, as_json, detach)


@sweep_app.command("show")
def sweep_show(
    sweep_id: str,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    sort: Annotated[str, typer.Option(help=f"Best first by a column: {', '.join(COLUMNS)}.")] = "",
) -> None:
    """The table of a sweep; the best run is marked with *."""
    if sort and sort not in COLUMNS:
        raise BadInput(f"There is no column '{sort}'.", f"Known are {', '.join(COLUMNS)}.", "Name one of these.")
    place = open_workspace(workspace)
    _print(place, open_sweep(place, sweep_id), as_json, sort)


@sweep_app.command("list")
def sweep_list(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """All sweeps, newest first."""
    place = open_workspace(workspace)
    found = []
    for sweep in list_sweeps(place):
        states = [row.state for row in table(place, sweep)]
        done = states.count(State.SUCCEEDED)
        found.append({"sweep": sweep.id, "name": sweep.name, "runs": len(states), "done": done})
    lines = [f"{each['sweep']}  {each['name']}: {each['done']} of {each['runs']} runs done" for each in found]
    nothing = "No sweep was started here yet. Try: python cli.py sweep start SPEC.yaml"
    show(found, as_json, "\n".join(lines) or nothing)


def _resource(workspace: Workspace) -> str:
    from models.hardware import probe

    return probe(workspace.root).resource


def _follow_and_report(workspace: Workspace, sweep: Sweep, as_json: bool, detach: bool) -> None:
    """Follow run after run until all are over, or one is left running; exit 1 or 130 when not all ended well."""
    for run in () if detach else sweep.runs:
        job = job_of(workspace, run)
        if job is None:
            continue
        status = follow(job, console)
        console.print(f"{run.title}: {status.message or status.state}")
        if status.state.active:
            break
    _print(workspace, sweep, as_json, "")
    states = {row.state for row in table(workspace, sweep)}
    if detach or states == {State.SUCCEEDED}:
        return
    if states & {State.FAILED, State.LOST}:
        raise typer.Exit(1)
    if State.STOPPED in states:
        raise typer.Exit(130)


def _print(workspace: Workspace, sweep: Sweep, as_json_wanted: bool, sort: str) -> None:
    rows = table(workspace, sweep)
    rows = in_order(rows, sort) if sort else rows
    found = best(rows)
    value = {
        "sweep": sweep.id,
        "name": sweep.name,
        "rows": as_json(rows),
        "best": None
        if found is None
        else {"run": rows[found.place].title, "job": rows[found.place].job, "by": found.by},
    }
    lines = [_line(row, found is not None and found.place == place) for place, row in enumerate(rows)]
    note = [f"* best by {found.by}"] if found else []
    heading = f"{sweep.name} ({sweep.id})"
    show(value, as_json_wanted, "\n".join([heading, _heading(), *lines, *note]))


WIDTHS = {"quality": 26, "eval_loss": 13, "final_loss": 11, "tokens_per_second": 9, "minutes": 8, "peak_gb": 16}


def _heading() -> str:
    return f"  {'Run':<34} {'State':<11}" + "".join(
        f" {COLUMNS[name].title:>{width}}" for name, width in WIDTHS.items()
    )


def _line(row: Row, is_best: bool) -> str:
    cells = []
    for name, width in WIDTHS.items():
        value = COLUMNS[name].value(row)
        text = "" if value is None else f"{value:,.4g}"
        if name == "quality" and row.quality:
            text = row.quality.text
        cells.append(f" {text:>{width}}")
    return f"{'*' if is_best else ' '} {row.title:<34} {row.state:<11}{''.join(cells)}  {row.job or ''}"
