"""Bytes that one layer of a Llama-like model keeps for its backward pass, and needs while it is gone back through.

Counted in the code of transformers and PEFT, and held against what torch really keeps by
tests/trainer/memory/test_layer.py. Unsloth's count is that of its kernels' saved tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.shape import ModelShape
from trainer.memory.setting import Setting
from trainer.spec import TrainSpec

# Families whose layers Unsloth computes with kernels of its own; others run transformers' code, compiled.
UNSLOTH_KERNELS = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "granite")


@dataclass(frozen=True)
class LayerBytes:
    """For each token: `kept` by every layer, `passing` in the one layer that is gone back through, `carried` from layer
    to layer (what a checkpoint holds), `edge` beside the layers (last norm, gradient of the hidden values)."""

    kept: int
    passing: int
    carried: int
    edge: int


def layer_bytes(shape: ModelShape, spec: TrainSpec, setting: Setting) -> LayerBytes:
    """Bytes for each token, attention's scores apart."""
    value = setting.value_bytes
    carried = shape.hidden * (4 if holds_32_bit(spec, setting) else value)
    edge = shape.hidden * (4 + 3 * value)
    if uses_unsloth_kernels(shape, spec, setting):
        kept, passing = _unsloth(shape, value)
    else:
        kept, passing = _transformers(shape, spec, setting)
    extra_kept, extra_passing = _extras(shape, spec, setting)
    return LayerBytes(kept + extra_kept, passing + extra_passing, carried, edge)


def holds_32_bit(spec: TrainSpec, setting: Setting) -> bool:
    """Whether the hidden values go from layer to layer in 32 bit, as embeddings or weights are."""
    if spec.method.adapter == "none":
        return setting.master_weights
    return setting.float32_embeddings and spec.method.adapter == "qlora"


def uses_unsloth_kernels(shape: ModelShape, spec: TrainSpec, setting: Setting) -> bool:
    """Unsloth's own backward passes are for adapters without DoRA."""
    adapter = spec.method.adapter != "none" and not spec.method.dora
    return setting.backend == "unsloth" and setting.device == "gpu" and adapter and shape.family in UNSLOTH_KERNELS


def score_bytes(setting: Setting) -> int:
    """Bytes kept for a score of plain attention: the softmax in 32 bit, and its 16-bit copy that is multiplied."""
    return 4 if setting.value_bytes == 4 else 6


def _unsloth(shape: ModelShape, value: int) -> tuple[int, int]:
    """Kept: every norm's input, the two normed inputs of attention and feed-forward, query, key, value, attention's
    result, and the two inner activations; all else is computed again in place.

    Passing: gradients of the layer's result, of its input and beside it, and of one inner activation.
    """
    heads = shape.query_width + shape.kv_width if shape.normed_heads else 0
    wide = (shape.norms + 2) * shape.hidden + 2 * shape.query_width + 2 * shape.kv_width + heads
    return (wide + 2 * shape.active_width) * value, (3 * shape.hidden + shape.active_width) * value


def _transformers(shape: ModelShape, spec: TrainSpec, setting: Setting) -> tuple[int, int]:
    """Kept: every norm's input in 32 bit, query, key, value and attention's result, gate, its activation and the other
    half, and the inputs of the layers that are trained (for LoRA's factors, or their weights).

    Passing: the gradients of two inner activations, of the layer's result, of its input and beside it; with 16-bit
    values also the 32-bit copy of an inner activation that PEFT hands to a 32-bit adapter.
    """
    value, full = setting.value_bytes, spec.method.adapter == "none"
    norms = shape.norms * shape.hidden * 4
    if full:
        # Trained norms keep what they scale, too.
        norms += shape.norms * shape.hidden * (4 if setting.master_weights else value)
    heads = 4 * (shape.query_width + shape.kv_width) if shape.normed_heads else 0
    attention = 2 * (shape.query_width + shape.kv_width) * value
    kept = norms + heads + attention + 3 * shape.active_width * value + _inputs(shape, spec, setting)
    copy = 4 if value == 2 and not full else 0
    return kept, shape.active_width * (2 * value + copy) + 3 * shape.hidden * value


def _inputs(shape: ModelShape, spec: TrainSpec, setting: Setting) -> int:
    """Autocast gives each trained layer a copy of its input; without a change of format, layers share theirs."""
    value, full = setting.value_bytes, spec.method.adapter == "none"
    matrices = shape.targets("all-linear" if full else spec.method.target_modules)
    casts = value == 2 and (setting.master_weights if full else True)
    routed = 2 * shape.experts_per_token * shape.hidden * value
    if casts:
        return sum(matrix.inputs for matrix in matrices) * value + routed
    # Attention's result is kept already; its input and the feed-forward input are shared by two or three layers each.
    shared = 2 * shape.hidden if any(matrix.inputs == shape.hidden for matrix in matrices) else 0
    inner = shape.active_width if any(matrix.inputs == shape.intermediate for matrix in matrices) else 0
    return (shared + inner) * value + routed


def _extras(shape: ModelShape, spec: TrainSpec, setting: Setting) -> tuple[int, int]:
    """Dropout keeps a mask of each adapter's input (a byte, on a CPU a 32-bit value), DoRA each layer's results."""
    method = spec.method
    if method.adapter == "none":
        return 0, 0
    matrices = shape.targets(method.target_modules)
    mask = 4 if setting.device == "cpu" else 1
    kept = sum(matrix.inputs for matrix in matrices) * mask if method.dropout else 0
    passing = 4 * shape.active_width if method.dropout or method.dora else 0
    if method.dora:
        kept += sum(matrix.outputs for matrix in matrices) * 2 * setting.value_bytes
    return kept, passing
