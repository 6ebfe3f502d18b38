"""The bytes that a layer keeps, held against what torch really keeps for small Llama-like models on the CPU.

What passes at the peak is counted too: every block that an operation makes, from its making to its release.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM
from trl.trainer.sft_trainer import _CHUNKED_LM_HEAD_CHUNK_SIZE, _chunked_cross_entropy_loss
from trl.trainer.utils import _CHUNKED_LOGPROB_TOKEN_CHUNK_SIZE, _ChunkedLogProbFunction

from models.shape import ModelShape
from trainer.frozen_head import CHUNK, Head, next_token_loss
from trainer.memory import constants as c
from trainer.memory.layer import layer_bytes, score_bytes
from trainer.memory.setting import Setting
from trainer.spec import TrainSpec

pytestmark = pytest.mark.slow
ROWS, LENGTH = 4, 256
TOKENS = ROWS * LENGTH
CPU = Setting(backend="peft", device="cpu")
# No loss is computed here: of what is counted beside the layers, only the last norm's input is there, in 32 bit.
LAST_NORM = 4 * 256
SHAPE = ModelShape("small", "llama", 2, 256, 704, 8, 4, 32, 128, False)


class Blocks(TorchDispatchMode):
    """Bytes of all blocks of memory that operations made and that are still held, and their peak."""

    def __init__(self, tensors: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in tensors}

    def _released(self, block: int, size: int) -> None:
        self._known.discard(block)
        self.now -= size

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and (storage := tensor.untyped_storage())._cdata not in self._known:
                self._known.add(storage._cdata)
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._released, storage._cdata, storage.nbytes())
        return result


def build(shape: ModelShape, spec: TrainSpec, setting: Setting) -> Any:
    """A random model of `shape`, made ready as the PEFT backend does."""
    config, model_class = (
        (Qwen3Config, Qwen3ForCausalLM) if shape.family == "qwen3" else (LlamaConfig, LlamaForCausalLM)
    )
    whole = spec.method.adapter == "none" and setting.master_weights
    model = model_class(
        config(
            vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
            head_dim=shape.head_dim, attn_implementation="eager" if setting.attention == "eager" else "sdpa",
        )
    ).to(torch.float32 if whole or setting.precision == "fp32" else torch.bfloat16)  # fmt: skip
    model.config.use_cache = False
    if spec.method.adapter == "lora":
        lora = LoraConfig(
            task_type="CAUSAL_LM", r=spec.method.rank, lora_dropout=spec.method.dropout, use_dora=spec.method.dora,
            target_modules=spec.method.target_modules,
        )  # fmt: skip
        model = get_peft_model(model, lora)
    if spec.optimisation.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    return model.train()


def measure(shape: ModelShape, spec: TrainSpec, setting: Setting) -> tuple[int, int]:
    """Bytes held between forward and backward pass, and at the peak of both, weights and gradients apart."""
    torch.manual_seed(0)
    model = build(shape, spec, setting)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
    gradients = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    decoder = model.get_base_model().model if spec.method.adapter == "lora" else model.model
    tokens = torch.randint(0, shape.vocabulary, (ROWS, LENGTH))
    mixed = nullcontext() if setting.precision == "fp32" else torch.autocast("cpu", dtype=torch.bfloat16)
    with Blocks([*model.parameters(), *model.buffers()]) as blocks:
        with mixed:
            hidden = decoder(tokens).last_hidden_state
        kept = blocks.now
        hidden.sum().backward()
    return kept, blocks.peak - (gradients if spec.method.adapter == "none" else 0)


def described(**options: Any) -> TrainSpec:
    values: dict[str, Any] = {"data": "any", "max_length": LENGTH, "method": {"rank": 8, **options.pop("method", {})}}
    return TrainSpec.parse({**values, "optimisation": {"batch_size": ROWS, **options}})


@pytest.mark.parametrize(
    ("method", "changes", "family"),
    [
        ({}, {}, "llama"),
        ({}, {"precision": "fp32"}, "llama"),
        ({}, {"attention": "eager"}, "llama"),
        ({}, {}, "qwen3"),
        ({"target_modules": ["q_proj", "v_proj"]}, {}, "llama"),
        ({"dropout": 0.1}, {}, "llama"),
        ({"dora": True}, {}, "llama"),
        ({"adapter": "none"}, {"master_weights": False}, "llama"),
    ],
    ids=["lora", "lora in 32 bit", "plain attention", "normed heads", "two targets", "dropout", "dora", "all weights"],
)
def test_a_layer_keeps_what_torch_keeps(method: dict[str, Any], changes: dict[str, Any], family: str) -> None:
    spec, setting = described(method=method), replace(CPU, **changes)
    few, many = (replace(SHAPE, family=family, layers=layers) for layers in (1, 3))
    really = (measure(many, spec, setting)[0] - measure(few, spec, setting)[0]) / 2
    counted = TOKENS * layer_bytes(few, spec, setting).kept
    if setting.attention == "eager":
        counted += few.heads * TOKENS * LENGTH * score_bytes(setting)
    assert counted == pytest.approx(really, rel=0.15)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_with_checkpointing_a_layer_keeps_its_input_and_the_peak_is_one_layer(precision: Any) -> None:
    spec, setting = described(gradient_checkpointing=True), replace(CPU, precision=precision)
    few, many = replace(SHAPE, layers=2), replace(SHAPE, layers=4)
    layer = layer_bytes(few, spec, setting)
    (kept_few, peak_few), (kept_many, _) = measure(few, spec, setting), measure(many, spec, setting)
    assert TOKENS * layer.carried == pytest.approx((kept_many - kept_few) / 2, rel=0.02)
    counted = TOKENS * (2 * layer.carried + layer.kept + layer.passing + LAST_NORM)
    assert counted == pytest.approx(peak_few, rel=0.15)


def test_without_checkpointing_the_peak_is_all_layers_and_what_passes() -> None:
    spec = described()
    layer = layer_bytes(SHAPE, spec, CPU)
    counted = TOKENS * (SHAPE.layers * layer.kept + layer.passing + LAST_NORM)
    assert counted == pytest.approx(measure(SHAPE, spec, CPU)[1], rel=0.15)


def loss_inputs(words: int, tokens: int) -> tuple[Any, Any, Any]:
    """Hidden values of 16 bit, an output head, and labels."""
    hidden = torch.randn(tokens, 32, dtype=torch.bfloat16, requires_grad=True)
    return hidden, torch.randn(words, 32, dtype=torch.bfloat16), torch.randint(0, words, (tokens,))


def test_the_chunked_loss_of_answers_holds_one_chunk() -> None:
    hidden, head, labels = loss_inputs(words=16384, tokens=1024)
    with Blocks([hidden, head, labels]) as blocks:
        loss, *_ = _chunked_cross_entropy_loss(
            hidden[None], head, _CHUNKED_LM_HEAD_CHUNK_SIZE, shift_labels=labels[None]
        )
        loss.backward()
    assert c.NLL_CHUNK_ROWS == _CHUNKED_LM_HEAD_CHUNK_SIZE
    chunk = c.NLL_CHUNK_ROWS * 16384 * c.NLL_CHUNK_BYTES
    assert chunk == pytest.approx(blocks.peak, rel=0.15)


def test_the_loss_over_a_frozen_output_layer_holds_one_chunk_and_makes_it_once() -> None:
    hidden, head, labels = loss_inputs(words=16384, tokens=1024)
    with Blocks([hidden, head, labels]) as blocks:
        next_token_loss(hidden[None], labels[None], Head(head)).backward()  # type: ignore[no-untyped-call]
    chunk = CHUNK * 16384 * c.FROZEN_CHUNK_BYTES
    assert c.NLL_CHUNK_ROWS == CHUNK
    assert chunk == pytest.approx(blocks.peak, rel=0.15)


def test_the_log_probabilities_of_preferences_hold_one_tile() -> None:
    hidden, head, labels = loss_inputs(words=16384, tokens=4096)
    with Blocks([hidden, head, labels]) as blocks:
        values, _ = _ChunkedLogProbFunction.apply(hidden, head, None, labels, 1.0, c.LOGPROB_TILE_WORDS, None, 1.0)
        values.sum().backward()
    assert c.LOGPROB_TILE_ROWS == _CHUNKED_LOGPROB_TOKEN_CHUNK_SIZE
    tile = c.LOGPROB_TILE_ROWS * c.LOGPROB_TILE_WORDS * c.LOGPROB_TILE_BYTES
    assert tile == pytest.approx(blocks.peak, rel=0.15)


def plain_loss(hidden: Any, head: Any, labels: Any) -> Any:
    """As transformers did when the published figures were measured: logits as 32 bit, shifted, then cross-entropy."""
    logits = (hidden @ head.t()).float()
    return torch.nn.functional.cross_entropy(logits[:-1].contiguous(), labels[1:])


def test_the_plain_loss_holds_all_logits_three_times_in_32_bit() -> None:
    hidden, head, labels = loss_inputs(words=8192, tokens=1024)
    with Blocks([hidden, head, labels]) as blocks:
        plain_loss(hidden, head, labels).backward()
    logits = 1024 * 8192 * c.FULL_LOGIT_BYTES
    assert logits == pytest.approx(blocks.peak, rel=0.15)
