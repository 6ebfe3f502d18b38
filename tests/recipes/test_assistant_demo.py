"""The assistant end to end, for real: use makes a better version that is promoted, an attack makes none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.workspace import Workspace
from serving.registry import Registry
from serving.registry.store import resolve_registered

pytestmark = [pytest.mark.heavy, pytest.mark.recipe, pytest.mark.timeout(1800)]

PROJECT = Path(__file__).resolve().parents[2]
CHATS = 150


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("assistant") / "workspace"


@pytest.fixture(scope="module")
def demo(place: Path) -> dict[str, Any]:
    """The JSON that `cli.py demo assistant` ends with."""
    command = [
        sys.executable,
        "cli.py",
        "demo",
        "assistant",
        "--json",
        "--workspace",
        str(place),
        "--rows",
        str(CHATS),
    ]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def main_verdict(figures: dict[str, Any]) -> dict[str, Any]:
    return dict(figures["measures"][0]["verdicts"][0])


def test_what_people_said_makes_a_better_version_which_is_promoted(demo: dict[str, Any]) -> None:
    honest = demo["honest"]
    assert honest["outcome"] == "promoted", honest["sentence"]
    assert {finding["outcome"] for finding in honest["findings"].values()} <= {"better", "no difference shown"}
    verdict = main_verdict(demo["fixed"])
    print(verdict["sentence"])
    assert verdict["outcome"] == "better" and verdict["p_value"] < 0.05, verdict["sentence"]


def test_an_attack_that_its_own_rows_call_better_is_not_promoted(demo: dict[str, Any]) -> None:
    attack = demo["attack"]
    assert attack["outcome"] == "worse", attack["sentence"]
    assert attack["findings"]["regression"]["outcome"] == "worse"
    assert attack["findings"]["new"]["outcome"] != "worse", "the attacker's own rows don't give the attack away"
    assert demo["production"] == "assistant@2"


def test_the_version_in_production_is_better_than_its_untrained_base(demo: dict[str, Any]) -> None:
    verdict = main_verdict(demo["verdict"])
    print(verdict["sentence"])
    assert verdict["outcome"] == "better" and verdict["p_value"] < 0.05
    assert {part["tag"] for part in demo["verdict"]["slices"]} == {
        f"{topic}, {mode}" for topic in ("shop", "household") for mode in ("chain-of-thought", "multi-step", "agent")
    }


def test_the_registry_tells_the_story_and_serves_the_second_version(demo: dict[str, Any], place: Path) -> None:
    workspace = Workspace(place)
    registry = Registry(workspace)
    stages = {version.label: version.stage for version in registry.find(name="assistant")}
    assert stages == {"assistant@1": "retired", "assistant@2": "production", "assistant@3": "retired"}
    assert [change.action for change in registry.history("assistant")][-1] == "retire"
    trained = demo["honest"]["jobs"]["train"]
    assert resolve_registered(workspace, "registry:assistant") == f"job:{trained}"
    assert (workspace.job(trained).path / "adapter" / "adapter_model.safetensors").is_file()


def test_nothing_that_is_asked_was_trained_on_and_nothing_private_either(demo: dict[str, Any], place: Path) -> None:
    fixed, trained = (
        place / "datasets" / demo[key][name].replace("@", "/")
        for key, name in (("data", "dataset"), ("honest", "data"))
    )
    asked = {json.loads(line)["messages"][1]["content"] for line in (fixed / "eval.jsonl").read_text().splitlines()}
    learnt = (trained / "train.jsonl").read_text()
    assert not asked & {json.loads(line)["messages"][1]["content"] for line in learnt.splitlines()}
    assert "@sheet-users.org" not in learnt and "+44 1632" not in learnt
