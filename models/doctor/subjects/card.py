"""The graphics card: whether there is one, whether its driver answers, and which of several is used."""

from __future__ import annotations

from models.doctor.facts import Facts
from models.doctor.finding import Finding, dotted, version_of
from models.hardware import GB, Gpu

NAME = "Graphics card"
# The oldest cards that Unsloth takes (https://docs.unsloth.ai: CUDA capability 7.0), and that CUDA 13 computes on.
OLDEST = (7, 0)
OLDEST_CUDA_13 = (7, 5)
DRIVERS = {
    "linux": ("sudo ubuntu-drivers install && sudo reboot", "On a Linux other than Ubuntu, use its own package."),
    "wsl": ("", "Install the newest driver in Windows (nvidia.com/drivers), none in Linux; then run wsl --shutdown."),
    "windows": ("", "Install the newest driver from nvidia.com/drivers, then restart."),
    "mac": ("", ""),
}


def find(facts: Facts) -> list[Finding]:
    card = facts.cards.first
    if card is None:
        return [_none(facts)]
    seen = f"{card.name} with {card.memory_total / GB:.1f} GB, driver {card.driver}."
    cuda = version_of(facts.libraries.torch_cuda or "")
    oldest = OLDEST_CUDA_13 if cuda >= (13,) else OLDEST
    if card.compute < oldest:
        return [
            Finding(
                NAME,
                "bad",
                f"{seen} It computes as a card of generation {dotted(card.compute)}.",
                f"The training libraries that are installed start at {dotted(oldest)}.",
                todo="Train small models on the processor, or on a newer card.",
            ),
            *_several(facts, card),
        ]
    return [Finding(NAME, "good", seen), *_several(facts, card)]


def _none(facts: Facts) -> Finding:
    if facts.cards.silent:
        command, todo = DRIVERS[facts.system]
        seen = "An NVIDIA card is in this machine, but no driver answers for it."
        return Finding(NAME, "bad", seen, "Without its driver the card can't be used.", command, todo)
    if facts.cards.hidden:
        seen = f"CUDA_VISIBLE_DEVICES hides {_cards(facts.cards.hidden)}."
        return Finding(NAME, "notice", seen, "Everything is computed by the processor.", "unset CUDA_VISIBLE_DEVICES")
    why = "The processor trains small models only: the one that comes with Hearth takes minutes."
    return Finding(NAME, "notice", "No NVIDIA card was found.", why, todo=_borrowing(facts))


def _borrowing(facts: Facts) -> str:
    rent = "`python cli.py rent` writes the plan for a rented one."
    return f"Hearth trains on NVIDIA cards and on processors. {rent}" if facts.system == "mac" else rent


def _several(facts: Facts, first: Gpu) -> list[Finding]:
    """A second finding where there is more than one card."""
    cards = facts.cards.usable
    if len(cards) < 2:
        return []
    largest = max(cards, key=lambda card: card.memory_total)
    # Hearth counts cards by their place on the bus, as nvidia-smi does; CUDA by itself begins with the fastest.
    listed = ", ".join(f"{card.name} ({card.memory_total / GB:.0f} GB)" for card in cards)
    seen = f"{_cards(len(cards))}: {listed}. Hearth uses the first."
    if largest.memory_total > first.memory_total:
        why = f"{largest.name} has more memory, so larger models would fit it."
        command = f"CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES={largest.index} python app.py"
        return [Finding("Several cards", "notice", seen, why, command)]
    why = "A run uses one card; `accelerate launch -m trainer.distributed` (README) uses several."
    return [Finding("Several cards", "good", seen, why)]


def _cards(count: int) -> str:
    return f"{count} card" + ("" if count == 1 else "s")
