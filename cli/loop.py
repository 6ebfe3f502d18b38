"""Commands about the loop: run a plan's round, watch a plan, list rounds, approve and reject what they made."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import yaml

from cli.shared import DetachOption, JsonOption, WorkspaceOption, console, open_workspace, report, run_job, show
from jobs.follow import follow
from serving.loop.plan import require_runnable
from serving.loop.rounds import Round, approve, begin, reject, rounds
from serving.loop.spec import LoopSpec
from serving.loop.suggest import suggested_plan

loop_app = typer.Typer(
    no_args_is_help=True, help="From rated chats to the next version: plan, run, watch, list, approve, reject."
)


@loop_app.command("plan")
def loop_plan(
    model: Annotated[str, typer.Argument(help="A registered model that has a version in production.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """A first plan for a model, trained and judged as the one in production was; `> plan.yaml` keeps it."""
    values = suggested_plan(open_workspace(workspace), model)
    show(values, as_json, yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None).strip())


@loop_app.command("run")
def loop_run(
    plan: Annotated[Path, typer.Argument(help="A LoopSpec as YAML.")],
    force: Annotated[bool, typer.Option("--force", help="Begin a round though none is due.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """One round now, if it is due; one that was stopped or killed is gone on with."""
    begun = begin(open_workspace(workspace), _read(plan), force=force)
    if begun.job is None:
        show({"job": None, "message": begun.sentence}, as_json, begun.sentence)
        return
    console.print(begun.sentence)
    if not detach:
        follow(begun.job, console)
    report(begun.job, as_json)


@loop_app.command("watch")
def loop_watch(
    plan: Annotated[Path, typer.Argument(help="A LoopSpec as YAML.")],
    every: Annotated[float, typer.Option(min=1, max=86_400, help="Seconds between looks.")] = 60.0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep looking whether a round is due, as a job in the background; `jobs stop` ends it."""
    place, spec = open_workspace(workspace), _read(plan)
    require_runnable(spec, place)
    values = {**spec.model_dump(mode="json"), "look_every_seconds": every}
    run_job(place, "loop.watch", values, f"{spec.name}: watch", as_json, detach=True)


@loop_app.command("list")
def loop_list(
    plan: Annotated[str | None, typer.Argument(help="A plan's name.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """All rounds, newest first, with what became of them."""
    found = rounds(open_workspace(workspace), plan)
    lines = [_line(each) for each in found]
    show([asdict(each) for each in found], as_json, "\n".join(lines) or "No round was begun here yet.")


@loop_app.command("approve")
def loop_approve(
    job: Annotated[str, typer.Argument(help="A round that waits; the end of its id is enough.")],
    note: str = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put into production what a waiting round made."""
    done = approve(open_workspace(workspace), job, note)
    show(asdict(done), as_json, f"{done.version} is in production now.")


@loop_app.command("reject")
def loop_reject(
    job: Annotated[str, typer.Argument(help="A round that waits; the end of its id is enough.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stays in the history.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Retire what a waiting round made."""
    done = reject(open_workspace(workspace), job, reason)
    show(asdict(done), as_json, f"{done.version} is retired; production stays as it is.")


def _read(plan: Path) -> LoopSpec:
    return LoopSpec.load(plan).with_absolute_paths(plan.resolve().parent)


def _line(found: Round) -> str:
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.created))
    stands = found.outcome or str(found.state)
    return f"{found.job}  {moment}  {found.plan:<16} {stands:<9} {found.version or found.model}  {found.sentence}"
