"""How long a training should take goes by what an earlier one of its kind took on this machine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from models.hardware import probe
from trainer.memory.estimate import estimate
from trainer.memory.known_shapes import known_shape
from trainer.memory.records import record_run
from trainer.memory.setting import Setting
from trainer.pace import Expected, expected_time
from trainer.spec import TrainSpec
from ui import memory_panel


def spec(data: str = "short", **options: Any) -> TrainSpec:
    return TrainSpec.parse({"data": data, "model": "embedded", **options})


def make_dataset(workspace: Workspace, name: str, rows: int, words: int) -> None:
    path = workspace.root / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"prompt": f"{number:04}", "completion": "word " * words} for number in range(rows)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    keep_all = {"exact_duplicate": "keep", "near_duplicate": "keep"}
    about = {"name": name, "sources": [{"path": str(path)}], "eval_fraction": 0.0, "remedies": keep_all}
    build(DatasetSpec.parse(about), workspace)


def trained(workspace: Workspace, its_spec: TrainSpec, seconds: float, title: str, **told: Any) -> None:
    """The folder and the record that a training leaves which took `seconds`."""
    values = its_spec.model_dump(mode="json")
    job = JobDirectory.create(
        workspace.new_job_path("train"), kind="train", title=title, spec=values, resource=None
    )  # fmt: skip
    figures = {"steps": told.get("steps", 4), "training_seconds": seconds}
    job.write_manifest({"figures": figures, "artifacts": {}, "seconds": seconds, "attempts": told.get("attempts", 1)})
    shape = known_shape("Qwen/Qwen3-8B")
    assert shape is not None
    record_run(
        workspace, job=job.id, model="m", card=told.get("card", "CPU"), settings={},
        estimated=estimate(shape, its_spec, Setting()), probed=None, peak=None,
    )  # fmt: skip


@pytest.fixture
def used(workspace: Workspace) -> Workspace:
    """Two datasets of 32 rows, one with rows four times as long."""
    make_dataset(workspace, "short", 32, 10)
    make_dataset(workspace, "long", 32, 42)
    return workspace


def test_nothing_is_said_before_anything_like_it_was_trained_here(used: Workspace) -> None:
    assert expected_time(spec(), used, "CPU") is None
    trained(used, spec(method={"adapter": "none"}), 100, "other adapter")
    trained(used, spec(model="other/model"), 100, "other model")
    trained(used, spec(), 100, "other machine", card="NVIDIA RTX 4060")
    trained(used, spec(), 100, "went on after a kill", attempts=2)
    assert expected_time(spec(), used, "CPU") is None
    assert expected_time(spec(), used, "NVIDIA RTX 4060") == Expected(100, "other machine")


def test_time_goes_with_the_characters_that_are_gone_through(used: Workspace) -> None:
    # 32 rows, 8 a step: 4 steps an epoch.
    trained(used, spec(), 100, "one epoch")
    assert expected_time(spec(), used, "CPU") == Expected(100, "one epoch")
    three, two_steps = spec(optimisation={"epochs": 3}), spec(optimisation={"max_steps": 2})
    expected = [expected_time(each, used, "CPU") for each in (three, two_steps, spec("long"))]
    assert [each and each.seconds for each in expected] == [300, 50, pytest.approx(400, rel=0.05)]


def test_a_run_that_stopped_early_counts_by_the_steps_it_took(used: Workspace) -> None:
    trained(used, spec(optimisation={"epochs": 10}), 100, "stopped early", steps=8)
    found = expected_time(spec(), used, "CPU")
    assert found == Expected(50, "stopped early")


def test_a_run_on_the_same_data_tells_more_than_a_newer_one_on_others(used: Workspace) -> None:
    trained(used, spec(), 100, "same data")
    trained(used, spec("long"), 900, "newer")
    found = expected_time(spec(), used, "CPU")
    assert found is not None
    assert found.earlier == "same data"


def test_for_packs_and_for_a_dataset_that_is_not_here_nothing_is_said(used: Workspace) -> None:
    trained(used, spec(), 100, "one epoch")
    for unknown in (spec(optimisation={"batching": "packing"}), spec("gone")):
        assert expected_time(unknown, used, "CPU") is None


def test_the_page_says_how_long_by_which_run_or_that_it_cannot_know_yet(used: Workspace) -> None:
    assert memory_panel.time_words(spec(), used) == memory_panel.NEVER_TRAINED
    assert memory_panel.time_words(spec("gone"), used) == ""
    trained(used, spec(), 100, "one epoch", steps=4, card=probe().device)
    words = memory_panel.time_words(spec(optimisation={"epochs": 3}), used)
    assert words == "It should take about 5 min, at the speed of “one epoch” on this machine."
