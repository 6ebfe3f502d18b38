"""Which number format each tensor of a quantised file gets: the rules that llama.cpp's own quantiser follows.

Mixed quantisations such as Q4_K_M keep the sensitive tensors in more bits. The rules are those of llama.cpp's
src/llama-quant.cpp as of 2026; tests compare every tensor with what llama.cpp itself writes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

from export.gguf_file import GgufFile, GgufTensor
from jobs.errors import BadInput

Mix = Literal[
    "f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q4_k_m", "q4_k_s", "q3_k_m", "q2_k",
]  # fmt: skip


class GgmlType(IntEnum):
    """The ggml type numbers that occur here, or in files that llama.cpp's own quantiser makes."""

    F32 = 0
    F16 = 1
    Q4_0 = 2
    Q4_1 = 3
    Q5_0 = 6
    Q5_1 = 7
    Q8_0 = 8
    Q2_K = 10
    Q3_K = 11
    Q4_K = 12
    Q5_K = 13
    Q6_K = 14
    IQ2_XXS = 16
    IQ2_XS = 17
    IQ3_XXS = 18
    IQ1_S = 19
    IQ4_NL = 20
    IQ3_S = 21
    IQ2_S = 22
    IQ4_XS = 23
    I32 = 26
    IQ1_M = 29
    BF16 = 30


# Numbers in a block, and the bytes that one takes.
BLOCK_LENGTH = {
    GgmlType.F32: 1, GgmlType.F16: 1, GgmlType.BF16: 1,
    GgmlType.Q4_0: 32, GgmlType.Q5_0: 32, GgmlType.Q5_1: 32, GgmlType.Q8_0: 32,
    GgmlType.Q2_K: 256, GgmlType.Q3_K: 256, GgmlType.Q4_K: 256, GgmlType.Q5_K: 256, GgmlType.Q6_K: 256,
}  # fmt: skip
BLOCK_BYTES = {
    GgmlType.F32: 4, GgmlType.F16: 2, GgmlType.BF16: 2,
    GgmlType.Q4_0: 18, GgmlType.Q5_0: 22, GgmlType.Q5_1: 24, GgmlType.Q8_0: 34,
    GgmlType.Q2_K: 84, GgmlType.Q3_K: 110, GgmlType.Q4_K: 144, GgmlType.Q5_K: 176, GgmlType.Q6_K: 210,
}  # fmt: skip
_DEFAULT: dict[Mix, GgmlType] = {
    "f32": GgmlType.F32, "f16": GgmlType.F16, "bf16": GgmlType.BF16, "q8_0": GgmlType.Q8_0, "q6_k": GgmlType.Q6_K,
    "q5_k_m": GgmlType.Q5_K, "q5_k_s": GgmlType.Q5_K, "q4_k_m": GgmlType.Q4_K, "q4_k_s": GgmlType.Q4_K,
    "q3_k_m": GgmlType.Q3_K, "q2_k": GgmlType.Q2_K,
}  # fmt: skip
# For rows whose length is no multiple of 256.
_FALLBACK = {
    GgmlType.Q2_K: GgmlType.Q4_0, GgmlType.Q3_K: GgmlType.Q4_0, GgmlType.Q4_K: GgmlType.Q5_0,
    GgmlType.Q5_K: GgmlType.Q5_1, GgmlType.Q6_K: GgmlType.Q8_0,
}  # fmt: skip

_KEPT_NAMES = ("position_embd.weight", "token_types.weight")
_KEPT_PARTS = (
    "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel", "per_layer_model_proj",
    "ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight", "indexer.q_proj.weight", "attn_rel_b.weight",
    "time_mix_first.weight", "time_mix_lerp_fused.weight", ".position_embd", "sam.pos_embd", "sam.neck.", "sam.net_",
    ".rel_pos", ".patch_embd", ".patch_merger", "a.rvq.codebook", "mm.a.code_embd",
)  # fmt: skip
_KEPT_TIME_MIX = re.compile(r"time_mix_(w[0-2]|v[0-2]|a[0-2]|g[12]|decay_w[12])\.weight")
_VALUE_LIKE = ("attn_qkv.weight", "attn_kv_b.weight", "attn_v.weight")
_SMALL_VALUES = {("qwen2", 80), ("deci", 80), ("olmo", 80), ("jais2", 68)}


