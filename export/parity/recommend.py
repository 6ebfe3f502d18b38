"""Which of the files to use on this machine: what fits, what it costs, said in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from export.checks import IN_WORDS
from export.parity.report import FileReport, told_size
from models.hardware import GB, Hardware

# A loss that nobody notices: the smallest file that stays below it is the one to use.
SMALL_COST = 0.01
NOTHING = 0.0005
# What llama.cpp needs besides weights, keys and values: its buffers for a batch, and CUDA's own part on a card.
BESIDE_BYTES = 700_000_000
SHARE_OF_MEMORY = 0.95


@dataclass(frozen=True)
class Machine:
    """Where the files shall run: what it is called, and its memory in bytes."""

    name: str
    memory: int

    @classmethod
    def of(cls, hardware: Hardware) -> Machine:
        if hardware.gpus:
            card = hardware.gpus[0]
            return cls(card.name, card.memory_total)
        return cls("this computer without a graphics card", hardware.memory_total)


@dataclass(frozen=True)
class Recommendation:
    """`file` is None where nothing can be recommended; `sentence` says which and what it costs, `others` what the other
    files would cost, `caution` what was not checked of it."""

    file: str | None
    sentence: str
    others: str = ""
    caution: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def cache_bytes(config: Mapping[str, Any], context_length: int) -> int:
    """Keys and values of `context_length` tokens in 16 bit, after a language model's config.json."""
    heads = config.get("num_attention_heads", 1)
    size = config.get("head_dim") or config.get("hidden_size", 0) // heads
    shared = config.get("num_key_value_heads") or heads
    return int(2 * 2 * config.get("num_hidden_layers", 0) * shared * size * context_length)


def memory_to_run(size_bytes: int, cache: int) -> int:
    """Bytes that a file takes when it is used."""
    return size_bytes + cache + BESIDE_BYTES


def recommend(files: Sequence[FileReport], machine: Machine) -> Recommendation:
    """The smallest file that fits, passes its checks and costs less than `SMALL_COST`; else the one of least cost."""
    memory = f"{machine.memory / GB:.0f} GB"
    fitting = [file for file in files if file.memory_bytes <= SHARE_OF_MEMORY * machine.memory]
    if not fitting:
        return Recommendation(None, f"None of these files fits {machine.name} ({memory}). Make a smaller quantisation.")
    usable = [file for file in fitting if not file.failed]
    if not usable:
        return Recommendation(None, "No file passed its checks: look at the differences before you use one.")
    measured = sorted((file for file in usable if file.cost is not None), key=lambda file: file.size_bytes)
    if not measured:
        return Recommendation(None, "No recommendation: what each file costs was not measured.")
    cheap = [file for file in measured if (file.cost or 0.0) < SMALL_COST and not file.worse_at_task]
    best = cheap[0] if cheap else min(measured, key=lambda file: (file.worse_at_task, file.cost or 0.0))
    others = [f"{file.label} {_told(file)}" for file in reversed(measured) if file is not best]
    unchecked = [IN_WORDS[name] for name in best.unchecked]
    return Recommendation(
        best.name,
        f"For {machine.name} ({memory}) use {best.label}: {told_size(best.size_bytes)}, {_told(best, ' perplexity')}.",
        f"{'; '.join(others)}." if others else "",
        f"Not checked of it: {', '.join(unchecked)}." if unchecked else "",
    )


def _told(file: FileReport, what: str = "") -> str:
    """What a file costs, in words."""
    cost = file.cost or 0.0
    nothing = file.cost_is_noise or cost < NOTHING
    words = (
        f"costs {'no measurable' + what if what else 'nothing measurable'}"
        if nothing
        else f"costs {100 * cost:.1f} %{what}"
    )
    return f"{words} and is worse at the task" if file.worse_at_task else words
