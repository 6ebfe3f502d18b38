"""Rows one after the other give what each gives alone, on every kind of attention; models that can't say so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    LlamaConfig,
    Mamba2Config,
    MistralConfig,
    Qwen3Config,
)

from models.attention import ROWS, flat_inputs, use_row_attention

SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 200,
}
CONFIGS = {
    "llama": LlamaConfig(**SHAPE),
    "qwen3": Qwen3Config(**SHAPE),
    "mistral, a window of 4": MistralConfig(**SHAPE, sliding_window=4),
    "gemma3, a window of 4": Gemma3TextConfig(**SHAPE, sliding_window=4),
}


def rows(lengths: list[int]) -> list[list[int]]:
    return [[(7 * place + 3 * number) % 190 + 1 for place in range(length)] for number, length in enumerate(lengths)]


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("lengths", [[9, 3, 6], [300, 5, 40], [12]])
def test_logits_and_gradients_are_those_of_each_row_alone(name: str, lengths: list[int]) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGS[name], dtype=torch.float32)
    alone = [model(input_ids=torch.tensor([row]), use_cache=False).logits[0] for row in rows(lengths)]
    torch.cat(alone).square().mean().backward()
    gradients = {key: value.grad.clone() for key, value in model.named_parameters() if value.grad is not None}
    model.zero_grad()
    assert use_row_attention(model)
    together = model(**flat_inputs(rows(lengths)), use_cache=False).logits[0]
    assert torch.allclose(together, torch.cat(alone), atol=2e-5)
    together.square().mean().backward()
    for key, value in model.named_parameters():
        assert value.grad is not None
        assert torch.allclose(value.grad, gradients[key], atol=1e-5), key


@pytest.mark.parametrize("name", CONFIGS)
def test_padded_batches_and_answers_are_as_before(name: str) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGS[name], dtype=torch.float32).eval()
    padded = {
        "input_ids": torch.tensor([[5, 6, 7, 8, 9, 10], [1, 1, 1, 5, 6, 7]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1]]),
    }
    before = model(**padded).logits[:, -1]
    answer = model.generate(**padded, max_new_tokens=5, do_sample=False)
    assert use_row_attention(model)
    assert torch.allclose(model(**padded).logits[:, -1], before, atol=1e-5)
    assert model.generate(**padded, max_new_tokens=5, do_sample=False).tolist() == answer.tolist()


def test_a_model_that_mixes_rows_stays_as_it_was() -> None:
    torch.manual_seed(0)
    softcapped = AutoModelForCausalLM.from_config(Gemma2Config(**SHAPE), dtype=torch.float32)
    recurrent = AutoModelForCausalLM.from_config(
        Mamba2Config(hidden_size=64, num_hidden_layers=2, vocab_size=200, num_heads=8, head_dim=16, n_groups=1),
        dtype=torch.float32,
    )
    for model in (softcapped, recurrent):
        before = model.config._attn_implementation
        assert not use_row_attention(model)
        assert model.config._attn_implementation == before != ROWS
