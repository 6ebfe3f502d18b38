"""The loop commands, run in this process."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli.loop import loop_app
from datasets_src.interactions import Interaction, Interactions
from jobs import launcher
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.files import write_json, write_text
from jobs.workspace import Workspace
from serving.registry import Registry
from tests.toys import publish_rows

ROW = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}


@pytest.fixture
def plan(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plan for bot, which is in production; workers that do nothing."""
    write_json(tmp_path / "base" / "config.json", {})
    write_text(tmp_path / "base" / "model.safetensors", "base")
    registry = Registry(workspace)
    registry.register("bot", str(tmp_path / "base"))
    registry.promote("bot", 1, "first")
    fixed = publish_rows(workspace, "fixed", [ROW], [ROW] * 24)
    values = {"name": "daily", "model": "bot", "when": {"min_new": 1}, "regression": {"data": fixed.id}}
    monkeypatch.setattr(launcher, "_launch", lambda job: job.write_status(Status(State.STOPPED, updated=time.time())))
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def run(workspace: Workspace, *arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(
        loop_app, [*map(str, arguments), "--workspace", str(workspace.root)], catch_exceptions=False
    )
    assert result.exit_code == code, result.output
    return result.stdout


def test_a_round_is_run_when_due_and_listed(workspace: Workspace, plan: Path) -> None:
    assert "is due. There is no newly rated chat" in run(workspace, "run", plan)
    assert run(workspace, "list") == "No round was begun here yet.\n"
    Interactions(workspace).record(Interaction([{"role": "user", "content": "?"}], "!", "bot", rating=5), user="a")
    run(workspace, "run", plan, code=130)
    (listed,) = json.loads(run(workspace, "list", "daily", "--json"))
    assert (listed["plan"], listed["state"], listed["outcome"]) == ("daily", "stopped", None)
    assert listed["job"] in run(workspace, "list")


def test_a_waiting_round_is_approved_or_rejected(workspace: Workspace, plan: Path) -> None:
    registry = Registry(workspace)
    for number, command in ((2, "approve"), (3, "reject")):
        registry.register("bot", f"ollama:bot-{number}")
        spec = yaml.safe_load(plan.read_text())
        path = workspace.new_job_path("loop")
        job = JobDirectory.create(path, kind="loop", title="round", spec=spec, resource=None)
        now = registry.resolve("bot")
        reference = {"label": now.label, "number": now.number, "ref": now.ref, "base": None, "trained_on": None}
        write_json(path / "round.json", {"reference": reference, "version": number})
        job.write_status(Status(State.SUCCEEDED))
        figures = {"outcome": "waiting", "sentence": "Better.", "version": f"bot@{number}"}
        job.write_manifest({"figures": figures})
        extra = ["--reason", "no"] if command == "reject" else []
        run(workspace, command, job.id, *extra)
    assert registry.resolve("bot").number == 2
    assert registry.get("bot", 3).stage == "retired"
    outcomes = {each["version"]: each["outcome"] for each in json.loads(run(workspace, "list", "--json"))}
    assert outcomes == {"bot@2": "approved", "bot@3": "rejected"}


def test_watching_starts_a_job_and_a_bad_plan_none(workspace: Workspace, plan: Path) -> None:
    run(workspace, "watch", plan, "--every", "5", code=130)
    (job,) = workspace.list_jobs("loop.watch")
    assert job.header["spec"]["look_every_seconds"] == 5
    plan.write_text(plan.read_text() + "promote: sometimes\n")
    with pytest.raises(BadInput, match="promote"):
        run(workspace, "watch", plan)
