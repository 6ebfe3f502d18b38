"""The SkyPilot task: what it holds, and that it trains with the very spec it was made from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from datasets_src.store import open_version
from jobs.errors import BadInput
from jobs.workspace import Workspace
from tests.toys import publish_rows
from trainer.rented import CARDS, REPOSITORY, skypilot_task, spec_of_task
from trainer.spec import TrainSpec

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
# The keys of a task and of its resources in SkyPilot's YAML reference that are used here.
TASK_KEYS = {"name", "resources", "envs", "secrets", "file_mounts", "setup", "run"}
RESOURCE_KEYS = {"accelerators", "disk_size", "autostop"}


def spec(**values: Any) -> TrainSpec:
    return TrainSpec.parse({"model": "Qwen/Qwen3-0.6B", "data": "sums", **values})


def parsed(spec: TrainSpec, **options: Any) -> dict[str, Any]:
    options = {"gpu": "L4", **options}
    return dict(yaml.safe_load(skypilot_task(spec, {"sums@abc123": Path("/data/sums/abc123")}, **options)))


def test_the_task_parses_and_has_known_keys_alone() -> None:
    task = parsed(spec(name="Größe: ein Test!"))
    assert set(task) == TASK_KEYS and set(task["resources"]) == RESOURCE_KEYS
    assert task["name"].isascii() and " " not in task["name"]
    assert task["file_mounts"] == {"~/hearth-run/workspace/datasets/sums/abc123": "/data/sums/abc123"}
    assert task["resources"]["accelerators"] == "L4:1"
    assert task["resources"]["autostop"]["idle_minutes"] > 0, "a forgotten machine stops costing"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"preset": "card_8gb", "name": 'it\'s $HOME `date` "quoted"'},
        {"optimisation": {"learning_rate": 1e-5}, "saving": {"sample_prompts": [{"prompt": "Zwei\nZeilen: # ${X}\n"}]}},
    ],
)
def test_the_run_command_trains_with_the_same_spec(values: dict[str, Any], tmp_path: Path) -> None:
    made = spec(**values)
    text = skypilot_task(made, {}, "L4")
    assert spec_of_task(text) == made
    run = yaml.safe_load(text)["run"]
    assert "python cli.py train spec.yaml --workspace ~/hearth-run/workspace" in run
    shell = run.replace("conda activate hearth\n", "").replace("cd ~/hearth\n", "").replace("python cli.py", "true")
    subprocess.run(["bash", "-c", shell], cwd=tmp_path, check=True)
    assert TrainSpec.load(tmp_path / "spec.yaml") == made, "as the shell writes it"


def test_setup_installs_as_the_readme_says_and_is_sound_shell() -> None:
    task = parsed(spec())
    commands = [line for line in task["setup"].splitlines() if line.startswith("pip ")]
    assert len(commands) == 2 and all(command in README for command in commands)
    for part in ("setup", "run"):
        subprocess.run(["bash", "-n", "-c", task[part]], check=True)


def test_cards_are_chosen_by_the_memory_that_is_needed() -> None:
    memory = {card.name: card.memory_gb for card in CARDS}
    for needed in (6.0, 14.0, 22.0, 60.0):
        offered = [
            name.partition(":")[0] for name in parsed(spec(), gpu=None, estimate_gb=needed)["resources"]["accelerators"]
        ]
        assert offered and all(memory[name] > needed for name in offered)
        assert [memory[name] for name in offered] == sorted(memory[name] for name in offered), "the smallest first"
    assert "T4" not in str(parsed(spec(), gpu=None, estimate_gb=15.5)["resources"]["accelerators"]), "too close"


def test_the_mounted_folder_alone_is_a_dataset_there(workspace: Workspace, tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]}
    version = publish_rows(workspace, "sums", [row], [row])
    task = yaml.safe_load(skypilot_task(spec(), {version.id: version.folder}, "L4"))
    ((there, here),) = task["file_mounts"].items()
    shutil.copytree(here, there.replace("~", str(tmp_path)))
    rented = Workspace(tmp_path / "hearth-run" / "workspace")
    assert open_version(rented, "sums").train() == version.train()


def test_what_cannot_be_rented_is_refused() -> None:
    with pytest.raises(BadInput, match="No single card"):
        skypilot_task(spec(), {}, None, 400.0)
    with pytest.raises(BadInput, match="Nothing says which card"):
        skypilot_task(spec(), {})
    with pytest.raises(BadInput, match="names no card"):
        skypilot_task(spec(), {}, "the big one")
    with pytest.raises(BadInput, match="this machine alone"):
        skypilot_task(spec(model="job:20260301"), {}, "L4")


def test_the_repository_is_a_marked_placeholder_until_it_is_named() -> None:
    text = skypilot_task(spec(), {}, "L4")
    assert yaml.safe_load(text)["envs"]["HEARTH_REPOSITORY"] == REPOSITORY
    assert "--env HEARTH_REPOSITORY=" in text
    task = parsed(spec(), repository="https://git.example.com/me/hearth.git")
    assert task["envs"]["HEARTH_REPOSITORY"] == "https://git.example.com/me/hearth.git"
    assert 'git clone "$HEARTH_REPOSITORY"' in task["setup"]
