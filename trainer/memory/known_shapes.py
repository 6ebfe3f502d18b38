"""Shapes of well-known models by Hub id, so that an estimate needs no download.

Each row is what the model's own published config.json says, and the number of parameters on its model card's page
(the sum over its safetensors headers). A name without its `-Instruct`, `-it` or `-Base` has the same shape.
"""

from __future__ import annotations

import re

from trainer.memory.shape import ModelShape

# Hub id, family, layers, hidden, intermediate, heads, key-value heads, head size, vocabulary, tied, parameters
_ROWS: tuple[tuple[str, str, int, int, int, int, int, int, int, bool, int], ...] = (
    ("HuggingFaceTB/SmolLM2-135M", "llama", 30, 576, 1536, 9, 3, 64, 49152, True, 134_515_008),
    ("HuggingFaceTB/SmolLM2-360M", "llama", 32, 960, 2560, 15, 5, 64, 49152, True, 361_821_120),
    ("HuggingFaceTB/SmolLM2-1.7B", "llama", 24, 2048, 8192, 32, 32, 64, 49152, True, 1_711_376_384),
    ("HuggingFaceTB/SmolLM3-3B", "smollm3", 36, 2048, 11008, 16, 4, 128, 128256, True, 3_075_098_624),
    ("Qwen/Qwen2.5-0.5B", "qwen2", 24, 896, 4864, 14, 2, 64, 151936, True, 494_032_768),
    ("Qwen/Qwen2.5-1.5B", "qwen2", 28, 1536, 8960, 12, 2, 128, 151936, True, 1_543_714_304),
    ("Qwen/Qwen2.5-3B", "qwen2", 36, 2048, 11008, 16, 2, 128, 151936, True, 3_085_938_688),
    ("Qwen/Qwen2.5-7B", "qwen2", 28, 3584, 18944, 28, 4, 128, 152064, False, 7_615_616_512),
    ("Qwen/Qwen2.5-14B", "qwen2", 48, 5120, 13824, 40, 8, 128, 152064, False, 14_770_033_664),
    ("Qwen/Qwen3-0.6B", "qwen3", 28, 1024, 3072, 16, 8, 128, 151936, True, 596_049_920),
    ("Qwen/Qwen3-1.7B", "qwen3", 28, 2048, 6144, 16, 8, 128, 151936, True, 1_720_574_976),
    ("Qwen/Qwen3-4B", "qwen3", 36, 2560, 9728, 32, 8, 128, 151936, True, 4_022_468_096),
    ("Qwen/Qwen3-8B", "qwen3", 36, 4096, 12288, 32, 8, 128, 151936, False, 8_190_735_360),
    ("Qwen/Qwen3-14B", "qwen3", 40, 5120, 17408, 40, 8, 128, 151936, False, 14_768_307_200),
    ("meta-llama/Llama-2-7b-hf", "llama", 32, 4096, 11008, 32, 32, 128, 32000, False, 6_738_415_616),
    ("meta-llama/Llama-3.2-1B", "llama", 16, 2048, 8192, 32, 8, 64, 128256, True, 1_235_814_400),
    ("meta-llama/Llama-3.2-3B", "llama", 28, 3072, 8192, 24, 8, 128, 128256, True, 3_212_749_824),
    ("meta-llama/Llama-3.1-8B", "llama", 32, 4096, 14336, 32, 8, 128, 128256, False, 8_030_261_248),
    ("mistralai/Mistral-7B-v0.3", "mistral", 32, 4096, 14336, 32, 8, 128, 32768, False, 7_248_023_552),
    ("google/gemma-2-2b", "gemma2", 26, 2304, 9216, 8, 4, 256, 256000, True, 2_614_341_888),
    ("google/gemma-2-9b", "gemma2", 42, 3584, 14336, 16, 8, 256, 256000, True, 9_241_705_984),
    ("google/gemma-3-1b", "gemma3_text", 26, 1152, 6912, 4, 1, 256, 262144, True, 999_885_952),
    ("google/gemma-3-4b", "gemma3", 34, 2560, 10240, 8, 4, 256, 262208, True, 4_300_079_472),
    ("google/gemma-3-12b", "gemma3", 48, 3840, 15360, 16, 8, 256, 262208, True, 12_187_325_040),
    ("microsoft/Phi-3-mini-4k", "phi3", 32, 3072, 8192, 32, 32, 96, 32064, False, 3_821_079_552),
    ("microsoft/Phi-3-medium-4k", "phi3", 40, 5120, 17920, 40, 10, 128, 32064, False, 13_960_238_080),
    ("microsoft/phi-4", "phi3", 40, 5120, 17920, 40, 10, 128, 100352, False, 14_659_507_200),
    ("upstage/SOLAR-10.7B-v1.0", "llama", 48, 4096, 14336, 32, 8, 128, 32000, False, 10_731_524_096),
)

_SHAPES = {
    row[0].lower(): ModelShape(
        name=row[0].split("/")[-1], family=row[1], layers=row[2], hidden=row[3], intermediate=row[4], heads=row[5],
        kv_heads=row[6], head_dim=row[7], vocabulary=row[8], tied=row[9], total=row[10],
    )
    for row in _ROWS
}  # fmt: skip
# Qwen3-30B-A3B's config.json: 128 experts of 768, 8 of them for a token.
_SHAPES["qwen/qwen3-30b-a3b"] = ModelShape(
    "Qwen3-30B-A3B", "qwen3_moe", 48, 2048, 768, 32, 4, 128, 151936, False, 30_532_122_624, 128, 8
)
_VARIANTS = re.compile(r"(-(instruct|base|it|pt|chat|hf|bnb-4bit|unsloth))+(?=-v[\d.]+$|$)", re.IGNORECASE)


def known_shape(hub_id: str) -> ModelShape | None:
    """The shape of a well-known model; None for another. Copies under other owners have the same shape."""
    if hub_id == "embedded":
        hub_id = "HuggingFaceTB/SmolLM2-135M"
    wanted = _key(hub_id)
    return next((shape for known, shape in _SHAPES.items() if _key(known) == wanted), None)


def known_ids() -> list[str]:
    """The Hub ids of the table, smallest model first."""
    ids = [row[0] for row in _ROWS] + ["Qwen/Qwen3-30B-A3B"]
    return sorted(ids, key=lambda hub_id: _SHAPES[hub_id.lower()].parameters)


def _key(hub_id: str) -> str:
    """The name without its owner and variant, as copies of a model share it."""
    name = hub_id.lower().rsplit("/", 1)[-1].removeprefix("meta-")
    return _VARIANTS.sub("", name)
