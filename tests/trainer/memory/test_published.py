"""The estimate against figures that others published: one set of constants, no factor per model, within 15 % on each.

Where the figures come from, and how they are read:
- LLaMA-Factory's wiki, "Performance comparison" (April 2024): LLaMA-2-7B, rank 8 on all linear layers, 4 bit, AdamW.
  Memory of the whole process as nvidia-smi shows it, in GiB (it counts MiB of 1,024²). Plain transformers then held
  all logits; Unsloth held them in 16 bit and wrote the gradient over them (its chunked loss came in 2025).
- Unsloth's documentation, "Unsloth requirements", least memory for QLoRA by size. Read as what PyTorch reserved, in
  GiB: what Unsloth's notebooks print (max_memory_reserved / 1024³), CUDA's own part apart. Settings are not given;
  assumed: batch 1 × 512 tokens, rank 16, 8-bit Adam, and for the loss's chunks what a 16 GB card gets (`Setting`'s
  default; Unsloth's notebooks run on such cards). The table names sizes, not models: of several of a size the one with
  the smallest vocabulary, since "least" is asked for (14B: Phi-3-medium; Phi-4 comes out 20 % high for its 100,000
  words, Qwen3-14B 28 % for its 152,000, held in 16 bit at both ends).

How the constants were chosen: by counting in the libraries' code and by measuring on a CPU (test_layer.py), not by
fitting; no number was moved for a figure here. All figures were known when the form was decided, and two decisions were
made in their sight: to add the parts up rather than take the greater of two (from how the wiki's memory grows with
length), and to read Unsloth's figures without CUDA's part (with it, 8B and 9B come out 18 % high). Held out is every
third figure in the order of the sources, from the second on: a rule set before any estimate was computed. How much the
assumed settings matter: with 250 MB for the loss's chunks, as on an 8 GB card, 3B (held out) comes out 20 % low, all
else stays within.

One held-out figure is not met, and can't be by any set of constants: see `test_lora_of_8b_in_16_bit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from trainer.memory import constants as c
from trainer.memory.estimate import MemoryEstimate, estimate
from trainer.memory.known_shapes import known_shape
from trainer.memory.setting import Setting
from trainer.spec import TrainSpec

GIB = 1024**3
LLAMA_2 = "meta-llama/Llama-2-7b-hf"
LLAMA_3 = "meta-llama/Llama-3.1-8B"
PLAIN = Setting(backend="peft", logits="full")
UNSLOTH_2024 = Setting(backend="unsloth", logits="in_place")
UNSLOTH = Setting(backend="unsloth")


@dataclass(frozen=True)
class Published:
    """A figure in GiB, with the run that it is about; `reserved`: without CUDA's own part."""

    name: str
    gib: float
    model: str
    setting: Setting
    batch: int
    length: int
    rank: int = 8
    optimiser: str = "adamw"
    adapter: str = "qlora"
    reserved: bool = False

    def estimated(self) -> MemoryEstimate:
        shape = known_shape(self.model)
        assert shape is not None
        values: dict[str, Any] = {
            "data": "any",
            "max_length": self.length,
            "method": {"adapter": self.adapter, "rank": self.rank},
            "optimisation": {
                "batch_size": self.batch,
                "optimiser": self.optimiser,
                "gradient_checkpointing": True,
            },
        }
        return estimate(shape, TrainSpec.parse(values), self.setting)

    def compared(self) -> float:
        """The estimate in the figure's unit."""
        own = c.CUDA_CONTEXT + c.CUBLAS_WORKSPACE if self.reserved else 0
        return (self.estimated().total - own) / GIB


def least(name: str, gib: float, model: str, adapter: str = "qlora") -> Published:
    return Published(name, gib, model, UNSLOTH, 1, 512, 16, "adamw_8bit", adapter, reserved=True)


