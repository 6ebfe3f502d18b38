"""The coder recipe for real, with fewer rows: campaigns → SFT → pairs → DPO, each step compared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.heavy, pytest.mark.recipe, pytest.mark.timeout(1200)]

PROJECT = Path(__file__).resolve().parents[2]
ROWS = 80


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON that `cli.py demo coder` ends with."""
    place = tmp_path_factory.mktemp("coder") / "workspace"
    command = [sys.executable, "cli.py", "demo", "coder", "--rows", str(ROWS), "--json", "--workspace", str(place)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_both_campaigns_reach_their_targets_and_refuse_what_fails(demo: dict[str, Any]) -> None:
    for name in ("first", "second"):
        assert demo[name]["rows"] == demo[name]["wanted"]
    assert sum(demo["first"]["refused"].values()) > 0, "the quick teacher writes most of the first campaign"
    assert demo["data"]["train_rows"] == demo["first"]["rows"] + demo["second"]["rows"]


def test_sft_and_dpo_are_both_better_than_the_base(demo: dict[str, Any]) -> None:
    sft, dpo = demo["evaluate"]["measures"][0]["verdicts"]
    print(sft["sentence"], dpo["sentence"], sep="\n")
    assert (sft["outcome"], dpo["outcome"]) == ("better", "better")
    assert max(sft["p_adjusted"], dpo["p_adjusted"]) < 0.05


def test_each_step_is_compared_with_the_one_before(demo: dict[str, Any]) -> None:
    first, second = demo["steps"]
    print(first["sentence"], second["sentence"], sep="\n")
    assert (first["candidate"], second["reference"]) == (second["reference"], first["candidate"])
    assert first["outcome"] == "better" and first["p_value"] < 0.05
    assert second["outcome"] != "worse", second["sentence"]


def test_pairs_are_made_of_the_models_own_right_and_wrong_answers(demo: dict[str, Any]) -> None:
    assert demo["pairs"]["pairs"] >= 10
    assert demo["pairs"]["dataset"].startswith("coder-pairs@")
    assert {part["tag"] for part in demo["evaluate"]["slices"]} == {"lists", "text", "numbers"}
