"""Exports made before: their size, and deleting one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from export.stored import delete_export, stored_exports
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def made(workspace: Workspace, kind: str = "export") -> JobDirectory:
    path = workspace.new_job_path(kind)
    job = JobDirectory.create(path, kind=kind, title="Player", spec={}, resource=None)
    (path / "player-Q8_0.gguf").write_bytes(b"x" * 5000)
    job.write_status(Status(State.SUCCEEDED))
    job.write_manifest({"figures": {}})
    return job


def test_a_file_under_two_names_counts_once(workspace: Workspace) -> None:
    job = made(workspace)
    before = stored_exports(workspace)[0].size_bytes
    (job.path / "for-lm-studio").mkdir()
    os.link(job.path / "player-Q8_0.gguf", job.path / "for-lm-studio" / "player-Q8_0.gguf")
    (found,) = stored_exports(workspace)
    assert 5000 <= found.size_bytes == before
    assert found.files == ("player-Q8_0.gguf",)


def test_deleting_frees_the_room_and_leaves_all_else(workspace: Workspace) -> None:
    training, job = made(workspace, "train"), made(workspace)
    assert delete_export(workspace, job.id) > 5000
    assert not job.path.exists()
    assert (training.path / "player-Q8_0.gguf").exists()
    with pytest.raises(BadInput, match="is no export"):
        delete_export(workspace, training.id)


def test_a_running_export_is_not_deleted(workspace: Workspace) -> None:
    job = made(workspace)
    job.mark_launched()
    with pytest.raises(BadInput, match="still running"):
        delete_export(workspace, job.id)
    assert job.path.exists()
