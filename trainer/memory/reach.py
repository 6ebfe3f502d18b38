"""How far a machine reaches: the largest models that it trains and answers with, and a good one to begin with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jobs.errors import OutOfRoom
from models.hardware import GB, Hardware
from models.shape import ModelShape
from trainer.memory.constants import CUDA_CONTEXT, MARGIN_SHARE
from trainer.memory.fit import fit
from trainer.memory.known_shapes import known_shape
from trainer.memory.limits import QUANTISED_BYTES, free_for_run
from trainer.memory.setting import setting_for
from trainer.presets import PresetName
from trainer.spec import TrainSpec

# One of each size, smallest first, all free to download (Apache-2.0); the first is much like the embedded one.
EXAMPLES = (
    "HuggingFaceTB/SmolLM2-135M",
    "HuggingFaceTB/SmolLM2-360M",
    "Qwen/Qwen3-0.6B",
    "Qwen/Qwen3-1.7B",
    "Qwen/Qwen3-4B",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-14B",
    "Qwen/Qwen3-30B-A3B",
)
EMBEDDED = "embedded"
# Rows of an instruction dataset are rarely longer; with less, most would be cut.
USEFUL_LENGTH = 1024
CHAT_LENGTH = 4096
# What a processor learns in an evening: 135 million parameters make 300 tokens a second on two cores (measured).
PROCESSOR_PARAMETERS = 1_000_000_000
# A first run on a model that takes no more than this of the card has room for longer rows; beyond 4 billion parameters
# (8 GB to download) it isn't quick any more.
COMFORT = 0.6
FIRST_EXAMPLES = EXAMPLES[:5]
PRESETS_FROM_GB: tuple[tuple[float, PresetName], ...] = ((15, "card_16gb"), (11, "card_12gb"), (0, "card_8gb"))


@dataclass(frozen=True)
class Reach:
    """Hub ids of the largest models, None where not even the smallest fits; `begin` with `preset` is a good first."""

    trains: str | None
    answers: str | None
    begin: str
    preset: PresetName


def reach(hardware: Hardware) -> Reach:
    """What fits the first card's free memory, or the system's where there is no card."""
    room = _room(hardware)
    trained = [name for name in EXAMPLES if _trains(name, hardware, room)]
    comfortable = [name for name in FIRST_EXAMPLES if _trains(name, hardware, round(room * COMFORT))]
    answering = [name for name in EXAMPLES if _answers(name, room)]
    return Reach(
        trains=trained[-1] if trained else None,
        answers=answering[-1] if answering else None,
        begin=comfortable[-1] if comfortable and hardware.gpus else EMBEDDED,
        preset=preset_for(hardware),
    )


def emptied(hardware: Hardware) -> Hardware:
    """The same machine with nothing else on its first card."""
    cards = [replace(card, memory_free=card.memory_total) for card in hardware.gpus[:1]]
    return replace(hardware, gpus=[*cards, *hardware.gpus[1:]])


def preset_for(hardware: Hardware) -> PresetName:
    """The preset made for the first card's size; a quick look where there is none."""
    if not hardware.gpus:
        return "quick_lora"
    total = hardware.gpus[0].memory_total / GB
    return next(name for least, name in PRESETS_FROM_GB if total >= least)


def _room(hardware: Hardware) -> int:
    try:
        return free_for_run(hardware, None)
    except OutOfRoom:
        return 0


def _trains(name: str, hardware: Hardware, room: int) -> bool:
    shape = _shape(name)
    if not hardware.gpus and shape.parameters > PROCESSOR_PARAMETERS:
        return False
    preset: PresetName = "card_8gb" if hardware.gpus else "quick_lora"
    spec = TrainSpec(data="any", model=name, preset=preset)
    found = fit(shape, spec, setting_for(spec, hardware), room)
    return found.fits and found.spec.max_length >= min(USEFUL_LENGTH, spec.max_length)


def _answers(name: str, room: int) -> bool:
    """As a file of 4 to 5 bit with what it keeps of a long chat: keys and values of each layer in 16 bit."""
    shape = _shape(name)
    kept = 2 * 2 * shape.layers * shape.kv_heads * shape.head_dim * CHAT_LENGTH
    return (shape.parameters * QUANTISED_BYTES + kept + CUDA_CONTEXT) * (1 + MARGIN_SHARE) <= room


def _shape(name: str) -> ModelShape:
    shape = known_shape(name)
    assert shape is not None
    return shape
