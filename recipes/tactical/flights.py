"""Whole fights flown by somebody who advises: many at once, so that a model answers for all of them in one batch."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from recipes.tactical.doctrine import doctrine
from recipes.tactical.engagement import Fight, Moment
from recipes.tactical.state import DOMAINS, Domain

# An advice is followed for so long before the next one is asked for.
SECONDS_PER_ADVICE = 5

# Takes the present moments of all running fights, and gives a move for each.
Pilot = Callable[[list[Moment]], list[str]]


@dataclass
class Flight:
    """A fight and how it was advised: for each advice whether it broke no law."""

    fight: Fight
    lawful: list[bool] = field(default_factory=list)

    def follow(self, move: str) -> None:
        """Fly a move until the next advice, or until another domain calls for one."""
        now = self.fight.now
        self.lawful.append(not doctrine(now.domain).broken_laws(now.scenario, move))
        for _ in range(SECONDS_PER_ADVICE):
            if self.fight.is_over or self.fight.now.domain != now.domain:
                return
            self.fight.advance(move)

    def as_row(self) -> dict[str, Any]:
        """`won`: the target is down; `lost`: the own aircraft is; `lawful`: the share of advice that broke no law."""
        return {
            "tag": self.fight.began_as,
            "won": self.fight.won,
            "lost": self.fight.lost,
            "lawful": sum(self.lawful) / len(self.lawful) if self.lawful else 1.0,
            "seconds": self.fight.now.second,
        }


def fly(pilot: Pilot, fights: int, turns: int, seed: int) -> list[Flight]:
    """So many fights, begun in each domain in turn, until each is over or was advised `turns` times."""
    flights = [Flight(Fight(_beginning(number), seed + number)) for number in range(fights)]
    for _ in range(turns):
        running = [flight for flight in flights if not flight.fight.is_over]
        if not running:
            break
        moves = pilot([flight.fight.now for flight in running])
        for flight, move in zip(running, moves, strict=True):
            flight.follow(move)
    return flights


def _beginning(number: int) -> Domain:
    return DOMAINS[number % len(DOMAINS)]


def by_the_book(moments: list[Moment]) -> list[str]:
    """The rule book as a pilot."""
    return [moment.values["recommendation"] for moment in moments]


def at_random(seed: int) -> Pilot:
    """A pilot who makes any move of the moment's domain."""
    draw = random.Random(seed)
    return lambda moments: [draw.choice(doctrine(moment.domain).options) for moment in moments]