WIKI = [
    Published("HF, 4 × 1k", 9, LLAMA_2, PLAIN, 4, 1024),
    Published("Unsloth, 4 × 1k", 7, LLAMA_2, UNSLOTH_2024, 4, 1024),
    Published("Unsloth, 2k", 6, LLAMA_2, UNSLOTH_2024, 1, 2048),
    Published("Unsloth, 4k", 7, LLAMA_2, UNSLOTH_2024, 1, 4096),
    Published("Unsloth, 8k", 8, LLAMA_2, UNSLOTH_2024, 1, 8192),
    Published("Unsloth, 16k", 10, LLAMA_2, UNSLOTH_2024, 1, 16384),
    Published("FlashAttention-2, 2k", 7, LLAMA_2, PLAIN, 1, 2048),
    Published("FlashAttention-2, 4k", 9, LLAMA_2, PLAIN, 1, 4096),
    Published("FlashAttention-2, 8k", 12, LLAMA_2, PLAIN, 1, 8192),
    Published("FlashAttention-2, 16k", 19, LLAMA_2, PLAIN, 1, 16384),
]
LEAST = [
    least("3B", 3.5, "meta-llama/Llama-3.2-3B"),
    least("7B", 5, LLAMA_2),
    least("8B", 6, LLAMA_3),
    least("9B", 6.5, "google/gemma-2-9b"),
    least("11B", 7.5, "upstage/SOLAR-10.7B-v1.0"),
    least("14B", 8.5, "microsoft/Phi-3-medium-4k"),
]
LORA_8B = least("8B, 16-bit LoRA", 22, LLAMA_3, "lora")
FIGURES = [*WIKI, *LEAST, LORA_8B]
HELD_OUT = FIGURES[1::3]
LONGER = [
    Published("Unsloth, 1k", 5, LLAMA_2, UNSLOTH_2024, 1, 1024),
    Published("FlashAttention-2, 1k", 6, LLAMA_2, PLAIN, 1, 1024),
    Published("Unsloth, 32k", 16, LLAMA_2, UNSLOTH_2024, 1, 32768),
    Published("FlashAttention-2, 32k", 32, LLAMA_2, PLAIN, 1, 32768),
    Published("Unsloth, 64k", 25, LLAMA_2, UNSLOTH_2024, 1, 65536),
    Published("Unsloth, 100k", 37, LLAMA_2, UNSLOTH_2024, 1, 100_000),
]


def name(figure: Published) -> str:
    return figure.name


def test_a_third_of_the_figures_is_held_out() -> None:
    assert len(HELD_OUT) * 3 >= len(FIGURES)
    assert LORA_8B in HELD_OUT


@pytest.mark.parametrize("figure", [each for each in FIGURES if each not in HELD_OUT], ids=name)
def test_figures_in_sight_are_met_within_15_per_cent(figure: Published) -> None:
    assert figure.compared() == pytest.approx(figure.gib, rel=0.15)


@pytest.mark.parametrize("figure", [each for each in HELD_OUT if each is not LORA_8B], ids=name)
def test_figures_held_out_are_met_within_15_per_cent(figure: Published) -> None:
    assert figure.compared() == pytest.approx(figure.gib, rel=0.15)


@pytest.mark.parametrize("figure", LONGER, ids=name)
def test_rows_of_other_lengths_are_never_underestimated_by_more_than_10_per_cent(figure: Published) -> None:
    """The wiki's other rows. Where 64k tokens and more are at once, adding the parts up says about a fifth too much."""
    assert 0.9 <= figure.compared() / figure.gib <= 1.25


@pytest.mark.xfail(strict=True, reason="contradicts the figure for QLoRA of the same model, see the next test")
def test_lora_of_8b_in_16_bit() -> None:
    assert LORA_8B.compared() == pytest.approx(LORA_8B.gib, rel=0.15)


def test_the_two_published_figures_for_8b_contradict_each_other() -> None:
    """The two runs differ in the weights alone. The figures, moved towards each other by 15 % each, still lie further
    apart than the linear layers shrink from 16 to 4 bit: no estimate of the same settings can meet both."""
    shape = known_shape(LLAMA_3)
    assert shape is not None
    shrinks = shape.linear_parameters * (2 - c.NF4_BYTES) / GIB
    four_bit = next(figure for figure in LEAST if figure.model == LLAMA_3)
    assert LORA_8B.gib * 0.85 - four_bit.gib * 1.15 > shrinks
    assert LORA_8B.compared() - four_bit.compared() == pytest.approx(shrinks, abs=0.2)
