"""The least memory for training, as lists of models say it, is the estimate's own."""

from __future__ import annotations

from models.hardware import GB, Gpu, Hardware
from trainer.memory.known_shapes import known_shape
from trainer.memory.need import Need, least_need


def need_of(name: str, machine: Hardware) -> Need:
    shape = known_shape(name)
    assert shape is not None
    return least_need(shape, machine)


def machine(gigabytes: float | None) -> Hardware:
    memory = round((gigabytes or 0) * GB)
    cards = [Gpu(0, "a card", memory, memory, (8, 9), "")] if gigabytes else []
    return Hardware(cards, 8, round(32 * GB), round(24 * GB), 10**12, "a processor")


def test_an_8b_model_trains_in_4_bit_on_8_gb_and_in_16_bit_on_24() -> None:
    """As Unsloth documents it: 6 GB in 4 bit, 22 GB in 16 bit."""
    need = need_of("Qwen/Qwen3-8B", machine(8))
    assert 5.5e9 < need.of("qlora") < 8e9
    assert 16e9 < need.of("lora") < 24e9


def test_more_parameters_need_more() -> None:
    names = ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-1.7B", "Qwen/Qwen3-4B", "Qwen/Qwen3-14B")
    needs = [need_of(name, machine(12)).qlora for name in names]
    assert needs == sorted(needs)


def test_a_machine_without_a_card_is_told_in_its_own_terms() -> None:
    assert need_of("embedded", machine(None)).lora < 8e9
