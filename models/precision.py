"""Which number format a model computes in, with the reason: bf16 where possible, fp16 on older cards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jobs.errors import BadInput
from models.hardware import Hardware

Precision = Literal["auto", "bf16", "fp16", "fp32"]


@dataclass(frozen=True)
class Choice:
    """A value with where it came from, as it is shown and recorded."""

    value: str
    origin: str


def choose_precision(wanted: str, hardware: Hardware) -> Choice:
    """Resolve `auto`; check a wish. Raises BadInput for one that this machine can't do."""
    gpu = hardware.gpus[0] if hardware.gpus else None
    if wanted == "auto":
        if gpu is None:
            return Choice("bf16", "no GPU: bf16 halves memory, and training in it was checked on CPUs")
        if gpu.compute >= (8, 0):
            return Choice("bf16", f"{gpu.name} computes in bf16")
        return Choice("fp16", f"{gpu.name} has no bf16; fp16 with loss scaling")
    if wanted == "fp16" and gpu is None:
        raise BadInput(
            "precision: fp16 was asked for.", "A CPU trains in bf16 or fp32 only.", "Choose auto, bf16 or fp32."
        )
    if wanted == "bf16" and gpu is not None and gpu.compute < (8, 0):
        raise BadInput("precision: bf16 was asked for.", f"{gpu.name} has no bf16.", "Choose auto or fp16.")
    return Choice(wanted, "asked for")
