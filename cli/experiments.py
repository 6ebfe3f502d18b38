"""Commands about experiments between served models: start, list, show, stop, who gets which, what came of a request."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.shared import JsonOption, WorkspaceOption, open_workspace, show
from jobs.errors import BadInput
from serving.experiments import Experiment, Experiments, ExperimentSpec, Outcome, arm_counts, compare

experiments_app = typer.Typer(
    no_args_is_help=True, help="Compare served models on the people who use them; look at the results at any time."
)
NameArgument = Annotated[str, typer.Argument(help="As `experiments list` shows it.")]


@experiments_app.command()
def start(
    spec: Annotated[Path, typer.Argument(help="A YAML file: name, arms with model and percentage, outcome.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start an experiment; for one that runs, take over changed percentages. As few users as possible change arms."""
    parsed = ExperimentSpec.load(spec)
    experiment = Experiments(open_workspace(workspace)).start(parsed)
    began = "runs now" if experiment.revision == 1 else "has new percentages"
    shares = ", ".join(f"{arm} {share:g} %" for arm, share in experiment.spec.shares.items())
    show(_described(experiment), as_json, f"{parsed.name} {began}: {shares}; judged by {parsed.outcome}.")


@experiments_app.command("list")
def list_all(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """All experiments, the newest first."""
    found = Experiments(open_workspace(workspace)).list_all()
    lines = [
        f"{each.spec.name:<24} {'running' if each.running else 'stopped'}  {each.spec.outcome}: "
        + ", ".join(f"{arm} {share:g} %" for arm, share in each.spec.shares.items())
        for each in found
    ]
    none = "No experiment was started here yet. Try: python cli.py experiments start SPEC.yaml"
    show([_described(each) for each in found], as_json, "\n".join(lines) or none)


@experiments_app.command("show")
def show_one(name: NameArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """What an experiment shows so far, in words, and who takes part."""
    experiments = Experiments(open_workspace(workspace))
    experiment = experiments.find(name)
    comparisons = compare(experiments, name)
    counts = arm_counts(experiments, name)
    lines = [_line(experiment, arm, counts[arm]) for arm in experiment.spec.shares]
    lines += [f"Stopped: {stop.reason}" for stop in experiment.stops if stop.arm is None]
    lines += [f"{each.sentence}." for each in comparisons]
    known = {**_described(experiment), "counts": counts, "comparisons": [asdict(each) for each in comparisons]}
    show(known, as_json, "\n".join(lines))


@experiments_app.command()
def stop(
    name: NameArgument,
    arm: Annotated[str | None, typer.Option(help="Stop only this arm; its users get control's model.")] = None,
    reason: Annotated[str, typer.Option(help="Kept with it.")] = "stopped by hand",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop an experiment: everybody gets control's model, and what it found stays."""
    experiment = Experiments(open_workspace(workspace)).stop(name, reason, arm)
    model = experiment.spec.control_arm.model
    show(_described(experiment), as_json, f"{arm or name} is stopped; its users get {model} now.")


@experiments_app.command("arm")
def arm_command(
    name: NameArgument,
    user: Annotated[str, typer.Argument(help="The user's id, or a conversation's where these are kept together.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which model would this user get?"""
    experiment = Experiments(open_workspace(workspace)).find(name)
    ids = (None, user) if experiment.spec.unit == "conversation" else (user, None)
    found = experiment.assign(*ids)
    held = experiment.arm_of(*ids)
    why = "" if found.counted else f"; not counted: {_uncounted(experiment, held)}"
    known = {"arm": found.arm, "model": found.model, "counted": found.counted, "holds_a_place_of": held}
    show(known, as_json, f"{user} gets {found.model} (arm {found.arm}){why}")


@experiments_app.command()
def record(
    request: Annotated[str, typer.Argument(help="The answer's id, or its X-Request-Id header.")],
    rating: Annotated[int | None, typer.Option(min=1, max=5, help="1 is worst, 5 best.")] = None,
    edited: Annotated[bool | None, typer.Option("--edited/--not-edited", help="Had it to be corrected?")] = None,
    success: Annotated[bool | None, typer.Option("--success/--failure", help="Was the task done?")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what came of an answer."""
    if rating is None and edited is None and success is None:
        raise BadInput(
            "Nothing was told of that answer.", "There is nothing to record.", "Give --rating, --edited or --success."
        )
    experiments = Experiments(open_workspace(workspace))
    experiments.require_exposed(request)
    done = None if success is None else float(success)
    experiments.record(request, Outcome(rating=rating, edited=edited, success=done))
    known = {"request": request, "rating": rating, "edited": edited, "success": done}
    said = ", ".join(f"{name} {value:g}" for name, value in known.items() if isinstance(value, int | float))
    show(known, as_json, f"{request}: {said}")


def _described(experiment: Experiment) -> dict[str, Any]:
    spec = experiment.spec.model_dump(mode="json", exclude={"salt"})
    return {
        **spec,
        "status": "running" if experiment.running else "stopped",
        "started": datetime.fromtimestamp(experiment.started, UTC).isoformat(timespec="seconds"),
        "revision": experiment.revision,
        "stops": [asdict(stop) for stop in experiment.stops],
    }


def _line(experiment: Experiment, label: str, counts: dict[str, int]) -> str:
    arm = experiment.spec.arm(label)
    named = arm.label if arm.label == arm.model else f"{arm.label} ({arm.model})"
    role = ", control" if arm is experiment.spec.control_arm else ""
    why = experiment.stopped_arms.get(label)
    kept = f"{counts['users']:,} {experiment.spec.unit}s, {counts['answers']:,} answers"
    return f"{named:<32} {arm.percentage:g} %{role}: {kept}" + (f"; stopped: {why}" if why else "")


def _uncounted(experiment: Experiment, held: str | None) -> str:
    if held is None:
        return "no id was given"
    return "the experiment is stopped" if not experiment.running else f"its arm {held} is stopped"