@dataclass
class _Facts:
    """What the rules ask of the model, and how many tensors of a kind were met so far.

    `sharing`: how many query heads share one value head.
    """

    architecture: str
    layers: int
    experts: int
    sharing: int
    tied: bool
    small_values: bool
    value_tensors: int
    seen: dict[str, int] = field(default_factory=lambda: {"value": 0, "down": 0})

    def next(self, kind: str) -> int:
        number = self.seen[kind]
        self.seen[kind] += 1
        return number


def in_llama_order(tensors: Sequence[GgufTensor]) -> list[GgufTensor]:
    """The order in which llama.cpp visits and writes them: by layer (those of none first), then by name."""
    return sorted(tensors, key=lambda tensor: (_layer(tensor.name), tensor.name.encode()))


def choose_types(model: GgufFile, mix: Mix) -> dict[str, GgmlType]:
    """The type of each tensor of `model`, by name, in llama.cpp's order.

    Raises BadInput for rows that no type of this quantisation can hold.
    """
    facts = _gather_facts(model)
    return {tensor.name: _type_of(tensor, mix, facts) for tensor in in_llama_order(model.tensors)}


def _layer(name: str) -> int:
    found = re.match(r"blk\.(\d+)\.", name)
    return int(found[1]) if found else -1


def _gather_facts(model: GgufFile) -> _Facts:
    architecture = str(model.value("general.architecture"))
    names = [tensor.name for tensor in model.tensors]
    layers = int(model.value(f"{architecture}.block_count") or 0)
    heads = _of_first_layer(model.value(f"{architecture}.attention.head_count"))
    value_heads = _of_first_layer(model.value(f"{architecture}.attention.head_count_kv"), heads)
    return _Facts(
        architecture=architecture,
        layers=layers,
        experts=int(model.value(f"{architecture}.expert_count") or 0),
        sharing=heads // value_heads if value_heads else 0,
        tied="output.weight" not in names,
        small_values=_has_small_values(architecture, layers, heads == value_heads),
        value_tensors=sum(any(part in name for part in _VALUE_LIKE) for name in names),
    )


def _of_first_layer(value: Any, default: int = 0) -> int:
    """A figure that some models give once and others for each layer."""
    if value is None:
        return default
    return int(value[0] if isinstance(value, list) else value)


def _has_small_values(architecture: str, layers: int, own_value_heads: bool) -> bool:
    """Models of the 70B kind: their value tensors are small because many heads share them."""
    if architecture in ("llama", "llama-embed"):
        return layers == 80 and not own_value_heads
    return (architecture, layers) in _SMALL_VALUES


def _type_of(tensor: GgufTensor, mix: Mix, facts: _Facts) -> GgmlType:
    if not _may_be_quantised(tensor):
        return GgmlType(tensor.type)
    return _that_fits(tensor, _wanted(tensor, mix, facts))


def _may_be_quantised(tensor: GgufTensor) -> bool:
    name = tensor.name
    kept = name in _KEPT_NAMES or any(part in name for part in _KEPT_PARTS) or _KEPT_TIME_MIX.search(name) is not None
    return tensor.dimensions >= 2 and name.endswith("weight") and not kept


