"""Going to the Hub: what is laid out for upload, what is asked first. The Hub itself can't be reached here."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.hub import HubSpec, lay_out, run
from jobs.context import JobContext
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace


@pytest.fixture
def export(tmp_path: Path) -> JobDirectory:
    workspace = Workspace(tmp_path / "workspace")
    path = workspace.new_job_path("export")
    job = JobDirectory.create(path, kind="export", title="Player", spec={}, resource=None)
    for name in ("adapter/adapter_model.safetensors", "adapter/README.md", "player-Q8_0.gguf", "Modelfile-Q8_0"):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(name)
    (path / "MODEL_CARD.md").write_text("---\nlicense: mit\n---\n# Player\n")
    (path / "parity.json").write_text("{}")
    job.write_manifest({"figures": {}})
    return job


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_card_becomes_the_readme_and_nothing_is_copied(export: JobDirectory, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    lay_out(export, ["adapter", "merged", "gguf"], folder)
    files = {"adapter_model.safetensors", "player-Q8_0.gguf", "Modelfile-Q8_0", "README.md", "parity.json"}
    assert names(folder) == files
    assert (folder / "README.md").read_text() == "---\nlicense: mit\n---\n# Player\n"
    assert (folder / "player-Q8_0.gguf").stat().st_ino == (export.path / "player-Q8_0.gguf").stat().st_ino


def test_beside_a_merged_model_the_adapter_lies_in_a_folder_of_its_own(export: JobDirectory, tmp_path: Path) -> None:
    (export.path / "merged").mkdir()
    (export.path / "merged" / "model.safetensors").write_text("weights")
    lay_out(export, ["adapter", "merged"], tmp_path / "repository")
    assert {"model.safetensors", "adapter/adapter_model.safetensors"} <= names(tmp_path / "repository")


def test_without_any_of_the_wanted_files_nothing_is_uploaded(export: JobDirectory, tmp_path: Path) -> None:
    with pytest.raises(Missing, match="has none of merged"):
        lay_out(export, ["merged"], tmp_path / "repository")


def test_the_name_has_to_be_repeated() -> None:
    with pytest.raises(BadInput, match="has to repeat the repository's name"):
        HubSpec.parse({"export": "x", "repository": "me/player", "confirmation": "me/playr"})
    assert HubSpec.parse({"export": "x", "repository": "me/player", "confirmation": "me/player"}).private is True


def test_without_a_connection_it_says_so_and_nothing_is_lost(
    export: JobDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    workspace = Workspace(tmp_path / "workspace")
    spec = {"export": export.id, "repository": "me/player", "confirmation": "me/player"}
    path = workspace.new_job_path("hub")
    job = JobDirectory.create(path, kind="hub", title="hub", spec=spec, resource=None)
    with pytest.raises(Missing, match="can't be reached"):
        run(JobContext(job, 1, 0.0))
    assert (export.path / "player-Q8_0.gguf").is_file()
