"""The sweep and rent commands, run in this process."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from cli.rent import rent
from cli.shared import ANY_OPTION
from cli.sweep import sweep_app
from jobs import launcher
from jobs.directory import State, Status
from jobs.errors import BadInput
from jobs.workspace import Workspace
from tests.toys import publish_rows
from trainer.rented import spec_of_task
from trainer.spec import TrainSpec
from trainer.sweep import list_sweeps

ROW = {"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]}
SWEEP = "name: ranks\nbase: {data: sums}\ngrid: {method.rank: [4, 8]}\n"


@pytest.fixture
def place(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace with a dataset, whose workers end at once instead of training."""
    publish_rows(workspace, "sums", [ROW], [ROW])
    monkeypatch.setattr(launcher, "WORKER_COMMAND", [sys.executable, "-c", "pass"])
    yield workspace


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(sweep_app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_sweep_is_started_listed_and_shown(place: Workspace, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    at = ("--workspace", place.root)
    started = json.loads(run("start", tmp_path / "sweep.yaml", "--detach", "--json", *at))
    assert [row["title"] for row in started["rows"]] == ["rank 4", "rank 8"]
    first, second = (place.job(row["job"]) for row in started["rows"])
    for job, loss in ((first, 0.9), (second, 0.4)):
        (job.path / "launched.json").unlink()
        job.write_status(Status(State.SUCCEEDED))
        job.write_manifest({"figures": {"eval_loss": loss, "training_seconds": 60}})
    assert f"{started['sweep']}  ranks: 2 of 2 runs done" in run("list", *at)
    shown = run("show", started["sweep"], "--sort", "eval_loss", *at).splitlines()
    assert shown[2].startswith("* rank 8") and "0.4" in shown[2] and shown[3].startswith("  rank 4")
    assert shown[-1] == "* best by held-out loss"
    assert json.loads(run("show", started["sweep"], "--json", *at))["best"]["job"] == second.id


def test_a_sweep_with_problems_starts_nothing(place: Workspace, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(SWEEP.replace("method.rank", "method.rang"))
    with pytest.raises(BadInput, match="did you mean method"):
        run("start", tmp_path / "sweep.yaml", "--workspace", place.root)
    assert not list_sweeps(place) and not place.list_jobs()
    with pytest.raises(BadInput, match="no column"):
        run("show", "x", "--sort", "loss", "--workspace", place.root)


def test_without_detach_it_follows_and_ends_with_what_became_of_it(place: Workspace, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    launcher.WORKER_COMMAND[-1] = (
        "import sys; from pathlib import Path; from jobs.directory import *; import time;"
        "JobDirectory(Path(sys.argv[1])).write_status(Status(State.FAILED, updated=time.time() + 1, error='no'))"
    )
    result = CliRunner().invoke(sweep_app, ["start", str(tmp_path / "sweep.yaml"), "--workspace", str(place.root)])
    assert result.exit_code == 1
    assert result.stdout.count("failed") == 2


def test_rent_prints_a_task_of_the_spec_and_its_dataset(place: Workspace, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command(context_settings=ANY_OPTION)(rent)
    (tmp_path / "train.yaml").write_text("data: sums\nmodel: Qwen/Qwen3-0.6B\n")
    arguments = [tmp_path / "train.yaml", "--gpu", "A100", "--workspace", place.root, "--method.rank", "4"]
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    task = yaml.safe_load(result.stdout)
    assert task["resources"]["accelerators"] == "A100:1"
    assert spec_of_task(result.stdout) == TrainSpec.parse(
        {"data": "sums", "model": "Qwen/Qwen3-0.6B", "method": {"rank": 4}}
    )
    (folder,) = task["file_mounts"].values()
    assert (Path(folder) / "train.jsonl").is_file()
