"""Random models of a real one's shape, written tensor by tensor, for `benchmarks.export`."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy

from export.gguf_file import GgufWriter, PlannedTensor, uint32
from export.tensor_types import GgmlType
from export.tensors import ShardWriter

RANK = 16
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Shape:
    """A Llama's dimensions; embeddings are not tied."""

    hidden: int
    inner: int
    heads: int
    value_heads: int
    vocabulary: int
    layers: int

    @property
    def linear(self) -> Shapes:
        """(outputs, inputs) of the linear layers in each block, by PyTorch's name."""
        narrow = self.hidden // self.heads * self.value_heads
        return {
            "self_attn.q_proj": (self.hidden, self.hidden),
            "self_attn.k_proj": (narrow, self.hidden),
            "self_attn.v_proj": (narrow, self.hidden),
            "self_attn.o_proj": (self.hidden, self.hidden),
            "mlp.gate_proj": (self.inner, self.hidden),
            "mlp.up_proj": (self.inner, self.hidden),
            "mlp.down_proj": (self.hidden, self.inner),
        }

    def weights(self) -> Shapes:
        """All of the model's weights, by PyTorch's names."""
        shapes: Shapes = {"model.embed_tokens.weight": (self.vocabulary, self.hidden)}
        for layer in range(self.layers):
            block = f"model.layers.{layer}"
            shapes |= {f"{block}.{name}.weight": shape for name, shape in self.linear.items()}
            shapes |= {f"{block}.{name}.weight": (self.hidden,) for name in _NORMS}
        return {**shapes, "model.norm.weight": (self.hidden,), "lm_head.weight": (self.vocabulary, self.hidden)}

    @property
    def parameters(self) -> int:
        return sum(prod(shape) for shape in self.weights().values())

    def config(self) -> dict[str, Any]:
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "torch_dtype": "bfloat16",
            "hidden_size": self.hidden,
            "intermediate_size": self.inner,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.value_heads,
            "vocab_size": self.vocabulary,
            "tie_word_embeddings": False,
        }


_NORMS = ("input_layernorm", "post_attention_layernorm")
_GGUF_NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def write_base(folder: Path, shape: Shape) -> Path:
    """A model folder with bf16 weights in one safetensors file."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(shape.config()))
    weights = shape.weights()
    random = numpy.random.default_rng(shape.layers)
    with ShardWriter(folder / "model.safetensors", [(name, "BF16", size) for name, size in weights.items()]) as writer:
        for size in weights.values():
            writer.write(memoryview(_bfloat16(rows)).cast("B") for rows in _rows(random, size))
    return folder


def write_adapter(folder: Path, base: Path, shape: Shape) -> Path:
    """A LoRA adapter of rank 16 on all linear layers, as after training."""
    folder.mkdir(parents=True)
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(base),
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "target_modules": sorted({name.rpartition(".")[2] for name in shape.linear}),
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    weights = {
        f"base_model.model.model.layers.{layer}.{name}.lora_{part}.weight": size
        for layer in range(shape.layers)
        for name, (outputs, inputs) in shape.linear.items()
        for part, size in (("A", (RANK, inputs)), ("B", (outputs, RANK)))
    }
    random = numpy.random.default_rng(0)
    with ShardWriter(
        folder / "adapter_model.safetensors", [(name, "F32", size) for name, size in weights.items()]
    ) as writer:
        for size in weights.values():
            writer.write(memoryview(rows).cast("B") for rows in _rows(random, size))
    return folder


def write_gguf(path: Path, shape: Shape) -> Path:
    """The same shape as a GGUF, its matrices in F16: what the converter would hand to the quantiser."""
    plan = []
    for name, size in shape.weights().items():
        kind, each = (GgmlType.F16, 2) if len(size) == 2 else (GgmlType.F32, 4)
        plan.append(PlannedTensor(_gguf_name(name), size[::-1], kind, prod(size) * each))
    numbers = {
        "block_count": shape.layers,
        "context_length": 2048,
        "embedding_length": shape.hidden,
        "feed_forward_length": shape.inner,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.value_heads,
        "vocab_size": shape.vocabulary,
    }
    entries = {"general.architecture": (8, struct.pack("<Q", 5) + b"llama")}
    entries |= {f"llama.{key}": uint32(value) for key, value in numbers.items()}
    entries["llama.attention.layer_norm_rms_epsilon"] = (6, struct.pack("<f", 1e-5))
    random = numpy.random.default_rng(shape.layers)
    with path.open("wb") as file:
        writer = GgufWriter(file, entries, plan)
        for tensor in plan:
            for rows in _rows(random, tensor.shape[::-1]):
                writer.write(rows.astype(numpy.float16) if tensor.type == GgmlType.F16 else rows)
            writer.pad()
    return path


def _gguf_name(name: str) -> str:
    outside = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    if name in outside:
        return outside[name]
    layer, part = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
    return f"blk.{layer}.{_GGUF_NAMES[part]}.weight"


def _rows(random: numpy.random.Generator, size: tuple[int, ...]) -> Iterator[Any]:
    """Normal numbers as in weights, some rows at a time."""
    length = size[-1] if len(size) > 1 else 1
    left = prod(size) // length
    while left:
        count = min(left, max(1, (4 << 20) // length))
        yield random.standard_normal((count, length), dtype=numpy.float32) * numpy.float32(0.02)
        left -= count


def _bfloat16(rows: Any) -> Any:
    return (rows.view(numpy.uint32) >> 16).astype(numpy.uint16)