def _wanted(tensor: GgufTensor, mix: Mix, facts: _Facts) -> GgmlType:
    """The type by the tensor's part in the model, whether or not its rows fit."""
    name, default = tensor.name, _DEFAULT[mix]
    if default in (GgmlType.F32, GgmlType.F16, GgmlType.BF16):
        return default
    embedding = name in ("token_embd.weight", "per_layer_token_embd.weight")
    if name == "output.weight" or (embedding and facts.tied):
        fits = tensor.row_length % BLOCK_LENGTH[default] == 0 and facts.architecture != "falcon"
        return GgmlType.Q6_K if fits and mix != "q8_0" else GgmlType.Q8_0
    if embedding:
        return default
    if any(part in name for part in _VALUE_LIKE):
        return _value_type(mix, facts)
    if "attn_k.weight" in name:
        return GgmlType.Q8_0 if facts.experts == 8 else default
    if "attn_q.weight" in name:
        return default
    if "attn_output.weight" in name:
        return _output_type(mix, facts)
    if "ffn_up" not in name and "ffn_gate" not in name and "ffn_down" in name:
        return _down_type(tensor, mix, facts)
    return default


def _value_type(mix: Mix, facts: _Facts) -> GgmlType:
    number = facts.next("value")
    wanted = _DEFAULT[mix]
    if mix == "q2_k":
        wanted = GgmlType.Q4_K if facts.sharing >= 4 else GgmlType.Q3_K
    elif mix == "q3_k_m":
        wanted = GgmlType.Q5_K if number < 2 else GgmlType.Q4_K
    elif mix in ("q4_k_m", "q5_k_m") and _more_bits(number, facts.value_tensors):
        wanted = GgmlType.Q6_K
    elif mix == "q4_k_s" and number < 4:
        wanted = GgmlType.Q5_K
    if facts.small_values and wanted in (GgmlType.Q3_K, GgmlType.Q4_K):
        wanted = GgmlType.Q5_K
    return GgmlType.Q8_0 if facts.experts == 8 else wanted


def _output_type(mix: Mix, facts: _Facts) -> GgmlType:
    """The attention's output projection."""
    if facts.architecture == "falcon":
        return _DEFAULT[mix]
    if facts.experts == 8:
        return GgmlType.Q5_K if mix in ("q2_k", "q3_k_m", "q4_k_s", "q4_k_m") else _DEFAULT[mix]
    return {"q2_k": GgmlType.Q3_K, "q3_k_m": GgmlType.Q4_K}.get(mix, _DEFAULT[mix])


def _down_type(tensor: GgufTensor, mix: Mix, facts: _Facts) -> GgmlType:
    number = facts.next("down")
    if facts.experts > 1:
        number = _layer(tensor.name)
    more, falcon = _more_bits(number, facts.layers), facts.architecture == "falcon"
    if mix == "q2_k":
        return GgmlType.Q3_K
    if mix == "q3_k_m":
        if number < facts.layers // 16:
            return GgmlType.Q5_K
        return GgmlType.Q4_K if more or not falcon else GgmlType.Q3_K
    if mix == "q4_k_m" and falcon:
        return GgmlType.Q6_K if number < facts.layers // 16 else GgmlType.Q5_K if more else GgmlType.Q4_K
    if mix in ("q4_k_m", "q5_k_m") and more:
        return GgmlType.Q6_K
    if mix == "q4_k_s" and not falcon and number < facts.layers // 8:
        return GgmlType.Q5_K
    return _DEFAULT[mix]


def _more_bits(number: int, count: int) -> bool:
    """The first and last eighth, and every third in between."""
    return number < count // 8 or number >= 7 * count // 8 or (number - count // 8) % 3 == 2


def _that_fits(tensor: GgufTensor, wanted: GgmlType) -> GgmlType:
    if tensor.row_length % BLOCK_LENGTH[wanted] == 0:
        return wanted
    fallback = _FALLBACK.get(wanted)
    if fallback is None:
        raise _no_type(tensor, wanted)
    return fallback if tensor.row_length % BLOCK_LENGTH[fallback] == 0 else GgmlType.F16


def _no_type(tensor: GgufTensor, wanted: GgmlType) -> BadInput:
    return BadInput(
        f"{tensor.name} can't be stored as {wanted.name}: its rows have {tensor.row_length} numbers.",
        f"{wanted.name} stores {BLOCK_LENGTH[wanted]} at a time, and llama.cpp has no other type for this case.",
        "Export this model as f16.",
    )
