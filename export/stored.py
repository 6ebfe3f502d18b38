"""Exports made before: how much room each takes, and how to be rid of one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from jobs.directory import JobDirectory
from jobs.errors import BadInput
from jobs.workspace import Workspace


@dataclass(frozen=True)
class StoredExport:
    """One export job's folder. `size_bytes` counts a file that lies there under two names once."""

    id: str
    title: str
    created: float
    state: str
    files: tuple[str, ...]
    size_bytes: int


def stored_exports(workspace: Workspace) -> list[StoredExport]:
    """All of the workspace, the newest first."""
    return [_stored(job) for job in workspace.list_jobs("export")]


def _stored(job: JobDirectory) -> StoredExport:
    header = job.header
    sizes = {}
    for path in job.path.rglob("*"):
        if path.is_file():
            found = path.stat()
            sizes[found.st_ino] = found.st_size
    files = sorted(
        path.name for path in job.path.iterdir() if path.suffix == ".gguf" or path.name in ("merged", "adapter")
    )
    return StoredExport(
        job.id,
        header["title"] or job.id,
        header["created"],
        job.status().state.value,
        tuple(files),
        sum(sizes.values()),
    )


def delete_export(workspace: Workspace, job_id: str) -> int:
    """Delete an export's whole folder; the training it was made of stays. Returns the bytes that became free.

    Raises Missing for an unknown id, BadInput for a job that is no export or still runs.
    """
    job = workspace.job(job_id)
    if job.header["kind"] != "export":
        raise BadInput(f"{job.id} is no export.", f"It is of the kind {job.header['kind']}.", "Name an export.")
    if job.alive() or job.status().state.active:
        raise BadInput(f"{job.id} is still running.", "Its files are being written.", "Stop it first.")
    size = _stored(job).size_bytes
    shutil.rmtree(job.path)
    return size
