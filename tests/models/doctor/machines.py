"""Machines that tests play: what would be read from each. None of them is here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from models.doctor.facts import Cards, Facts, Holder, Libraries, Ollama, Place, Tried
from models.hardware import GB, Gpu

WORKSPACE = Path("/home/anna/hearth/workspace")
VERSIONS = {
    "torch": "2.10.0+cu128",
    "unsloth": "2026.10.9",
    "unsloth_zoo": "2026.10.9",
    "bitsandbytes": "0.50.2",
    "xformers": "0.0.35",
}
LIBRARIES = Libraries(VERSIONS, "12.8", "2.10.0+cu128", ("124", "126", "128", "130"))


def card(gb: float, name: str = "", *, index: int = 0, free: float | None = None, driver: str = "570.86") -> Gpu:
    """A card of the Ada generation with so many GB, most of them free."""
    left = gb - 0.3 if free is None else free
    return Gpu(index, name or f"NVIDIA GeForce {gb:g} GB", round(gb * GB), round(left * GB), (8, 9), driver)


NO_CARD = Facts(
    system="linux",
    python=(3, 11, 9),
    program=".venv/bin/python",
    cards=Cards(),
    libraries=LIBRARIES,
    place=Place(WORKSPACE, "ext4", round(900 * GB), round(400 * GB)),
    ollama=Ollama("http://127.0.0.1:11434", True, "0.30.1"),
    tools=(),
    memory_total=round(32 * GB),
    memory_free=round(24 * GB),
)


def with_cards(*cards: Gpu, holders: tuple[Holder, ...] = (), cuda: tuple[int, int] = (12, 8)) -> Facts:
    """A machine with these cards and nothing wrong."""
    return replace(NO_CARD, cards=Cards(cards, 0, cuda, holders))


def one_card(gb: float) -> Facts:
    return with_cards(card(gb), holders=(Holder("Xorg", round(0.3 * GB)),))


def tried(facts: Facts, **told: object) -> Facts:
    """The machine after everything was tried, all of it with success but for what is `told`."""
    fine = Tried(
        {"torch": None, "unsloth": None, "bitsandbytes": None},
        sees_card=True if facts.cards.usable else None,
        hub=True,
        locks=True,
    )
    return replace(facts, tried=replace(fine, **told))  # type: ignore[arg-type]


SEVERAL = with_cards(card(8, "NVIDIA GeForce RTX 4060"), card(24, "NVIDIA GeForce RTX 4090", index=1))
OLD_DRIVER = replace(
    with_cards(card(12, driver="470.256"), cuda=(11, 4)),
)
PROCESSOR_TORCH = replace(
    one_card(12),
    libraries=replace(LIBRARIES, versions=VERSIONS | {"torch": "2.10.0+cpu"}, torch_cuda=None),
)
FULL_DISK = replace(one_card(12), place=Place(WORKSPACE, "ext4", round(500 * GB), round(0.4 * GB)))
NO_NETWORK = tried(one_card(12), hub=False)
WINDOWS_DRIVE = Path("/mnt/c/Users/Anna's files/workspace")
ON_WINDOWS_DRIVE = replace(
    one_card(12), system="wsl", place=Place(WINDOWS_DRIVE, "9p", round(1000 * GB), round(300 * GB))
)
HELD_BY_OLLAMA = with_cards(card(12, free=4), holders=(Holder("ollama", round(7.4 * GB)), Holder("Xorg", None)))
