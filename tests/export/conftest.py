"""What the export tests share: GGUF files of the tiny models, converted once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from export.gguf import GgufMetadata, convert
from models.chat_template import ChatTokenizer

CARD = {"license": "apache-2.0", "language": ["en"]}
BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.fixture(scope="session")
def f16_gguf(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("gguf") / "tiny-F16.gguf"
    convert(tiny_model, output, GgufMetadata("tiny-player", "A toy.", CARD, BASE))
    return output


@pytest.fixture(scope="session")
def f16_gguf_256(tiny_model_256: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("gguf256") / "tiny256-F16.gguf"
    convert(tiny_model_256, output, GgufMetadata("tiny-256", "A toy.", {}, None))
    return output


FACTS = {"What is the capital of France?": "Paris, of course.", "Which move? Safe: UP, LEFT.": "LEFT"}


def conversation(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def learn(model: Any, tokenizer: ChatTokenizer, facts: dict[str, str]) -> None:
    """Train until the answers are known by heart. One thread: the matrices are too small for more."""
    import torch

    rows = [tokenizer.tokenise(conversation(*fact)) for fact in facts.items()]
    optimiser = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=1e-2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    total = float("inf")
    for _ in range(200):
        optimiser.zero_grad()
        total = 0.0
        for row in rows:
            loss = model(input_ids=torch.tensor([row.input_ids]), labels=torch.tensor([row.labels])).loss
            loss.backward()
            total += loss.item()
        if total < 0.03:
            break
        optimiser.step()
    torch.set_num_threads(threads)
    assert total < 0.03


@pytest.fixture(scope="session")
def wrong_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, taught the answers the wrong way round: a base that an adapter can visibly change."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("wrong") / "model"
    shutil.copytree(tiny_model, folder)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    learn(model, ChatTokenizer.load(tiny_model), dict(zip(FACTS, reversed(FACTS.values()), strict=True)))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def trained_adapter(wrong_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of that model which has learned FACTS."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(wrong_model, dtype=torch.float32), config)
    learn(model, ChatTokenizer.load(wrong_model), FACTS)
    folder = tmp_path_factory.mktemp("trained") / "adapter"
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(wrong_model / name, folder / name)
    return folder
