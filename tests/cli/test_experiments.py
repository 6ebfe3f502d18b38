"""The experiments commands, run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.experiments import experiments_app
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from serving.experiments import Experiments
from tests.serving.experiments.people import come, succeeding

SPEC = """
name: greeting
outcome: success
arms:
  - {model: old, percentage: 50}
  - {model: new, percentage: 50}
salt: s
"""
Run = Callable[..., str]


@pytest.fixture
def run(workspace: Workspace) -> Run:
    """Runs a command in the test's workspace."""

    def command(*arguments: object) -> str:
        texts = [*(str(each) for each in arguments), "--workspace", str(workspace.root)]
        result = CliRunner().invoke(experiments_app, texts, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return command


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "greeting.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def test_an_experiment_from_its_start_to_its_end(run: Run, spec: Path, workspace: Workspace) -> None:
    assert run("list").startswith("No experiment was started here yet.")
    assert run("start", spec) == "greeting runs now: old 50 %, new 50 %; judged by success.\n"
    assert "running  success: old 50 %, new 50 %" in run("list")
    assert "nothing can be said yet" in run("show", "greeting")
    come(Experiments(workspace), range(300), succeeding(old=0.3, new=0.9))
    shown = run("show", "greeting")
    assert "new is better than old by" in shown and "old" in shown.splitlines()[0] and ", control" in shown
    spec.write_text(SPEC.replace("old, percentage: 50", "old, percentage: 10").replace("new, percentage: 50",
                    "new, percentage: 90"), encoding="utf-8")  # fmt: skip
    assert run("start", spec).startswith("greeting has new percentages: old 10 %, new 90 %")
    assert run("stop", "greeting", "--reason", "enough") == "greeting is stopped; its users get old now.\n"
    known = json.loads(run("show", "greeting", "--json"))
    assert (known["status"], known["stops"][0]["reason"], known["revision"]) == ("stopped", "enough", 2)
    assert known["comparisons"][0]["result"] == "better"
    assert "salt" not in known


def test_which_model_a_user_would_get(run: Run, spec: Path) -> None:
    run("start", spec)
    said = {run("arm", "greeting", user).partition(" gets ")[2] for user in map(str, range(30))}
    assert said == {"old (arm old)\n", "new (arm new)\n"}
    run("stop", "greeting", "--arm", "new")
    of_new = next(user for user in map(str, range(30)) if "not counted" in run("arm", "greeting", user))
    assert run("arm", "greeting", of_new) == f"{of_new} gets old (arm old); not counted: its arm new is stopped\n"
    assert json.loads(run("arm", "greeting", of_new, "--json"))["holds_a_place_of"] == "new"


def test_what_came_of_an_answer(run: Run, spec: Path, workspace: Workspace) -> None:
    run("start", spec)
    with pytest.raises(Missing, match="No experiment knows"):
        run("record", "r1", "--success")
    experiments = Experiments(workspace)
    experiments.expose(experiments.assign("greeting", "alice", None), "r1")
    with pytest.raises(BadInput, match="Nothing was told"):
        run("record", "r1")
    assert run("record", "r1", "--success", "--rating", "4") == "r1: rating 4, success 1\n"
    assert json.loads(run("record", "r1", "--failure", "--json"))["success"] == 0.0


def test_a_description_with_problems_is_refused_whole(run: Run, spec: Path) -> None:
    spec.write_text(SPEC.replace("percentage: 50", "percentage: 40"), encoding="utf-8")
    with pytest.raises(BadInput, match="make 80, not 100"):
        run("start", spec)
    assert run("list").startswith("No experiment")
