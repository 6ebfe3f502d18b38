"""The demo from nothing to a checked GGUF, for real, and what it leaves loads outside Hearth."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(1500)]

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON that `cli.py demo` ends with."""
    place = tmp_path_factory.mktemp("demo") / "workspace"
    command = [sys.executable, "cli.py", "demo", "--json", "--workspace", str(place)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def place_of(demo: dict[str, Any], stage: str) -> Path:
    return Path(next(part["place"] for part in demo["stages"] if part["name"] == stage))


def test_the_tuned_model_reaches_nine_tenths_of_the_ceiling(demo: dict[str, Any]) -> None:
    assert demo["share_of_ceiling"] >= 0.9
    (verdict,) = demo["evaluate"]["measures"][0]["verdicts"]
    assert verdict["outcome"] == "better"
    assert verdict["p_value"] < 0.001
    names = {standing["name"] for standing in demo["evaluate"]["measures"][0]["standings"]}
    assert {"random safe move", "ceiling"} < names
    assert {part["tag"] for part in demo["evaluate"]["slices"]} == {"BFS", "DFS", "A*", "Hamiltonian"}


def test_no_question_of_the_verdict_occurs_in_training(demo: dict[str, Any]) -> None:
    folder = Path(demo["data"]["folder"])
    prompts = [
        {json.loads(line)["messages"][-2]["content"] for line in (folder / f"{part}.jsonl").read_text().splitlines()}
        for part in ("train", "eval")
    ]
    assert prompts[0] and prompts[1]
    assert not prompts[0] & prompts[1]


def test_whole_games_are_reported(demo: dict[str, Any]) -> None:
    models = {game["model"] for game in demo["evaluate"]["games"]}
    assert {"Snake player", "teacher", "random safe move"} <= models
    assert {"won", "score", "steps"} <= set(demo["evaluate"]["games"][0]["means"])


def test_the_export_was_checked_against_the_trained_model(demo: dict[str, Any]) -> None:
    assert demo["export"]["verified"] is True
    assert sorted(demo["export"]["parity"]) == [
        "merged",
        "snake-player-F16.gguf",
        "snake-player-Q4_K_M.gguf",
        "snake-player-Q8_0.gguf",
    ]


def test_every_file_decides_as_the_trained_model_or_the_table_says_that_it_does_not(demo: dict[str, Any]) -> None:
    files = json.loads((place_of(demo, "GGUF and check") / "parity.json").read_text())["files"]
    scores = {file["label"]: file["task"] for file in files if file["file"].endswith(".gguf")}
    assert scores.keys() == {"F16", "Q8_0", "Q4_K_M"}
    for label, task in scores.items():
        assert task["task"] == "recipes.snake.task"
        lost = task["reference_score"] - task["score"]
        assert lost < 0.1 or task["outcome"] == "worse", label
    assert "Snake player against" in (place_of(demo, "GGUF and check") / "MODEL_CARD.md").read_text()
    assert abs(scores["F16"]["score"] - scores["F16"]["reference_score"]) <= 0.02


def test_the_adapter_loads_with_plain_peft_and_the_gguf_with_plain_llama_cpp(demo: dict[str, Any]) -> None:
    prompt = "<|im_start|>system\nYou play Snake.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    question = prompt.format("Teacher: DFS. Apple: 3 RIGHT. Safe: UP, RIGHT. Move?")
    by_peft = outside(PLAIN_PEFT, place_of(demo, "Training") / "adapter", question)
    gguf = place_of(demo, "GGUF and check") / "snake-player-Q8_0.gguf"
    assert by_peft == outside(PLAIN_LLAMA_CPP, gguf, question) == "RIGHT"


def hearth(*arguments: str) -> dict[str, Any]:
    """The JSON that a command of Hearth's ends with."""
    command = [sys.executable, "cli.py", *arguments, "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def pairs(demo: dict[str, Any]) -> Path:
    """The demo's workspace, with the dataset of preference pairs made of its rows."""
    workspace = place_of(demo, "Training").parents[1]
    command = [sys.executable, "-m", "recipes.snake.preferences", "--workspace", str(workspace)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, timeout=300)
    return workspace


def margins(workspace: Path, job: str) -> list[float]:
    """How far chosen moves were ahead of rejected ones on held-out pairs, each time it was measured."""
    measured = [json.loads(line) for line in (workspace / "jobs" / job / "events.jsonl").read_text().splitlines()]
    return [event["eval_rewards_margin"] for event in measured if "eval_rewards_margin" in event]


def test_preferences_after_the_moves_keep_or_improve_the_decisions(demo: dict[str, Any], pairs: Path) -> None:
    first = place_of(demo, "Training").name
    where = ("--workspace", str(pairs))
    fewer = ("--optimisation.max_steps", "10", "--saving.evaluate_every", "5")
    preferred = hearth("train", "recipes/snake/dpo.yaml", "--model", f"job:{first}", *fewer, *where)
    assert margins(pairs, preferred["job"])[-1] > 0
    models = f"[job:{first}, job:{preferred['job']}]"
    asked = ("--models", models, "--games", "0", "--max_items", "130")
    judged = hearth("evaluate", "recipes/snake/evaluate.yaml", *asked, *where)
    (verdict,) = judged["figures"]["measures"][0]["verdicts"]
    print(verdict["sentence"])
    assert verdict["outcome"] != "worse", verdict["sentence"]


@pytest.mark.recipe
@pytest.mark.parametrize("objective", ["dpo", "kto", "orpo"])
def test_chosen_moves_get_ahead_of_rejected_ones_on_held_out_pairs(pairs: Path, objective: str) -> None:
    options = ["--name", objective, "--method.objective", objective, "--optimisation.learning_rate", "0.0002"]
    steps = ["--optimisation.batch_size", "8", "--optimisation.max_steps", "9", "--saving.evaluate_every", "3"]
    done = hearth("train", "recipes/snake/dpo.yaml", *options, *steps, "--workspace", str(pairs))
    measured = margins(pairs, done["job"])
    assert len(measured) >= 3
    assert measured[-1] > max(0, measured[0]), measured


def outside(code: str, path: Path, question: str) -> str:
    """Run `code` in a process that can't import Hearth; returns what it prints last."""
    command = [sys.executable, "-I", "-c", code, str(path), question]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


PLAIN_PEFT = """
import sys
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer
model = AutoPeftModelForCausalLM.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
ids = tokenizer(sys.argv[2], return_tensors="pt", add_special_tokens=False).input_ids
answer = model.generate(input_ids=ids, max_new_tokens=8, do_sample=False)
print(tokenizer.decode(answer[0, ids.shape[1]:], skip_special_tokens=True).strip())
"""

PLAIN_LLAMA_CPP = """
import json, sys, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.n_ctx = 512
server = xllamacpp.Server(parameters)
answer = server.handle_completions({"prompt": sys.argv[2], "n_predict": 8, "temperature": 0})
answer = answer if isinstance(answer, dict) else json.loads(answer)
text = answer["content"] if "content" in answer else answer["choices"][0]["text"]
print(text.strip())
"""
