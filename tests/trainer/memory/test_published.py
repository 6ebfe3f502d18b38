"""The estimate against figures that others published: one set of constants, no factor per model, within 15 % on each.

Where the figures come from, and how they are read:
- LLaMA-Factory's wiki, "Performance comparison" (April 2024): LLaMA-2-7B, rank 8 on all linear layers, AdamW, 4 bit and
  16 bit. Memory of the whole process as nvidia-smi shows it, in GiB (it counts MiB of 1,024²). Plain transformers then
  held all logits; Unsloth held them in 16 bit and wrote the gradient over them (its chunked loss came in 2025).
- Unsloth's documentation, "Unsloth requirements", least memory for QLoRA by size. Read as what PyTorch reserved, in
  GiB: what Unsloth's notebooks print (max_memory_reserved / 1024³), CUDA's own part apart. Settings are not given;
  assumed: batch 1 × 512 tokens, rank 16, 8-bit Adam, and for the loss's chunks what a 16 GB card gets (`Setting`'s
  default; Unsloth's notebooks run on such cards). The table names sizes, not models: of several of a size the one with
  the smallest vocabulary, since "least" is asked for (14B: Phi-3-medium; Phi-4 comes out 20 % high for its 100,000
  words, Qwen3-14B 28 % for its 152,000, held in 16 bit at both ends).
- Unsloth's documentation, "Unsloth benchmarks": the longest rows that fit cards of 8 to 80 GB (QLoRA of Llama 3.1 8B,
  rank 32 on all linear layers, batch 1), with Unsloth's chunked loss and with plain transformers, FlashAttention-2 and
  PEFT's `prepare_model_for_kbit_training`, which turns embeddings and output layer to 32 bit. Read as the card's
  memory.

How the constants were chosen: by counting in the libraries' code and by measuring on a CPU (test_layer.py), not by
fitting; no number was moved for a figure here. The wiki's figures in 4 bit and the least memory by size were known when
the form was decided, and two decisions were made in their sight: to add the parts up rather than take the greater of
two (from how the wiki's memory grows with length), and to read Unsloth's figures without CUDA's part (with it, 8B and
9B come out 18 % high). Held out are every third of these in the order of the sources, from the second on (a rule set
before any estimate was computed), and all figures that were looked up only when the constants stood: the wiki's 16-bit
rows and the longest rows by card. How much the assumed settings matter: with 250 MB for the loss's chunks, as on an
8 GB card, 3B (held out) comes out 20 % low, all else stays within.

One column is left out, since it isn't measured: see `test_unsloths_16_bit_column_is_no_measurement`.
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
PLAIN_IN_32_BIT = Setting(backend="peft", logits="full", float32_embeddings=True)
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
LORA_16_BIT = [
    Published("16-bit HF, 4 × 1k", 18, LLAMA_2, PLAIN, 4, 1024, adapter="lora"),
    Published("16-bit Unsloth, 4 × 1k", 16, LLAMA_2, UNSLOTH_2024, 4, 1024, adapter="lora"),
]
LONGEST = [
    *(
        Published(f"Unsloth's longest on {gib} GB", gib, LLAMA_3, UNSLOTH, 1, length, 32)
        for gib, length in [(8, 2972), (12, 21848), (16, 40724), (24, 78475), (40, 153977), (48, 191728), (80, 342733)]
    ),
    *(
        Published(f"FlashAttention-2's longest on {gib} GB", gib, LLAMA_3, PLAIN_IN_32_BIT, 1, length, 32)
        for gib, length in [(12, 932), (16, 2551), (24, 5789), (40, 12264), (48, 15502), (80, 28454)]
    ),
]
IN_SIGHT = [*WIKI, *LEAST]
HELD_OUT = [*IN_SIGHT[1::3], *LORA_16_BIT, *LONGEST]
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


def test_a_third_of_the_figures_and_more_is_held_out() -> None:
    assert len(HELD_OUT) * 3 >= len(IN_SIGHT) + len(LORA_16_BIT) + len(LONGEST)


@pytest.mark.parametrize("figure", [each for each in IN_SIGHT if each not in HELD_OUT], ids=name)
def test_figures_in_sight_are_met_within_15_per_cent(figure: Published) -> None:
    assert figure.compared() == pytest.approx(figure.gib, rel=0.15)


@pytest.mark.parametrize("figure", HELD_OUT, ids=name)
def test_figures_held_out_are_met_within_15_per_cent(figure: Published) -> None:
    assert figure.compared() == pytest.approx(figure.gib, rel=0.15)


@pytest.mark.parametrize("figure", LONGER, ids=name)
def test_rows_of_other_lengths_are_never_underestimated_by_more_than_10_per_cent(figure: Published) -> None:
    """The wiki's other rows. Where 64k tokens and more are at once, adding the parts up says about a fifth too much."""
    assert 0.9 <= figure.compared() / figure.gib <= 1.25


def test_unsloths_16_bit_column_is_no_measurement() -> None:
    """ "Unsloth requirements" also has a column for 16-bit LoRA: 7B 19 GB, 8B 22 GB. It can't be what a run took:

    - 7B was measured with Unsloth at 16 GB (the wiki, 4,096 tokens at once), below the "absolute minimum" of 19;
    - beside QLoRA of the same model only the weights differ, and both figures, moved towards each other by 15 %, still
      lie further apart than the linear layers shrink from 16 to 4 bit: no estimate of the same settings meets both;
    - from 14B to 405B it is 2.35 GB for each billion parameters, whatever the model: a rule of thumb.
    """
    measured = next(figure for figure in LORA_16_BIT if figure.setting is UNSLOTH_2024)
    assert measured.gib * 1.15 < 19
    shape = known_shape(LLAMA_3)
    assert shape is not None
    shrinks = shape.linear_parameters * (2 - c.NF4_BYTES) / GIB
    four_bit = next(figure for figure in LEAST if figure.model == LLAMA_3)
    assert 22 * 0.85 - four_bit.gib * 1.15 > shrinks
    for billions, gigabytes in [(14, 33), (27, 64), (40, 96), (70, 164), (405, 950)]:
        assert gigabytes / billions == pytest.approx(2.36, rel=0.02)
