"""The tactical demo from nothing to its verdict, for real, with few rows and steps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.heavy, pytest.mark.recipe, pytest.mark.timeout(900)]

PROJECT = Path(__file__).resolve().parents[2]
ROWS = 250


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON that `cli.py demo tactical` ends with."""
    place = tmp_path_factory.mktemp("tactical") / "workspace"
    command = [sys.executable, "cli.py", "demo", "tactical", "--rows", str(ROWS), "--json", "--workspace", str(place)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_tuned_adviser_is_better_than_its_base_on_held_out_moments(demo: dict[str, Any]) -> None:
    (verdict,) = demo["evaluate"]["measures"][0]["verdicts"]
    print(verdict["sentence"])
    assert verdict["outcome"] == "better" and verdict["p_value"] < 0.05
    assert {standing["name"] for standing in demo["evaluate"]["measures"][0]["standings"]} > {"random move"}


def test_nearly_all_answers_follow_the_schema(demo: dict[str, Any]) -> None:
    assert demo["json_valid"] >= 0.95


def test_every_domain_was_asked_about_and_every_measure_taken(demo: dict[str, Any]) -> None:
    assert {part["tag"] for part in demo["evaluate"]["slices"]} == {"BVR", "WVR", "multi", "defensive", "support"}
    measured = {measure["metric"] for measure in demo["evaluate"]["measures"]}
    assert measured == {"accuracy", "json_valid", "json_fields", "delta_closeness", "doctrine"}
