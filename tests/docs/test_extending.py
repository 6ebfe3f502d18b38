"""The examples of docs/extending.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from datasets_src.build import build
from datasets_src.checks import CheckSettings
from datasets_src.rows import Candidate
from evaluation.tasks import load_task
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from recipes.recipe import Run

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))


def module(name: str) -> ModuleType:
    made = ModuleType(name)
    exec(compile(EXAMPLES[name], name, "exec"), made.__dict__)
    return made


def test_there_is_one_example_of_each_kind() -> None:
    assert list(EXAMPLES) == ["tasks/short.py", "datasets_src/checks/shouting.py", "recipes/sums/recipe.py"]


def test_the_task_is_found_by_its_file_and_scores(workspace: Workspace) -> None:
    path = workspace.root / "tasks" / "short.py"
    path.parent.mkdir(parents=True)
    path.write_text(EXAMPLES["tasks/short.py"], encoding="utf-8")
    task = load_task("short", workspace)
    rows = [{"messages": [{"role": "user", "content": "Capital?"}, {"role": "assistant", "content": "Paris"}]}]
    (item,) = task.items(rows, rows)
    assert task.score("It is paris.", item) == {"right": 1.0, "short": 1.0}
    assert task.score("paris " * 30, item) == {"right": 0.0, "short": 0.0}


@pytest.mark.parametrize(("answer", "found"), [("TURN IT OFF AND ON AGAIN NOW.", 1), ("Turn it off and on again.", 0)])
def test_the_check_finds_and_mends(answer: str, found: int) -> None:
    (check,) = module("datasets_src/checks/shouting.py").CHECKS
    row = Candidate()
    row.add("messages", "user", "HELP ME WITH MY MACHINE, PLEASE", "prompt")
    row.add("messages", "assistant", answer, "answer")
    assert len(list(check.find(row, CheckSettings()))) == found
    check.fix(row, CheckSettings())
    assert list(check.find(row, CheckSettings())) == []
    assert next(turn.text for turn in row.turns()).isupper(), "what people say stays"


def test_the_recipe_writes_rows_that_build_and_specs_that_are_valid(workspace: Workspace) -> None:
    recipe = module("recipes/sums/recipe.py").RECIPE
    run = Run(workspace, 50)
    recipe.write_rows(run, lambda _fraction, _message: None)
    by_key = {step.key: step for step in recipe.steps}
    version = build(by_key["data"].spec(run), workspace)
    assert version.train_rows + version.eval_rows == 50 and version.eval_rows >= 5
    assert by_key["train"].spec(run).data == version.name
    run.jobs["train"] = JobDirectory(workspace.jobs / "20260101-000000-train-0000")
    assert by_key["evaluate"].spec(run).models[1] == "job:20260101-000000-train-0000"
