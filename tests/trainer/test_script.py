"""A run written as a script trains the same where nothing of Hearth can be imported."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.script import script as command
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from tests.toys import publish_rows
from tests.trainer.many import run_many
from trainer.script import write_script

# The scripts compute padded batches where the runs compute rows one after the other: other sums in another order.
# In 32 bit, twelve steps let that grow to 4e-6 at most (DPO), of a loss of 6.
SAME_IN_FP32 = 2e-5
# On 4-bit weights to 4e-5 of a loss of 10.6, from nothing in the first steps: the runs' own loss over the frozen output
# layer sums in another order than TRL's, which the scripts use.
SAME_ON_4_BIT = 1e-4
SAME_IN_BF16 = 0.02
BASE: dict[str, Any] = {
    "backend": "peft",
    "precision": "fp32",
    "max_length": 128,
    "optimisation": {"batch_size": 4, "gradient_accumulation": 2, "epochs": 3, "max_steps": 12, "learning_rate": 0.01},
    "saving": {"evaluate_rows": 8, "evaluate_every": 4, "samples": 0},
}
DATA = {"sft": "sums", "continued": "texts", "dpo": "pairs", "orpo": "pairs", "kto": "marks"}
RUN_ALL = "import runpy, sys\nfor path in sys.argv[1:]: runpy.run_path(path, run_name='__main__')"


def question(first: int, second: int) -> list[dict[str, str]]:
    """Of different lengths, so that padding is needed."""
    return [{"role": "user", "content": f"What is {first} plus {second}?{' Please.' * (first % 5)}"}]


def answer(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with conversations, texts, pairs and marked answers; 38 rows each, so that a last batch is short."""
    workspace = Workspace(tmp_path_factory.mktemp("scripts") / "workspace")
    sums = [(first, second) for first in range(8) for second in range(6)]
    rows: dict[str, list[dict[str, Any]]] = {
        "sums": [{"messages": question(a, b) + answer(str(a + b))} for a, b in sums],
        "texts": [{"text": f"The sum of {a} and {b} is {a + b}. " * (1 + a)} for a, b in sums],
        "pairs": [
            {"prompt": question(a, b), "chosen": answer(str(a + b)), "rejected": answer(f"No idea, {a}!")}
            for a, b in sums
        ],
        "marks": [
            {"prompt": question(a, b), "completion": answer(str(a + b) if b % 2 else "No idea!"), "label": bool(b % 2)}
            for a, b in sums
        ],
    }
    for name, made in rows.items():
        publish_rows(workspace, name, made[:38], made[38:])
    return workspace


