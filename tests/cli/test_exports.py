"""The exports commands: list, remove after asking, push only when confirmed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.export import exports_app
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.workspace import Workspace


@pytest.fixture
def export(tmp_path: Path) -> JobDirectory:
    path = Workspace(tmp_path).new_job_path("export")
    job = JobDirectory.create(path, kind="export", title="Player", spec={}, resource=None)
    (path / "player-Q8_0.gguf").write_bytes(b"x" * 4000)
    job.write_status(Status(State.SUCCEEDED))
    job.write_manifest({"figures": {}})
    return job


def run(*arguments: str, answer: str = "") -> str:
    done = CliRunner().invoke(exports_app, list(arguments), input=answer)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def test_an_export_is_listed_with_its_size_and_removed_after_asking(export: JobDirectory, tmp_path: Path) -> None:
    (found,) = json.loads(run("list", "--workspace", str(tmp_path), "--json"))["exports"]
    assert (found["id"], found["files"]) == (export.id, ["player-Q8_0.gguf"])
    with pytest.raises(BadInput, match="was not deleted"):
        run("remove", export.id, "--workspace", str(tmp_path), answer="n\n")
    assert export.path.exists()
    run("remove", export.id, "--workspace", str(tmp_path), answer="y\n")
    assert not export.path.exists()
    assert "Nothing exported yet" in run("list", "--workspace", str(tmp_path))


def test_nothing_is_pushed_without_a_yes(export: JobDirectory, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Nothing was uploaded"):
        run("push", export.id, "me/player", "--workspace", str(tmp_path), answer="n\n")
    spec = tmp_path / "hub.yaml"
    spec.write_text(f"export: {export.id}\nrepository: me/player\nconfirmation: me/player\n")
    with pytest.raises(BadInput, match="Nothing was uploaded"):
        run("push", str(spec), "--workspace", str(tmp_path), answer="n\n")
    assert not Workspace(tmp_path).list_jobs("hub")


def test_only_a_running_export_has_a_check_to_skip(export: JobDirectory, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no running export"):
        run("skip", export.id, "--workspace", str(tmp_path))
