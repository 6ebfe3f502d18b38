"""What an arena's standing consists of, as a page draws it and JSON holds it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Rating:
    """One model. `low`, `high`: bootstrap interval of the rating, None where too few votes show any spread.

    `component`: models of different components were never linked by votes; their ratings can't be compared.
    """

    model: str
    rating: float
    low: float | None
    high: float | None
    wins: int
    losses: int
    ties: int
    component: int


@dataclass(frozen=True)
class Pair:
    """How two models did against each other: a cell of the win matrix.

    `share`: of the first, a tie and "both bad" counting half; `low`, `high`: its Wilson interval.
    """

    first: str
    second: str
    first_wins: int
    second_wins: int
    ties: int
    both_bad: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Lead:
    """How far `leader` is ahead of `other` in rating points, and what is still needed.

    `more_votes`: votes between these two that would settle it with 80 % probability if the lead stays as it is; 0 when
    it is settled, None where nothing says so.
    """

    leader: str
    other: str
    points: float
    low: float | None
    high: float | None
    settled: bool
    more_votes: int | None
    sentence: str


@dataclass(frozen=True)
class OrderBias:
    """Of the votes for one of the two answers, how many were for the left one; `p_value`: exact binomial test of 50 %.

    `shuffled`: whether models stood on either side about as often, without which the side can't be told from the model.
    """

    left: int
    right: int
    share: float | None
    low: float | None
    high: float | None
    p_value: float | None
    shuffled: bool
    sentence: str


@dataclass(frozen=True)
class LengthView:
    """Ratings with the length of the answers held equal; `ratings` is empty where that can't be computed.

    `longer_wins`: how often an answer twice as long would win between equal models.
    """

    ratings: dict[str, float]
    longer_wins: float | None
    p_value: float | None
    sentence: str


@dataclass(frozen=True)
class ArenaStanding:
    """Everything about a set of votes. `ratings` are sorted by component and rating; `leads` holds every linked pair,
    `lead` the first two; `notes` are sentences on what limits all this."""

    votes: int
    blind_votes: int
    confidence: float
    ratings: list[Rating]
    components: list[list[str]]
    pairs: list[Pair]
    leads: list[Lead]
    lead: Lead | None
    order: OrderBias
    length: LengthView
    notes: list[str]

    def between(self, first: str, second: str) -> Lead | None:
        """The lead of a chosen pair; None where no votes link them."""
        chosen = {first, second}
        return next((lead for lead in self.leads if {lead.leader, lead.other} == chosen), None)

    def as_json(self) -> dict[str, Any]:
        """Plain values: dictionaries, lists, text, numbers, None."""
        return asdict(self)