def spec(model: Path | str, objective: str, method: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    values = {
        **BASE,
        "model": str(model),
        "data": DATA[objective],
        "method": {"objective": objective, **(method or {})},
    }
    for group, given in options.items():
        values[group] = {**values[group], **given} if isinstance(values.get(group), dict) else given
    return values


def run_scripts(workspace: Workspace, jobs: list[JobDirectory], folder: Path) -> list[list[dict[str, float]]]:
    """Write each job's script and run all in one process that can't import Hearth; the history of each."""
    scripts = [write_script(job, workspace, folder / job.id) for job in jobs]
    command = [sys.executable, "-I", "-c", RUN_ALL, *map(str, scripts)]
    # One thread: several wait for each other longer than they compute on models as small as these.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    states = [script.parent / "output" / "trainer_state.json" for script in scripts]
    return [json.loads(state.read_text())["log_history"] for state in states]


def require_same(job: JobDirectory, history: list[dict[str, float]], tolerance: float) -> None:
    """Loss, learning rate and held-out loss of every step."""
    for ours, theirs in (("loss", "loss"), ("learning_rate", "learning_rate"), ("eval_loss", "eval_loss")):
        trained = [event[ours] for event in job.metrics() if ours in event]
        again = [entry[theirs] for entry in history if theirs in entry]
        assert len(trained) >= 2
        assert again == pytest.approx(trained, abs=tolerance), f"{ours} of {job.header['spec']}"


@pytest.mark.heavy
def test_the_script_of_a_run_gives_the_loss_of_every_step_without_hearth(
    place: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    jobs = run_many(
        place,
        [
            spec(tiny_model, "sft", optimisation={"schedule": "cosine_with_min_lr", "warmup_ratio": 0.2}),
            spec(tiny_model, "continued"),
            spec(tiny_model, "dpo", preference={"sft_weight": 0.5}),
        ],
    )
    assert [job.resolved["batching"]["value"] for job in jobs if job.resolved] == [
        "padding_free",
        "packing",
        "padding_free",
    ]
    for job, history in zip(jobs, run_scripts(place, jobs, tmp_path), strict=True):
        require_same(job, history, SAME_IN_FP32)
        assert (tmp_path / job.id / "adapter" / "adapter_model.safetensors").exists()


@pytest.mark.heavy
def test_scripts_repeat_every_objective_and_adapter(place: Workspace, tiny_model: Path, tmp_path: Path) -> None:
    first = run_many(place, [spec(tiny_model, "sft")])[0]
    earlier = f"job:{first.id}"
    specs = [
        spec(tiny_model, "kto"),
        spec(tiny_model, "orpo"),
        spec(tiny_model, "dpo", preference={"loss": "ipo"}),
        spec(earlier, "dpo"),
        spec(earlier, "sft", optimisation={"batching": "by_length"}),
        spec(tiny_model, "sft", {"adapter": "none"}, optimisation={"learning_rate": 1e-3}),
        spec(tiny_model, "dpo", {"adapter": "none"}, optimisation={"learning_rate": 1e-3}),
        spec(tiny_model, "kto", {"adapter": "none"}, optimisation={"learning_rate": 1e-3}),
        spec(tiny_model, "sft", {"dora": True, "rslora": True}, optimisation={"gradient_checkpointing": True}),
        spec(tiny_model, "sft", {"adapter": "qlora", "target_modules": ["q_proj", "v_proj"]}),
        spec(tiny_model, "sft", {"modules_to_save": ["embed_tokens"]}, optimisation={"optimiser": "adafactor"}),
    ]
    jobs = run_many(place, specs)
    for job, history in zip(jobs, run_scripts(place, jobs, tmp_path), strict=True):
        four_bit = job.header["spec"]["method"].get("adapter") == "qlora"
        require_same(job, history, SAME_ON_4_BIT if four_bit else SAME_IN_FP32)


@pytest.mark.heavy
def test_scripts_with_unsloth_in_bf16_and_with_an_early_stop_repeat_their_runs_within_rounding(
    place: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    kept = {"result": "best", "early_stopping": 1, "evaluate_every": 2}
    by_peft = run_many(place, [spec(tiny_model, "sft", precision="bf16"), spec(tiny_model, "sft", saving=kept)])
    by_unsloth = run_many(
        place,
        [
            spec(tiny_model, "sft", backend="unsloth", precision="bf16"),
            spec(tiny_model, "dpo", backend="unsloth", precision="bf16"),
        ],
    )
    for jobs, folder in ((by_peft, tmp_path / "peft"), (by_unsloth, tmp_path / "unsloth")):
        for job, history in zip(jobs, run_scripts(place, jobs, folder), strict=True):
            require_same(job, history, SAME_IN_BF16)
    assert "from unsloth import" in (tmp_path / "unsloth" / by_unsloth[0].id / "train.py").read_text()


def decided(workspace: Workspace, model: Path, spec: dict[str, Any], **resolved: Any) -> JobDirectory:
    """A run that was interrupted after its settings were decided."""
    job = JobDirectory.create(workspace.new_job_path("train"), kind="train", title="t", spec=spec, resource=None)
    base = {"text": spec["model"], "name": "tiny", "folder": str(model), "adapter": None}
    values = {
        "base": base,
        "data": spec["data"],
        "backend": "peft",
        "precision": "fp32",
        "learning_rate": 0.01,
        "total_steps": 12,
        "evaluate_every": 4,
        "batching": "padding_free",
        "optimiser": "adamw_torch_fused",
        **resolved,
    }
    job.write_resolved({name: {"value": value, "origin": f"why {name}"} for name, value in values.items()})
    return job


def constants(script: Path) -> dict[str, Any]:
    """The plain constants of a script, read without running it."""
    found = {}
    for node in ast.parse(script.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def test_a_run_that_was_changed_on_the_way_is_written_with_its_last_settings_and_says_so(
    place: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    job = decided(place, tiny_model, spec(tiny_model, "sft"))
    job.append_change({"what": "Going on from checkpoint 3", "why": "the run was interrupted"})
    smaller = {"plan": {"batch_size": 2, "gradient_accumulation": 4}}
    job.append_change({"what": "Batch 4 → 2, accumulation 2 → 4", "why": "memory was full", **smaller})
    script = write_script(job, place, tmp_path / "script")
    found = constants(script)
    assert (found["BATCH_SIZE"], found["GRADIENT_ACCUMULATION"]) == (2, 4)
    text = script.read_text()
    assert "Batch 4 → 2, accumulation 2 → 4 (memory was full)" in " ".join(text.split())
    assert "interrupted" not in text, "going on changed nothing"
    assert "LEARNING_RATE = 0.01  # why learning_rate" in text


def test_a_hub_model_is_named_by_its_id_and_version_and_a_folder_by_its_place(
    place: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    snapshot = tmp_path / "hub" / "snapshots" / commit
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(tiny_model)
    values = spec("someone/tiny", "sft")
    base = {"text": "someone/tiny", "name": "tiny", "folder": str(snapshot), "adapter": None}
    found = constants(write_script(decided(place, tiny_model, values, base=base), place, tmp_path / "hub-script"))
    assert (found["MODEL"], found["REVISION"]) == ("someone/tiny", commit)
    local = constants(write_script(decided(place, tiny_model, spec(tiny_model, "sft")), place, tmp_path / "local"))
    assert local["MODEL"] == str(tiny_model) and "REVISION" not in local


def test_a_run_that_measures_nothing_gives_a_script_that_measures_nothing(
    place: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    job = decided(place, tiny_model, spec(tiny_model, "sft", saving={"evaluate_rows": 0, "early_stopping": 2}))
    script = write_script(job, place, tmp_path / "script")
    text = script.read_text()
    assert not any(word in text for word in ("eval_dataset", "eval_strategy", "EarlyStopping"))
    assert (script.parent / "held_out.jsonl").read_text() == ""


def test_the_command_writes_the_folder_and_says_how_to_run_it(
    place: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    app = typer.Typer()
    app.command()(command)
    job = decided(place, tiny_model, spec(tiny_model, "sft"))
    arguments = [job.id, "--to", str(tmp_path / "out"), "--workspace", str(place.root), "--json"]
    result = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert Path(result["script"]).read_text().startswith('"""Trains a LoRA adapter on tiny: learns the answers of sums')
    assert len((tmp_path / "out" / "rows.jsonl").read_text().splitlines()) == 38
    refused = CliRunner().invoke(app, [job.id, "--library", "keras", "--workspace", str(place.root)])
    assert isinstance(refused.exception, BadInput)


@pytest.mark.parametrize("library", ["trl", "unsloth"])
@pytest.mark.parametrize("objective", ["sft", "continued", "dpo", "kto", "orpo"])
def test_scripts_import_only_public_libraries_and_unsloth_first(
    place: Workspace, tiny_model: Path, tmp_path: Path, objective: str, library: Any
) -> None:
    job = decided(place, tiny_model, spec(tiny_model, objective, {"adapter": "qlora", "loftq": True}))
    script = write_script(job, place, tmp_path / "script", library)
    imported = []
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported.append(str(node.module))
    public = [name for name in imported if name.split(".")[0] not in sys.stdlib_module_names]
    assert set(public) <= {"torch", "transformers", "trl", "peft", "datasets", "unsloth"}
    assert (public[0] == "unsloth") == (library == "unsloth")
    assert "LoftQ, which this script doesn't do" in " ".join(script.read_text().split())
    subprocess.run(
        [sys.executable, "-m", "ruff", "check", "-q", "--isolated", "--select", "E9,F", str(script)], check=True
    )


def test_a_folder_that_holds_something_and_a_run_without_settings_are_refused(
    place: Workspace, tiny_model: Path, tmp_path: Path
) -> None:
    values = spec(tiny_model, "sft")
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(BadInput, match="holds something"):
        write_script(decided(place, tiny_model, values), place, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "precious"
    early = JobDirectory.create(place.new_job_path("train"), kind="train", title="t", spec=values, resource=None)
    with pytest.raises(Missing, match="didn't get as far"):
        write_script(early, place, tmp_path / "new")
    assert not (tmp_path / "new").exists()
