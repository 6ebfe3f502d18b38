"""Presets: settings that belong together, under names. Whatever a person says besides wins over them.

The three for cards were chosen with the memory estimate (trainer/memory) for an 8B (8 GB: 3B to 8B) model in 4 bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

PresetName = Literal[
    "quick_lora",
    "production_lora",
    "memory_efficient_qlora",
    "research_config",
    "card_8gb",
    "card_12gb",
    "card_16gb",
]


@dataclass(frozen=True)
class Preset:
    """`values` as a spec's nested mapping; `help` in a few words."""

    help: str
    values: dict[str, Any]


PRESETS: dict[PresetName, Preset] = {
    "quick_lora": Preset(
        "a first look in minutes.",
        {
            "max_length": 512,
            "method": {"rank": 8, "alpha": 16},
            "optimisation": {"batch_size": 8, "max_steps": 100},
            "saving": {"checkpoint_every": 50},
        },
    ),
    "production_lora": Preset(
        "a careful run that keeps the best weights.",
        {
            "max_length": 2048,
            "method": {"rank": 32, "alpha": 64, "dropout": 0.05},
            "optimisation": {
                "batch_size": 4,
                "gradient_accumulation": 4,
                "epochs": 3,
                "weight_decay": 0.01,
                "gradient_checkpointing": True,
            },
            "saving": {"checkpoint_every": 100, "evaluate_rows": 256, "result": "best", "early_stopping": 3},
        },
    ),
    "memory_efficient_qlora": Preset(
        "the least memory, at the price of speed.",
        {
            "max_length": 1024,
            "method": {"adapter": "qlora", "rank": 8, "alpha": 16},
            "optimisation": {
                "batch_size": 1,
                "gradient_accumulation": 16,
                "optimiser": "paged_adamw_8bit",
                "gradient_checkpointing": True,
            },
        },
    ),
    "research_config": Preset(
        "high rank, DoRA, everything measured and kept.",
        {
            "max_length": 2048,
            "method": {"rank": 64, "alpha": 64, "rslora": True, "dora": True},
            "optimisation": {
                "batch_size": 4,
                "gradient_accumulation": 4,
                "epochs": 3,
                "weight_decay": 0.01,
                "gradient_checkpointing": True,
            },
            "saving": {
                "checkpoint_every": 50,
                "keep_checkpoints": 5,
                "evaluate_every": 25,
                "evaluate_rows": 512,
                "samples": 5,
                "result": "best",
                "trackers": ["trackio"],
            },
        },
    ),
    "card_8gb": Preset(
        "models up to 8B on 8 GB.",
        {
            "max_length": 1024,
            "method": {"adapter": "qlora", "rank": 16, "alpha": 32},
            "optimisation": {
                "batch_size": 1,
                "gradient_accumulation": 16,
                "optimiser": "adamw_8bit",
                "gradient_checkpointing": True,
            },
        },
    ),
    "card_12gb": Preset(
        "models up to 8B on 12 GB, longer rows.",
        {
            "max_length": 2048,
            "method": {"adapter": "qlora", "rank": 16, "alpha": 32},
            "optimisation": {
                "batch_size": 2,
                "gradient_accumulation": 8,
                "optimiser": "adamw_8bit",
                "gradient_checkpointing": True,
            },
        },
    ),
    "card_16gb": Preset(
        "models up to 14B on 16 GB.",
        {
            "max_length": 2048,
            "method": {"adapter": "qlora", "rank": 32, "alpha": 64},
            "optimisation": {
                "batch_size": 2,
                "gradient_accumulation": 8,
                "optimiser": "adamw_8bit",
                "gradient_checkpointing": True,
            },
        },
    ),
}


def with_preset(values: dict[str, Any]) -> dict[str, Any]:
    """`values` with what its preset says wherever they say nothing. An unknown preset is the spec's to refuse."""
    preset = PRESETS.get(values.get("preset"))  # type: ignore[arg-type]
    return _merged(preset.values, values) if preset else values


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Both nested mappings in one; what `above` says wins."""
    both = {key: value for key, value in below.items() if key not in above}
    for key, value in above.items():
        inner = below.get(key)
        both[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return both
