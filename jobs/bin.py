"""Where deleted jobs go: a folder beside the others, from which they come back until it is emptied."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace


@dataclass(frozen=True)
class Binned:
    """A job in the bin, and the bytes on disk that it holds."""

    job: JobDirectory
    size_bytes: int


def bin_folder(workspace: Workspace) -> Path:
    return workspace.root / "bin"


def dependants(workspace: Workspace, job: JobDirectory) -> list[JobDirectory]:
    """The other jobs whose spec names this one: evaluations and exports of it, trainings that start from it."""
    others = [other for other in workspace.list_jobs() if other.id != job.id]
    return [other for other in others if any(_names(text, job.id) for text in _texts(other.header["spec"]))]


def delete(workspace: Workspace, job: JobDirectory) -> Path:
    """Move a job to the bin. Raises BadInput while a worker is alive for it. Returns where it lies then."""
    state = job.status().state
    if state.active:
        raise BadInput(
            f"{job.header['title']} ({job.id}) can't be deleted.",
            f"It is {state}.",
            "Stop it first; what it did so far is saved.",
        )
    place = bin_folder(workspace) / job.id
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(job.path, place)
    return place


def in_bin(workspace: Workspace) -> list[Binned]:
    """What the bin holds, the newest job first."""
    folder = bin_folder(workspace)
    if not folder.is_dir():
        return []
    paths = sorted((path for path in folder.iterdir() if (path / "spec.json").is_file()), reverse=True)
    return [Binned(JobDirectory(path), _size(path)) for path in paths]


def restore(workspace: Workspace, job_id: str) -> JobDirectory:
    """Bring a job back from the bin; the beginning or end of its id is enough. Raises Missing or BadInput."""
    found = _in_bin(workspace, job_id)
    place = workspace.jobs / found.id
    if place.exists():
        raise BadInput(
            f"{found.id} can't come back.", "A job of this id is there already.", "Delete that one first, or leave it."
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(found.path, place)
    return JobDirectory(place)


def empty(workspace: Workspace) -> int:
    """Delete for good what is in the bin. Returns the bytes that came free."""
    held = in_bin(workspace)
    for each in held:
        shutil.rmtree(each.job.path)
    return sum(each.size_bytes for each in held)


def _in_bin(workspace: Workspace, job_id: str) -> JobDirectory:
    jobs = [each.job for each in in_bin(workspace)]
    found = [job for job in jobs if job.id == job_id] or [
        job for job in jobs if job_id and (job.id.startswith(job_id) or job.id.endswith(job_id))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(job.id for job in found[:5])
        raise BadInput(f"'{job_id}' fits {len(found)} deleted jobs.", ids, "Give more of the id.")
    raise Missing(
        f"There is no job '{job_id}' in the bin.",
        f"It holds {len(jobs)} jobs." if jobs else "It is empty.",
        "`python cli.py jobs bin` shows what it holds.",
    )


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _names(text: str, job_id: str) -> bool:
    """Whether a spec's text names a job: its id alone or in a path, or `job:` with the beginning or end of the id."""
    named = text.removeprefix("job:")
    short = text.startswith("job:") and bool(named) and (job_id.startswith(named) or job_id.endswith(named))
    return short or job_id in text


def _texts(value: Any) -> Iterator[str]:
    """Every text in a spec, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _texts(each)
