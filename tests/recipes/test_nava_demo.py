"""The Nava recipe for real, with fewer rows: training, verdict by the checker, merged model and GGUF."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.heavy, pytest.mark.recipe, pytest.mark.timeout(1200)]

PROJECT = Path(__file__).resolve().parents[2]
ROWS = 200


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON that `cli.py demo nava` ends with."""
    place = tmp_path_factory.mktemp("nava") / "workspace"
    command = [sys.executable, "cli.py", "demo", "nava", "--rows", str(ROWS), "--json", "--workspace", str(place)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_tuned_model_is_better_than_the_base_in_programs_and_in_explanations(demo: dict[str, Any]) -> None:
    (verdict,) = demo["evaluate"]["measures"][0]["verdicts"]
    print(verdict["sentence"])
    assert verdict["outcome"] == "better" and verdict["p_value"] < 0.05
    gains = {part["tag"]: part["differences"][0]["difference"] for part in demo["evaluate"]["slices"]}
    assert gains["program"] > 0 and gains["explanation"] > 0, gains


def test_the_merged_model_and_the_gguf_were_made_and_checked(demo: dict[str, Any]) -> None:
    assert sorted(demo["export"]["parity"]) == ["merged", "nava-writer-Q8_0.gguf"]
    assert demo["export"]["verified"] is True
    folder = Path(next(stage["place"] for stage in demo["stages"] if stage["name"].startswith("Merge")))
    assert list((folder / "merged").glob("*.safetensors")) and (folder / "nava-writer-Q8_0.gguf").is_file()


def test_the_given_eval_file_is_what_the_verdict_asks(demo: dict[str, Any]) -> None:
    rows = (Path(demo["data"]["folder"]) / "eval.jsonl").read_text().splitlines()
    sources = {json.loads(row)["source"] for row in rows}
    assert sources == {"eval.jsonl", "expansions.yaml"}
