"""Real training on a tiny model: both backends, all methods, and what they leave behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets_src.store import open_version
from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer
from tests.trainer.conftest import Train, finish, wait_for

# The tiny model's frozen output layer bounds what an adapter can reach: from ln(49152) = 10.8 to about 10.55.
LOWERED = 0.1
FAST = {
    "optimisation": {"batch_size": 8, "epochs": 5, "max_steps": 12, "learning_rate": 0.01},
    "saving": {"evaluate_rows": 8},
}


def files(job: JobDirectory, name: str) -> list[str]:
    return sorted(path.name for path in (job.path / name).iterdir())


@pytest.mark.heavy
def test_unsloth_and_peft_train_the_same_recipe_and_leave_the_same_files(train: Train) -> None:
    by_peft, by_unsloth = train(**FAST), train(**{**FAST, "backend": "unsloth"})
    for job, backend in ((by_peft, "peft"), (by_unsloth, "unsloth")):
        figures = finish(job)
        assert figures["backend"] == backend
        assert figures["final_loss"] < figures["first_loss"] - LOWERED
        assert figures["eval_loss"] is not None
    assert files(by_peft, "adapter") == files(by_unsloth, "adapter")
    assert "adapter_model.safetensors" in files(by_peft, "adapter")
    names = [
        {"loss", "learning_rate", "grad_norm", "tokens_per_second", "memory_gb"} <= set(job.metrics()[0])
        for job in (by_peft, by_unsloth)
    ]
    assert names == [True, True]
    assert _shapes(by_peft) == _shapes(by_unsloth)
    for plain, other in zip(by_peft.metrics(), by_unsloth.metrics(), strict=True):
        name = "loss" if "loss" in plain else "eval_loss"
        assert plain[name] == pytest.approx(other[name], abs=0.02), "the same rows in the same order, the same losses"


def _shapes(job: JobDirectory) -> dict[str, tuple[int, ...]]:
    from safetensors.torch import load_file

    return {
        name: tuple(tensor.shape) for name, tensor in load_file(job.path / "adapter/adapter_model.safetensors").items()
    }


@pytest.mark.heavy
@pytest.mark.parametrize("backend", ["peft", "unsloth"])
@pytest.mark.parametrize("adapter", ["qlora", "none"])
def test_qlora_and_full_fine_tuning_lower_the_loss_on_both_backends(train: Train, backend: str, adapter: str) -> None:
    figures = finish(job := train(**{**FAST, "backend": backend, "method": {"adapter": adapter}}))
    assert figures["final_loss"] < figures["first_loss"] - LOWERED
    expected = "model.safetensors" if adapter == "none" else "adapter_model.safetensors"
    assert expected in files(job, "model" if adapter == "none" else "adapter")


@pytest.mark.slow
def test_the_adapter_loads_with_plain_peft_and_the_first_loss_is_that_of_the_assistants_tokens(
    train: Train, dataset: Workspace, tiny_model: Path
) -> None:
    import torch
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    everything = {"batch_size": 40, "epochs": 3, "learning_rate": 0.01}
    job = train(precision="fp32", optimisation=everything, saving={"evaluate_rows": 0})
    finish(job)
    tokenizer = ChatTokenizer.load(tiny_model)
    rows = [tokenizer.tokenise(row["messages"]) for row in open_version(dataset, "sums").train()]
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    tuned = AutoPeftModelForCausalLM.from_pretrained(job.path / "adapter", dtype=torch.float32)

    def assistant_loss(model: torch.nn.Module) -> float:
        total, count = 0.0, 0
        for row in rows:
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([row.input_ids])).logits[0, :-1]
            labels = torch.tensor(row.labels[1:])
            total += torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum").item()
            count += int((labels != -100).sum())
        return total / count

    losses = [event["loss"] for event in job.metrics()]
    assert losses[0] == pytest.approx(assistant_loss(base), abs=1e-3)
    assert assistant_loss(tuned) < assistant_loss(base) - 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"model": "someone/unknown-model"}, "missing", "can't be reached"),
        ({"data": "nothing"}, "missing", "nothing"),
        ({"max_length": 16}, "bad_input", "cut before its answer begins"),
    ],
)
def test_what_cannot_be_trained_fails_with_a_message_and_a_hint(
    train: Train, options: dict[str, object], kind: str, words: str
) -> None:
    job = train(**options)
    wait_for(job, lambda job: not job.status().state.active)
    status = job.status()
    assert (status.state, status.error_kind) == (State.FAILED, kind)
    assert words in (status.error or "")
    assert status.hint
    assert "Traceback" not in job.log_tail()
