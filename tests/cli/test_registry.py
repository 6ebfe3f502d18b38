"""The registry commands, run in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.registry import registry_app
from jobs.errors import BadInput
from jobs.files import write_json, write_text


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a base, two adapters of it, and a workspace that has both as bot@1 and bot@2."""
    base = tmp_path / "base"
    write_json(base / "config.json", {})
    write_text(base / "model.safetensors", "base")
    for number in (1, 2):
        folder = tmp_path / f"adapter-{number}"
        write_json(folder / "adapter_config.json", {"r": 8, "base_model_name_or_path": str(base)})
        write_text(folder / "adapter_model.safetensors", str(number))
        run(tmp_path, "add", "bot", f"adapter:{folder}", "--tags", "chat, v0", "--note", "a try")
    return tmp_path


def run(place: Path, *arguments: str, answer: str = "") -> str:
    result = CliRunner().invoke(
        registry_app, [*arguments, "--workspace", str(place / "workspace")], input=answer, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def test_versions_are_listed_promoted_rolled_back_and_told_of(place: Path) -> None:
    assert [line.split()[:2] for line in run(place, "list").splitlines()] == [
        ["bot@2", "candidate"],
        ["bot@1", "candidate"],
    ]
    run(place, "promote", "bot@1", "--reason", "the first")
    said = run(place, "promote", "bot:candidate", "--reason", "better")
    assert said == "bot@2 is in production now; bot@1 was before.\n"
    (listed,) = json.loads(run(place, "list", "--stage", "production", "--json"))
    assert (listed["number"], listed["tags"]) == (2, ["chat", "v0"])
    run(place, "rollback", "bot", "--reason", "worse after all")
    lines = run(place, "history", "bot").splitlines()
    assert "roll back bot@1  production @2 → @1  worse after all" in lines[-1]
    shown = json.loads(run(place, "show", "bot", "--json"))
    assert (shown["number"], shown["check"]["state"], shown["stage"]) == (1, "unchanged", "production")
    assert "Evaluations: none" in run(place, "show", "bot")


def test_tags_notes_retirement_and_removal(place: Path) -> None:
    run(place, "tag", "bot@1", "--add", "old", "--remove", "v0", "--note", "kept for comparison")
    (found,) = json.loads(run(place, "list", "--tag", "old", "--json"))
    assert (found["number"], found["note"]) == (1, "kept for comparison")
    run(place, "retire", "bot@1", "--reason", "old")
    with pytest.raises(BadInput, match="was not removed"):
        run(place, "remove", "bot@1", answer="n\n")
    with pytest.raises(BadInput, match="no single version"):
        run(place, "remove", "bot", "--yes")
    run(place, "remove", "bot@1", "--yes")
    assert len(json.loads(run(place, "list", "--json"))) == 1


def test_a_vllm_launch_is_written(place: Path) -> None:
    said = run(place, "vllm", "bot@1", "bot@2", "--to", str(place / "launch"), "--host", "gpu")
    assert "http://gpu:8000/v1#bot@2" in said
    assert (place / "launch" / "launch.sh").is_file()
