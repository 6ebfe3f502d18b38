"""LoRA, QLoRA and full training of the Snake player stand in one report, with what each of them took."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.heavy
@pytest.mark.recipe
@pytest.mark.timeout(1500)
def test_three_ways_of_training_are_compared_in_one_report(tmp_path: Path) -> None:
    command = [sys.executable, "cli.py", "demo", "snake-methods", "--rows", "300", "--json"]
    done = subprocess.run(
        [*command, "--workspace", str(tmp_path / "workspace")],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    (measure,) = [each for each in figures["evaluate"]["measures"] if each["metric"] == "accuracy"]
    assert len(measure["verdicts"]) == 3
    assert {verdict["outcome"] for verdict in measure["verdicts"]} == {"better"}
    assert all(verdict["p_value"] < 0.05 for verdict in measure["verdicts"])
    place = Path(next(stage["place"] for stage in figures["stages"] if stage["name"] == "Verdict"))
    report = (place / "report.html").read_text(encoding="utf-8")
    for name in ("Snake, LoRA", "Snake, QLoRA", "Snake, full"):
        assert name in report


def test_the_recipes_are_found_by_their_names() -> None:
    from recipes.recipe import load_recipe, recipe_names

    assert {"snake", "snake-methods"} <= set(recipe_names())
    for name in recipe_names():
        recipe = load_recipe(name)
        keys = [step.key for step in recipe.steps]
        assert len(set(keys)) == len(keys)
