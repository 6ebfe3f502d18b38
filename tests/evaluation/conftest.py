"""What the evaluation tests share: a tiny adapter that changes answers, small datasets, and jobs run in-process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from jobs.context import JobContext
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from tests import toys

COLOURS = ["red", "green", "blue", "yellow", "black", "white"]


def make_adapter(base: Path, folder: Path, seed: int, use_dora: bool = False) -> Path:
    """A LoRA adapter with random weights, as a train job leaves it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    torch.manual_seed(seed)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", use_dora=use_dora)
    adapted = get_peft_model(model, config)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def lively_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with larger random weights: its answers depend on the prompt, where the other's hardly do."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("lively") / "lively-llama"
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if name.endswith("proj.weight"):
            torch.nn.init.normal_(parameter, std=0.4)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_adapter(lively_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(lively_model, tmp_path_factory.mktemp("adapters") / "first", seed=1)


@pytest.fixture(scope="session")
def second_adapter(lively_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(lively_model, tmp_path_factory.mktemp("adapters") / "second", seed=2)


def conversation(number: int) -> dict[str, Any]:
    """A canonical row; two rows share a group."""
    colour = COLOURS[number % len(COLOURS)]
    question = f"{'Please say, ' * (number % 4)}what is the colour of ball {number}?"
    return {
        "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": colour}],
        "source": "balls.jsonl",
        "row": number + 1,
        "group": f"pair {number // 2}",
        "tag": "even" if number % 2 == 0 else "odd",
    }


def publish_rows(workspace: Workspace, eval_rows: Sequence[dict[str, Any]], name: str = "balls") -> str:
    """Publish a dataset version with these eval rows and one train row; returns its name@version."""
    return toys.publish_rows(workspace, name, [conversation(999)], eval_rows).id


@pytest.fixture
def balls(workspace: Workspace) -> str:
    """A published dataset of 12 eval rows in 6 groups with two tags."""
    return publish_rows(workspace, [conversation(number) for number in range(12)])


@pytest.fixture
def context_of(workspace: Workspace) -> Callable[..., JobContext]:
    """Make the context of a new job in the workspace."""

    def make(kind: str, **spec: Any) -> JobContext:
        path = workspace.new_job_path(kind)
        directory = JobDirectory.create(path, kind=kind, title=kind, spec=spec, resource=None)
        return JobContext(directory, attempt=1, started=time.time())

    return make
