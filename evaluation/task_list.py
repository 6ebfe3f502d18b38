"""The tasks that can be chosen: built in, of the recipes, and of the workspace's folder `tasks`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluation.tasks import BUILT_IN, NLL, RECIPES, load_task, tasks_folder
from jobs.errors import UserError
from jobs.workspace import Workspace


@dataclass(frozen=True)
class TaskInfo:
    """One task. `name` is what a spec calls it, `origin` one of built in, recipe, yours. `problem`: why its file can't
    be used (title, description and metric are empty then)."""

    name: str
    origin: str
    title: str = ""
    description: str = ""
    metric: str = ""
    asks_data: bool = True
    plays: bool = False
    problem: str | None = None


def known_tasks(workspace: Workspace) -> list[TaskInfo]:
    """All of them. A file that can't be used is listed with what is wrong with it; files are run to be read."""
    recipes = sorted(path.parent.name for path in RECIPES.glob("*/task.py"))
    own = sorted(path.stem for path in tasks_folder(workspace).glob("*.py"))
    named = [(name, "built in") for name in BUILT_IN]
    named += [(name, "recipe") for name in recipes]
    named += [(name, "yours") for name in own if name not in BUILT_IN]
    return [_info(name, origin, workspace) for name, origin in named]


def _info(name: str, origin: str, workspace: Workspace) -> TaskInfo:
    try:
        task = load_task(f"recipes.{name}.task" if origin == "recipe" else name, workspace)
    except UserError as error:
        return TaskInfo(name, origin, problem=error.what)
    except Exception as error:  # noqa: BLE001 - a person's file, run as it is; the list of the others must not end there
        return TaskInfo(name, origin, problem=f"{type(error).__name__}: {error}")
    return TaskInfo(
        name=name,
        origin=origin,
        title=task.name,
        description=task.description,
        metric="perplexity" if task.metric == NLL else task.metric,
        asks_data=task.rows is None,
        plays=task.play is not None,
    )


def own_task_path(workspace: Workspace, name: str) -> Path:
    """Where a new task of that name belongs, so that a spec finds it by the name."""
    return tasks_folder(workspace) / f"{name}.py"
