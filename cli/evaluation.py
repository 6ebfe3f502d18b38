"""Evaluation beyond the verdict: a judge, preference pairs, the arena's standing, and task files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.shared import DetachOption, JsonOption, WorkspaceOption, open_workspace, run_job, show
from evaluation.task_template import Kind, new_task
from jobs.arguments import spec_values

task_app = typer.Typer(no_args_is_help=True, help="What models are asked, and what counts as right: task files.")


def judge(
    context: typer.Context, workspace: WorkspaceOption = None, as_json: JsonOption = False, detach: DetachOption = False
) -> None:
    """Have a model compare answers: [SPEC.yaml] --evaluation job:ID --judge.model M; checked by your own votes."""
    from evaluation.judge.spec import JudgingSpec

    parsed = JudgingSpec.parse(*spec_values(context.args))
    title = f"{parsed.judge.model} judges {parsed.evaluation or 'your votes'}"
    run_job(open_workspace(workspace), "judge", parsed.model_dump(mode="json"), title, as_json, detach)


def pairs(
    context: typer.Context, workspace: WorkspaceOption = None, as_json: JsonOption = False, detach: DetachOption = False
) -> None:
    """Make preference pairs: [SPEC.yaml] --name N --scored_by votes, or task or judge with --data D --model M."""
    from evaluation.pairs.spec import PairsSpec

    parsed = PairsSpec.parse(*spec_values(context.args))
    run_job(
        open_workspace(workspace), "pairs", parsed.model_dump(mode="json"), f"Pairs for {parsed.name}", as_json, detach
    )


def arena(
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
) -> None:
    """How the models stand by your votes: ratings with intervals, and how many more votes would settle it."""
    from datasets_src.interactions.store import Interactions
    from evaluation.arena.standing import standing

    found = standing(list(Interactions(open_workspace(workspace)).find_votes()), confidence=confidence, seed=seed)
    lines = [
        f"{each.rating:6.0f}  {each.model}  ({each.wins} won, {each.ties} even, {each.losses} lost)"
        for each in found.ratings
    ]
    said = [found.lead.sentence if found.lead else "", found.order.sentence, found.length.sentence, *found.notes]
    if not found.votes:
        said = ["No votes yet: chat blind on the Evaluation tab, and vote."]
    show(found.as_json(), as_json, "\n".join([*lines, *(line for line in said if line)]))


@task_app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The task's name, or a path ending in .py.")],
    kind: Annotated[Kind, typer.Option(help="questions about rows, multiple choice, or a game.")] = "questions",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a task file with comments, ready to run and to change; it lies in the workspace's folder tasks."""
    from evaluation.task_list import own_task_path

    path = Path(name) if name.endswith(".py") else own_task_path(open_workspace(workspace), name)
    new_task(path, kind)
    command = f"python cli.py evaluate --task {name} --data D --models '[embedded]'"
    show({"task": str(path)}, as_json, f"{path}\nEdit it, then: {command}")


@task_app.command("list")
def list_all(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """The tasks that there are: built in, of recipes, and your own."""
    from evaluation.task_list import known_tasks

    found = known_tasks(open_workspace(workspace))
    lines = [f"{task.name:<20} {task.origin:<9} {task.problem or task.description}" for task in found]
    show([asdict(task) for task in found], as_json, "\n".join(lines))
