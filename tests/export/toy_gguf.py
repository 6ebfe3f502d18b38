"""GGUF files of random numbers with the tensors and settings of real architectures, in a few kilobytes.

Rows are as long as in a model of that width, but there are few of them: what a quantiser does with a row and which
type it chooses doesn't depend on how many there are.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy

from export.gguf_file import GgufWriter, PlannedTensor, uint32
from export.tensor_types import GgmlType

ROWS = 3


@dataclass(frozen=True)
class Toy:
    """`heads` query heads share `value_heads`; `experts`: 0 for a dense model; `fused`: one tensor for q, k and v."""

    architecture: str
    layers: int = 2
    hidden: int = 256
    inner: int = 512
    heads: int = 4
    value_heads: int = 2
    experts: int = 0
    tied: bool = False
    fused: bool = False

    @property
    def name(self) -> str:
        return f"{self.architecture}-{self.layers}x{self.hidden}" + (f"-{self.experts}-experts" if self.experts else "")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Tensor shapes as llama.cpp has them: the row length first."""
        shapes: dict[str, tuple[int, ...]] = {
            "token_embd.weight": (self.hidden, 7),
            "output_norm.weight": (self.hidden,),
        }
        if not self.tied:
            shapes["output.weight"] = (self.hidden, 7)
        for layer in range(self.layers):
            parts: dict[str, tuple[int, ...]] = {
                "attn_norm.weight": (self.hidden,),
                "attn_output.weight": (self.hidden, ROWS),
                "ffn_norm.weight": (self.hidden,),
            }
            names = ["attn_qkv"] if self.fused else ["attn_q", "attn_k", "attn_v"]
            parts |= {f"{name}.weight": (self.hidden, ROWS) for name in names}
            parts |= {f"{name}.bias": (ROWS,) for name in names}
            many = (self.experts,) if self.experts else ()
            ending = "_exps.weight" if self.experts else ".weight"
            parts |= {f"ffn_{name}{ending}": (self.hidden, ROWS, *many) for name in ("gate", "up")}
            parts[f"ffn_down{ending}"] = (self.inner, ROWS, *many)
            if self.experts:
                parts["ffn_gate_inp.weight"] = (self.hidden, self.experts)
            shapes |= {f"blk.{layer}.{name}": shape for name, shape in parts.items()}
        return shapes

    def settings(self) -> dict[str, tuple[int, bytes]]:
        own = {
            "block_count": self.layers,
            "context_length": 64,
            "embedding_length": self.hidden,
            "feed_forward_length": self.inner,
            "attention.head_count": self.heads,
            "attention.head_count_kv": self.value_heads,
            "attention.sliding_window": 32,
            "vocab_size": 7,
        }
        if self.experts:
            own |= {"expert_count": self.experts, "expert_used_count": 2, "expert_feed_forward_length": self.inner}
        entries = {"general.architecture": text(self.architecture), "general.file_type": uint32(1)}
        entries |= {f"{self.architecture}.{key}": uint32(value) for key, value in own.items()}
        for key in ("layer_norm_rms_epsilon", "layer_norm_epsilon"):
            entries[f"{self.architecture}.attention.{key}"] = (6, struct.pack("<f", 1e-5))
        if self.architecture == "granite":
            entries["granite.logit_scale"] = (6, struct.pack("<f", 8.0))
        return entries

    def write(self, path: Path, kind: GgmlType = GgmlType.F16, scale: float = 0.05) -> Path:
        """Matrices in `kind`, the rest in F32. In every third row the numbers are few and far from the others, and one
        block is all zeros: the cases in which row quantisers differ."""
        random = numpy.random.default_rng(len(self.name))
        size = {GgmlType.F32: 4, GgmlType.F16: 2, GgmlType.BF16: 2}
        kinds = {
            name: kind if len(shape) > 1 and "ffn_gate_inp" not in name else GgmlType.F32
            for name, shape in self.shapes().items()
        }
        plan = [
            PlannedTensor(name, shape, kinds[name], prod(shape) * size[kinds[name]])
            for name, shape in self.shapes().items()
        ]
        with path.open("wb") as file:
            writer = GgufWriter(file, self.settings(), plan)
            for tensor in plan:
                rows = random.standard_normal((prod(tensor.shape[1:]), tensor.shape[0])).astype(numpy.float32) * scale
                rows[::3, ::17] *= 20
                rows[-1, :32] = 0
                writer.write(stored(rows, GgmlType(tensor.type)))
                writer.pad()
        return path


def text(value: str) -> tuple[int, bytes]:
    """A metadata entry that holds text."""
    return 8, struct.pack("<Q", len(value)) + value.encode()


def stored(rows: Any, kind: GgmlType) -> bytes:
    """Numbers as the converter writes them."""
    if kind == GgmlType.F32:
        return bytes(rows.tobytes())
    if kind == GgmlType.F16:
        return bytes(rows.astype(numpy.float16).tobytes())
    return bytes((rows.view(numpy.uint32) >> 16).astype(numpy.uint16).tobytes())
