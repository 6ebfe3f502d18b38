"""What can be chosen from what was made before: datasets and trained models. Read from disk each time it is asked."""

from __future__ import annotations

from datasets_src.store import DatasetVersion, list_versions, open_version
from jobs.directory import JobDirectory, State
from jobs.errors import UserError
from jobs.workspace import Workspace
from ui.words import count, when

Option = tuple[str, str]


def dataset_options(workspace: Workspace) -> list[Option]:
    """Label and reference of each dataset version, the latest built first; the latest of a name needs no @version."""
    options: list[Option] = []
    seen: set[str] = set()
    for version in list_versions(workspace):
        latest = version.name not in seen
        seen.add(version.name)
        rows = f"{count(version.train_rows, 'row')} to train on, {version.eval_rows:,} to judge by"
        name = version.name if latest else version.id
        options.append((f"{name} · {rows} · {when(version.built)}", name))
    return options


def trained_options(workspace: Workspace) -> list[Option]:
    """Label and id of each finished training job, newest first."""
    done = [job for job in workspace.list_jobs("train") if job.status().state is State.SUCCEEDED]
    return [(f"{job.header['title']} · {when(job.header['created'])} · {job.id[-4:]}", job.id) for job in done]


def dataset_of(workspace: Workspace, reference: str | None) -> DatasetVersion | None:
    """The dataset that a reference names, None when it can't be opened."""
    if not reference:
        return None
    try:
        return open_version(workspace, reference)
    except UserError:
        return None


def is_snake(version: DatasetVersion | None) -> bool:
    """Whether a dataset is the Snake example's: its tags are the teachers."""
    from recipes.snake.teachers import TEACHERS

    return version is not None and set(version.report["tags"]) == set(TEACHERS)


def train_job(workspace: Workspace, job_id: str | None) -> JobDirectory | None:
    """The finished training job of that id."""
    return next((workspace.job(known) for _, known in trained_options(workspace) if known == job_id), None)
