"""The tasks that a page offers: Hearth's own, the recipes' and those of the workspace, what suits the rows first."""

from __future__ import annotations

from functools import lru_cache

from datasets_src.store import DatasetVersion
from evaluation.suited import suited_task
from jobs.workspace import Workspace
from ui.choices import Option, is_snake
from ui.paths import TASKS, own_tasks

SNAKE_TASK = "recipes.snake.task"
TASK_NAMES = {
    "exact_match": "exact_match: the answer equals the row's; for short answers",
    "perplexity": "perplexity: how surprising the rows' answers are; for long ones",
    "general": "general: 60 questions of general ability, to see what was forgotten",
    SNAKE_TASK: "Snake: single moves, and whole games",
    "recipes.tactical.task": "Tactical: advice as JSON that follows the rule book",
    "recipes.coder.task": "Coder: programs that pass their tests",
    "recipes.nava.task": "Nava: programs that walk as they were told",
    "recipes.assistant.task": "Assistant: facts out of documents",
}


def list_tasks(workspace: Workspace, first: str) -> list[Option]:
    """Label and name of every task, `first` before the others."""
    known = [(TASK_NAMES[task], task) for task in TASKS]
    options = [*known, *((f"{name}: your own task", name) for name in own_tasks(workspace))]
    return sorted(options, key=lambda option: option[1] != first)


def task_for(version: DatasetVersion | None) -> str:
    """The task that suits a dataset's rows; exact match where there are none."""
    if version is None:
        return "exact_match"
    return SNAKE_TASK if is_snake(version) else _suited(version)


@lru_cache(maxsize=32)
def _suited(version: DatasetVersion) -> str:
    return suited_task(version.eval())
