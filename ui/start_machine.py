"""This machine on the Start tab: its facts, read again after a few seconds, and how far it reaches, as HTML."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from html import escape
from pathlib import Path
from threading import Lock

from models.doctor.facts import Cards, Facts
from models.doctor.reading import read_facts
from models.doctor.subjects.card_memory import holders_in_words
from models.download import cached_snapshot
from models.hardware import GB, Hardware
from trainer.memory.reach import EMBEDDED, Reach, emptied, reach
from ui.hub_state import hub_state

# Several open pages ask every two seconds.
KEPT_SECONDS = 5.0
# What flickers with every step would be sent to every open page.
STEP_BYTES = 500_000_000
DEMO = (
    '<section class="hearth-start"><h2>A shared demo</h2><p>Everybody who visits has a workspace of their own for a '
    "while, and small limits. Run Hearth on your own machine for your own models and data.</p></section>"
)
_READING = Lock()
_KEPT: dict[Path, tuple[float, Facts]] = {}


def facts_of(workspace: Path) -> Facts:
    """The machine as it was a few seconds ago at most."""
    with _READING:
        moment, facts = _KEPT.get(workspace, (0.0, None))
        if facts is None or time.monotonic() - moment > KEPT_SECONDS:
            facts = calm(read_facts(workspace))
            _KEPT[workspace] = (time.monotonic(), facts)
        return facts


def calm(facts: Facts) -> Facts:
    """The facts with free memory and disk in halves of a GB."""
    cards = tuple(replace(card, memory_free=_rounded(card.memory_free)) for card in facts.cards.usable)
    return replace(
        facts,
        cards=replace(facts.cards, usable=cards),
        memory_free=_rounded(facts.memory_free),
        place=replace(facts.place, free=_rounded(facts.place.free)),
    )


def _rounded(count: int) -> int:
    return round(count / STEP_BYTES) * STEP_BYTES if count > STEP_BYTES else count


def reach_of(facts: Facts) -> Reach:
    """What fits with all of the card's memory free: what a person can choose from."""
    return _reach(facts.cards, facts.memory_total, facts.memory_free, empty=True)


def within_reach(found: Reach) -> Reach:
    """The same, beginning with the model that comes along where another can't be fetched."""
    here = found.begin == EMBEDDED or hub_state() not in ("offline", "off") or cached_snapshot(found.begin) is not None
    return found if here else replace(found, begin=EMBEDDED)


@cache
def _reach(cards: Cards, memory_total: int, memory_free: int, *, empty: bool) -> Reach:
    hardware = Hardware(list(cards.usable), 1, memory_total, memory_free, 0, "")
    return reach(emptied(hardware) if empty else hardware)


def machine_html(facts: Facts) -> str:
    """The card: what the machine has, who holds the rest, and how far that reaches."""
    lines = [
        ("Graphics card", _card(facts)),
        *([("Its memory", _card_memory(facts))] if facts.cards.first else []),
        ("System memory", _room(facts.memory_free, facts.memory_total, "System memory")),
        ("Disk", _room(facts.place.free, facts.place.total, "Disk")),
        ("Ollama", _ollama(facts)),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in lines)
    return (
        f'<section class="hearth-start hearth-card" aria-label="This machine"><h2>This machine</h2><dl>{listed}</dl>'
        f'<div class="reach">{_reach_html(facts)}</div></section>'
    )


def _card(facts: Facts) -> str:
    card = facts.cards.first
    if card is None:
        return "none that answers" if facts.cards.silent else "none; the processor computes"
    more = len(facts.cards.usable) - 1
    beside = f", and {more} more" if more else ""
    return f'{escape(card.name)}{beside} <span class="quiet">driver {escape(card.driver)}</span>'


def _card_memory(facts: Facts) -> str:
    card = facts.cards.first
    assert card is not None
    who = holders_in_words(facts.cards)
    held = f'<span class="quiet">held by {escape(who)}</span>' if who else ""
    return _room(card.memory_free, card.memory_total, "The card's memory") + held


def _room(free: int, total: int, name: str) -> str:
    """What is free in words, and what is taken as a bar."""
    taken = 100 * (1 - free / total) if total else 0
    label = f'role="img" aria-label="{escape(name)}: {taken:.0f} % taken"'
    bar = f'<div class="bar" {label}><i style="width:{taken:.0f}%"></i></div>'
    return f"{free / GB:.1f} of {total / GB:.1f} GB free{bar}"


def _ollama(facts: Facts) -> str:
    if facts.ollama.version is not None:
        return f"version {escape(facts.ollama.version)}"
    return "installed, but not running" if facts.ollama.program else "not found"


def _reach_html(facts: Facts) -> str:
    """How far the machine reaches, and how far right now where others hold its memory."""
    whole = reach_of(facts)
    subject = "Your card" if facts.cards.first else "This machine"
    text = f"<p>{_sentence(subject, whole)}</p>"
    now = _reach(facts.cards, facts.memory_total, facts.memory_free, empty=False)
    if facts.cards.first and (now.trains, now.answers) != (whole.trains, whole.answers):
        text += f'<p class="quiet">{_sentence("Right now, beside what others hold, it", now)}</p>'
    if not facts.cards.first:
        text += '<p class="quiet">Larger models would take days to train without an NVIDIA card.</p>'
    return text


def _sentence(subject: str, found: Reach) -> str:
    if found.trains is None and found.answers is None:
        return f"{subject} has no room for any model."
    trains = f"trains models up to <b>{_name(found.trains)}</b>" if found.trains else "trains none"
    answers = f"chats with models up to <b>{_name(found.answers)}</b>" if found.answers else "chats with none"
    return f"{subject} {trains} and {answers}."


def _name(model: str | None) -> str:
    return escape((model or "").rpartition("/")[2])
