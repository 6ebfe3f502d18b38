"""`route train` and `route ask`: which model would answer, and why, from a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.route import route_app
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from tests.serving.router.test_classifier import SUBJECTS, rows_of, version_of

SPEC = """
models: [ignored by the router]
router:
  default: base
  ensembles:
  - {name: experts, members: {acm: 1.5, bvr: 1}, scenarios: {defence: {acm: 2}}}
  rules:
  - {name: fights, when: {tags: [defence]}, to: experts}
  - {name: split, when: {any_words: [poem]}, to: {small: 1, large: 1}}
  - {name: code, when: {classified: {classifier: topics, label: code, at_least: 0.6}}, to: coder}
"""


def run(*arguments: str | Path) -> str:
    """What a command prints; whatever it raises is raised."""
    done = CliRunner().invoke(route_app, list(map(str, arguments)), catch_exceptions=False)
    if isinstance(done.exception, BadInput | Missing):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a trained classifier, and a spec beside it."""
    folder = tmp_path_factory.mktemp("route")
    version_of(Workspace(folder / "ws"), rows_of(SUBJECTS, 0)[:150], 50)
    (folder / "serve.yaml").write_text(SPEC)
    said = run("train", "--data", "topics", "--name", "topics", "--workspace", folder / "ws")
    assert "of 50 held-out rows right (95% CI" in said and "Tag → what it was taken for:" in said
    return folder


def test_training_reports_as_json_too(place: Path) -> None:
    value = json.loads(run("train", "--data", "topics", "--name", "other", "--workspace", place / "ws", "--json"))
    assert value["labels"] == ["code", "cooking", "travel"]
    assert value["held_out"] == 50 and 0 <= value["calibration_error"] <= 1 and value["confusion"]


def test_asking_tells_the_model_the_reason_and_which_rules_did_not_fit(place: Path) -> None:
    said = run("ask", place / "serve.yaml", "Explain the python function", "--workspace", place / "ws")
    assert said.splitlines()[0] == "coder would answer."
    assert "topics finds code" in said and "not fights: the tag is not defence" in said


def test_asking_for_an_ensemble_names_its_members_with_their_weights(place: Path) -> None:
    said = run("ask", place / "serve.yaml", "Missile!", "--tag", "defence", "--workspace", place / "ws")
    assert "experts would answer." in said
    assert "asks:  acm (weight 3), bvr (weight 1)" in said


def test_the_same_user_is_told_the_same_model_as_json(place: Path) -> None:
    values = [
        json.loads(run("ask", place / "serve.yaml", "a poem", "--user", "anna", "--workspace", place / "ws", "--json"))
        for _ in range(3)
    ]
    assert len({value["target"] for value in values}) == 1 and values[0]["route"] == "split"


def test_a_router_alone_is_a_spec_too_and_problems_name_the_line(place: Path, tmp_path: Path) -> None:
    (tmp_path / "router.yaml").write_text("default: base\n")
    assert "base would answer." in run("ask", tmp_path / "router.yaml", "x", "--workspace", tmp_path)
    (tmp_path / "router.yaml").write_text("default: base\nrules: [{name: x, when: {pattern: '('}, to: base}]\n")
    with pytest.raises(BadInput, match="no regular expression"):
        run("ask", tmp_path / "router.yaml", "x", "--workspace", tmp_path)
    with pytest.raises(Missing, match="no classifier 'topics'"):
        run("ask", place / "serve.yaml", "x", "--workspace", tmp_path / "empty")
    with pytest.raises(Missing, match="no model or route 'nobody'"):
        run("ask", place / "serve.yaml", "x", "--model", "nobody", "--workspace", place / "ws")
    with pytest.raises(Missing):
        run("train", "--data", "nothing", "--name", "x", "--workspace", tmp_path)
    with pytest.raises(BadInput, match="can't be a classifier's name"):
        run("train", "--data", "topics", "--name", "../x", "--workspace", place / "ws")
