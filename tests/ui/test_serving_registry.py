"""The registry on the Serving tab: registering, promoting with a reason, rolling back, and cheap polling."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.files import write_json
from jobs.workspace import Workspace
from serving.registry.records import Evidence, Lineage, Version
from serving.registry.store import Registry
from tests.toys import save_tiny_model
from tests.ui.serving_page import build, error_of, finished_training, handler
from ui import serving_registry
from ui.drafts import save_draft
from ui.page import SKIP
from ui.serving_registry_view import verdict_of, version_html, versions_html


@pytest.fixture
def two_versions(workspace: Workspace, tiny_model: Path, tmp_path: Path) -> Registry:
    registry = Registry(workspace)
    registry.register("helper", str(tiny_model))
    registry.register("helper", str(save_tiny_model(tmp_path / "other", hidden_size=32)))
    return registry


def choose(workspace: Workspace, label: str) -> None:
    save_draft(workspace, serving_registry.TAB, chosen=label)


def test_an_empty_registry_says_what_to_do(workspace: Workspace) -> None:
    table, cursor, column, version, history = serving_registry.show(workspace)
    assert "Register a finished training" in table and not column.visible and version == history == ""
    assert serving_registry.show(workspace, cursor) == [SKIP] * 5
    with pytest.raises(Missing, match="No version is chosen"):
        serving_registry.promote(workspace, "it is better")


def test_promoting_needs_a_reason_and_rolling_back_brings_the_one_before(
    workspace: Workspace, two_versions: Registry
) -> None:
    choose(workspace, "helper@1")
    with pytest.raises(BadInput, match="No reason"):
        serving_registry.promote(workspace, " ")
    serving_registry.promote(workspace, "first")
    choose(workspace, "helper@2")
    serving_registry.promote(workspace, "better on the new questions")
    assert serving_registry.roll_back(workspace, "it stammers").label == "helper@1"
    shown = serving_registry.show(workspace)
    assert "it stammers" in shown[4] and "@2 → @1" in shown[4] and shown[2].visible
    choose(workspace, "helper@1")
    assert serving_registry.retire(workspace, "no longer wanted").stage == "retired"
    assert not two_versions.find(stage="production")


def test_the_table_is_made_anew_only_when_the_registry_changed(workspace: Workspace, two_versions: Registry) -> None:
    cursor = serving_registry.show(workspace)[1]
    assert serving_registry.show(workspace, cursor) == [SKIP] * 5
    two_versions.tag("helper", 1, add=["small"])
    assert "small" in serving_registry.show(workspace, cursor)[0]


def test_an_evaluation_that_ends_shows_its_verdict_in_the_table(workspace: Workspace) -> None:
    training = finished_training(workspace, "mine")
    write_json(training.path / "adapter" / "adapter_config.json", {"base_model_name_or_path": "embedded"})
    write_json(training.path / "adapter" / "hearth.json", {"base": str(training.path)})
    write_json(training.path / "config.json", {})
    (training.path / "model.safetensors").write_bytes(b"")
    Registry(workspace).register("helper", f"job:{training.id}")
    cursor = serving_registry.show(workspace)[1]
    path = workspace.new_job_path("evaluate")
    job = JobDirectory.create(path, kind="evaluate", title="e", spec={"models": []}, resource=None)
    verdict = {"candidate": "mine", "reference": "base", "outcome": "better", "sentence": "better by 3 points"}
    standing = {"name": "mine", "kind": "model", "mean": 0.9, "low": 0.8, "high": 1.0}
    measure = {"metric": "exact", "main": True, "unit": "points", "verdicts": [verdict], "standings": [standing]}
    models = [{"name": "mine", "ref": f"job:{training.id}"}]
    figures = {"models": models, "task": {"name": "exact_match"}, "measures": [measure]}
    job.write_manifest({"figures": figures, "artifacts": {}, "seconds": 1, "finished": 1.0})
    table, cursor, *_ = serving_registry.show(workspace, cursor)
    assert "exact_match: better by 3 points" in table
    assert serving_registry.show(workspace, cursor) == [SKIP] * 5


def test_a_reason_that_could_not_be_used_stays_where_it_was_typed(workspace: Workspace, tiny_model: Path) -> None:
    Registry(workspace).register("helper", str(tiny_model))
    choose(workspace, "helper@1")
    press = handler(build(workspace), "promote")
    done = press(None, "first")
    assert done[5] == "" and "in production" in done[6]
    again = press(None, "once more")
    assert all(value is SKIP or value == SKIP for value in again[:-1]) and "already" in error_of(again)


def test_registering_refuses_a_missing_name_and_models_that_are_not_there(
    workspace: Workspace, tiny_model: Path
) -> None:
    press = handler(build(workspace), "register")
    assert "has no name" in error_of(press(None, str(tiny_model), " ", "", ""))
    assert "names no model" in error_of(press(None, "nothing at all", "helper", "", ""))
    done = press(None, str(tiny_model), "helper", "a, b", "tried by hand")
    assert "helper@1 is registered" in done[-2]
    assert Registry(workspace).get("helper", 1).tags == ("a", "b")


def test_the_demo_registers_no_endpoints(workspace: Workspace) -> None:
    press = handler(build(workspace, demo=True), "register")
    assert "demo" in error_of(press(None, "https://host.example/v1#m", "helper", "", ""))


def evidence(**changes: object) -> Evidence:
    values = {
        "job": "j", "time": 0.0, "task": "exact_match", "data": "d@1", "metric": "exact_match", "main": True,
        "unit": "points", "measured": "job:1", "mean": 0.8, "low": 0.7, "high": 0.9, "against": "base",
        "outcome": "better", "sentence": "better by 12.0 points",
    }  # fmt: skip
    return Evidence(**{**values, **changes})  # type: ignore[arg-type]


def version(*found: Evidence, name: str = "helper") -> Version:
    lineage = Lineage(base="<base>", data="d@1")
    return Version(name, 1, "job:1", "candidate", 0.0, None, lineage, found)


def test_the_verdict_is_the_newest_one_in_words() -> None:
    reference = evidence(sentence=None, outcome=None, against=None)
    assert verdict_of(version(reference, evidence())) == "exact_match: better by 12.0 points"
    assert verdict_of(version(reference)) == "exact_match: exact_match 80.0 %"
    assert verdict_of(version()) == "not evaluated yet"


def test_what_people_wrote_is_shown_inertly() -> None:
    html = versions_html([version()], "") + version_html(version(evidence(sentence="<b>x</b>")))
    assert "&lt;base&gt;" in html and "<base>" not in html and "<b>x</b>" not in html
