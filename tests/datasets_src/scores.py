"""How well a check tells planted faults from sound rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from datasets_src.checks import CheckSettings, RowCheck
from tests.datasets_src.planted import Planted


@dataclass(frozen=True)
class Score:
    """How a check did: rows rightly found, wrongly found, and missed."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


def score(check: RowCheck, planted: Iterable[Planted], settings: CheckSettings | None = None) -> Score:
    """How well a check tells the rows that have its fault from those that don't."""
    right = wrong = missed = 0
    for one in planted:
        found = any(True for _ in check.find(one.row, settings or CheckSettings()))
        expected = check.name in one.labels
        right += found and expected
        wrong += found and not expected
        missed += expected and not found
    return Score(right, wrong, missed)
