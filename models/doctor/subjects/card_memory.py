"""The card's memory: who holds it, and what happens when it is full."""

from __future__ import annotations

from models.doctor.facts import Cards, Facts, Holder
from models.doctor.finding import Finding
from models.hardware import GB

NAME = "Card's memory"
# A desktop with a browser takes about this much; more is worth asking whose it is.
USUAL_SHARE = 0.15
SHOWN = 4
OLLAMA = "ollama"


def find(facts: Facts) -> list[Finding]:
    if facts.cards.first is None:
        return []
    return [_held(facts), *_spilling(facts)]


def _held(facts: Facts) -> Finding:
    card = facts.cards.first
    assert card is not None
    taken = card.memory_total - card.memory_free
    seen = f"{card.memory_free / GB:.1f} of {card.memory_total / GB:.1f} GB are free"
    who = holders_in_words(facts.cards)
    seen = f"{seen}; held by {who}." if who else f"{seen}."
    others = [holder for holder in facts.cards.holders if not holder.ours]
    ours = sum(holder.bytes or 0 for holder in facts.cards.holders if holder.ours)
    if taken - ours <= USUAL_SHARE * card.memory_total:
        return Finding(NAME, "good", seen)
    why = "A run gets what is free only, so smaller models fit."
    if any(OLLAMA in holder.name.lower() for holder in others):
        return Finding(NAME, "notice", seen, why, "python cli.py ollama unload")
    return Finding(NAME, "notice", seen, why, todo="Close what else uses the card before you train.")


def holders_in_words(cards: Cards) -> str:
    """Who holds how much of the first card, largest first; empty where the driver doesn't tell."""
    known = sorted(cards.holders, key=lambda holder: -(holder.bytes or 0))
    words = [_holder(holder) for holder in known[:SHOWN]]
    rest = len(known) - SHOWN
    return ", ".join([*words, f"{rest} more"] if rest > 0 else words)


def _holder(holder: Holder) -> str:
    name = "a job of Hearth" if holder.ours else holder.name
    return name if holder.bytes is None else f"{name} ({holder.bytes / GB:.1f} GB)"


def _spilling(facts: Facts) -> list[Finding]:
    if facts.system not in ("windows", "wsl"):
        return []
    return [
        Finding(
            "When the card is full",
            "notice",
            "This driver moves a full card's memory into system memory instead of reporting that it is full.",
            "A run would go on many times slower without an error; Hearth stays below what is free.",
            todo="In the NVIDIA Control Panel, under Manage 3D settings, set “CUDA - Sysmem Fallback Policy” to "
            "“Prefer No Sysmem Fallback”.",
        )
    ]
