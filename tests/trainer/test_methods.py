"""Every objective with every adapter on both backends, for real on a tiny model: losses fall, margins rise."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from tests.toys import publish_rows
from tests.trainer.many import run_many

OBJECTIVES = ("sft", "continued", "dpo", "orpo", "kto")
ADAPTERS = ("lora", "qlora", "none")
DATA = {"sft": "sums", "continued": "texts", "dpo": "pairs", "orpo": "pairs", "kto": "marks"}


def question(first: int, second: int) -> list[dict[str, str]]:
    """Of different lengths, so that batches would need padding."""
    return [{"role": "user", "content": f"What is {first} plus {second}?{' Please.' * (first % 5)}"}]


def answer(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with conversations, texts, pairs and marked answers about sums."""
    workspace = Workspace(tmp_path_factory.mktemp("methods") / "workspace")
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
        publish_rows(workspace, name, made[:40], made[40:])
    return workspace


def spec(model: Path, objective: str, backend: str = "peft", adapter: str = "lora", **options: Any) -> dict[str, Any]:
    """A short run; what `options` say of a group is added to it."""
    values: dict[str, Any] = {
        "model": str(model),
        "data": DATA[objective],
        "backend": backend,
        "max_length": 128,
        "method": {"objective": objective, "adapter": adapter},
        "optimisation": {"batch_size": 8, "epochs": 3, "max_steps": 10, "learning_rate": 0.01},
        "saving": {"evaluate_rows": 8, "evaluate_every": 5, "samples": 1},
    }
    for group, given in options.items():
        values[group] = {**values[group], **given} if isinstance(values.get(group), dict) else given
    return values


def losses(job: JobDirectory) -> list[float]:
    return [event["loss"] for event in job.metrics() if "loss" in event]


def margins(job: JobDirectory) -> list[float]:
    """How far chosen answers were ahead of rejected ones on held-out rows, each time it was measured."""
    return [event["eval_rewards_margin"] for event in job.metrics() if "eval_rewards_margin" in event]


def require_learned(job: JobDirectory) -> None:
    """Losses fell; of preferences, the chosen answer is ahead on rows that were not trained."""
    objective = job.header["spec"]["method"]["objective"]
    made = losses(job)
    assert len(made) >= 5
    # What kto's loss of a batch is depends on how many of its answers are good ones: its margin tells what was learned.
    assert objective == "kto" or made[-1] < made[0], f"{job.header['spec']}: {made}"
    if objective in ("dpo", "orpo", "kto"):
        assert margins(job)[-1] > 0.005, f"{job.header['spec']}: {margins(job)}"
    folder = job.path / ("model" if job.header["spec"]["method"]["adapter"] == "none" else "adapter")
    assert any(folder.glob("*.safetensors")) and (folder / "tokenizer.json").exists()
    assert not (folder / "ref").exists(), "the reference is no part of the result"


@pytest.mark.heavy
@pytest.mark.parametrize("backend", ["peft", "unsloth"])
def test_every_objective_learns_with_every_adapter(toys: Workspace, tiny_model: Path, backend: str) -> None:
    wanted = [spec(tiny_model, objective, backend, adapter) for objective, adapter in product(OBJECTIVES, ADAPTERS)]
    for job in run_many(toys, wanted):
        require_learned(job)


@pytest.mark.heavy
def test_the_preference_objectives_raise_the_margin_and_rows_one_after_the_other_give_what_padded_ones_do(
    toys: Workspace, tiny_model: Path
) -> None:
    exact = {"precision": "fp32", "optimisation": {"max_steps": 6}}
    wanted = [
        spec(tiny_model, objective, **{**exact, "optimisation": {"max_steps": 6, "batching": batching}})
        for objective in ("sft", "dpo", "kto", "orpo")
        for batching in ("padding_free", "padded")
    ]
    jobs = run_many(toys, wanted)
    for flat, padded in zip(jobs[::2], jobs[1::2], strict=True):
        require_learned(flat)
        assert losses(flat) == pytest.approx(losses(padded), abs=2e-4)
        assert flat.manifest is not None and padded.manifest is not None
        assert flat.manifest["figures"]["real_token_share"] == 1.0
        assert padded.manifest["figures"]["real_token_share"] < 0.98


@pytest.mark.heavy
def test_options_of_adapters_losses_and_batches_train(toys: Workspace, tiny_model: Path) -> None:
    wanted = [
        spec(tiny_model, "sft", method={"dora": True}),
        spec(tiny_model, "sft", method={"rslora": True, "rank": 32}),
        spec(tiny_model, "sft", adapter="qlora", method={"loftq": True}),
        spec(tiny_model, "sft", method={"modules_to_save": ["lm_head"]}),
        spec(tiny_model, "sft", method={"target_modules": ["q_proj", "v_proj"], "dropout": 0.1}),
        spec(tiny_model, "sft", optimisation={"neftune_alpha": 5.0}),
        spec(tiny_model, "sft", optimisation={"batching": "packing", "batch_size": 2}),
        spec(tiny_model, "sft", optimisation={"batching": "by_length"}),
        spec(tiny_model, "sft", optimisation={"optimiser": "adafactor", "schedule": "cosine_with_min_lr"}),
        spec(tiny_model, "sft", optimisation={"optimiser": "paged_adamw_8bit", "schedule": "inverse_sqrt"}),
        spec(tiny_model, "sft", optimisation={"gradient_checkpointing": True, "schedule": "polynomial"}),
        spec(tiny_model, "dpo", optimisation={"gradient_checkpointing": True, "gradient_accumulation": 2}),
        spec(tiny_model, "dpo", preference={"loss": "ipo"}),
        spec(tiny_model, "dpo", preference={"loss": "hinge"}),
        spec(tiny_model, "dpo", preference={"sft_weight": 0.5}),
        spec(tiny_model, "kto", preference={"good_weight": 1.5, "bad_weight": 0.5}),
        {**spec(tiny_model, "kto"), "data": "pairs"},
        spec(tiny_model, "sft", saving={"evaluate_on": ["texts", "pairs"]}),
    ]
    jobs = run_many(toys, wanted)
    for job in jobs:
        require_learned(job)
    names = set().union(*jobs[-1].metrics())
    assert {"eval_loss", "eval_loss/texts", "eval_loss/pairs"} <= names, "further eval sets are reported apart"


@pytest.mark.heavy
def test_preferences_go_on_from_an_earlier_adapter_which_is_the_reference(toys: Workspace, tiny_model: Path) -> None:
    (first,) = run_many(toys, [spec(tiny_model, "sft")])
    base = {**spec(tiny_model, "dpo"), "model": f"job:{first.id}"}
    dpo, sft = run_many(toys, [base, {**spec(tiny_model, "sft"), "model": f"job:{first.id}"}])
    # With the adapter that is trained on as reference, nothing is preferred yet: −log σ(0) = log 2.
    assert losses(dpo)[0] == pytest.approx(0.6931, abs=1e-3)
    require_learned(dpo)
    assert losses(sft)[0] < losses(first)[0] - 0.05, "it starts where the first run ended"
    config = (dpo.path / "adapter" / "adapter_config.json").read_text()
    assert str(tiny_model) in config, "the result stands on the base, not on the adapter before"
    assert dpo.resolved is not None
    assert dpo.resolved["base"]["value"]["adapter"] == str(first.path / "adapter")
