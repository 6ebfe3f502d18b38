"""The least memory that training a model takes, as lists of models say it: short rows, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.hardware import Hardware
from models.shape import ModelShape
from trainer.memory.estimate import estimate
from trainer.memory.fit import margin
from trainer.memory.setting import setting_for
from trainer.spec import TrainSpec

Adapter = Literal["qlora", "lora"]
ADAPTERS: tuple[Adapter, ...] = ("qlora", "lora")
# Rows of an instruction dataset are rarely longer.
ROW_TOKENS = 1024


@dataclass(frozen=True)
class Need:
    """Bytes that a run takes at least, its margin included."""

    qlora: int
    lora: int

    def of(self, adapter: Adapter) -> int:
        return self.qlora if adapter == "qlora" else self.lora


def least_need(shape: ModelShape, hardware: Hardware) -> Need:
    """What training a model of `shape` takes at least on this machine, in 4 bit and in 16 bit."""
    return Need(*(_least(shape, adapter, hardware) for adapter in ADAPTERS))


def _least(shape: ModelShape, adapter: Adapter, hardware: Hardware) -> int:
    optimiser = {"optimiser": "adamw_8bit"} if hardware.gpus else {}
    spec = TrainSpec.parse(
        {
            "data": "any",
            "max_length": ROW_TOKENS,
            "method": {"adapter": adapter},
            "optimisation": {"batch_size": 1, "gradient_checkpointing": True, **optimiser},
        }
    )
    estimated = estimate(shape, spec, setting_for(spec, hardware))
    return estimated.total + margin(estimated)
