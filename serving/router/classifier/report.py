"""How good a classifier is on rows it never saw: how often right, what it takes for what, how true its odds are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from evaluation.intervals import mean_interval

BINS = 10
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Bin:
    """Rows whose guess was about equally sure: how sure on average, and what share of them was right."""

    rows: int
    sureness: float
    right: float


@dataclass(frozen=True)
class Report:
    """Measured on `held_out` rows. Shares are from 0 to 1; `confusion[tag][guess]` counts rows.

    `always`: accuracy of always guessing the tag that training had most of. `calibration_error`: mean distance between
    sureness and accuracy, over the bins (expected calibration error, Naeini et al. 2015).
    """

    data: str
    learned: int
    held_out: int
    accuracy: float
    low: float
    high: float
    always: float
    always_tag: str
    calibration_error: float
    calibration: list[Bin]
    confusion: dict[str, dict[str, int]]
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def text(self) -> str:
        """The report for a terminal."""
        better = "" if self.low > self.always else " That is not shown to be better than this guess."
        lines = [
            f"{self.accuracy:.1%} of {self.held_out} held-out rows right (95% CI {self.low:.1%} to {self.high:.1%}); "
            f"always {self.always_tag} would be {self.always:.1%}.{better}",
            f"Its probabilities are off by {self.calibration_error:.1%} on average:",
            *(f"  {each.sureness:.0%} sure: {each.right:.0%} right of {each.rows} rows" for each in self.calibration),
            "Tag → what it was taken for:",
            *(f"  {tag} → {_counted(guesses)}" for tag, guesses in self.confusion.items()),
            *self.notes,
        ]
        return "\n".join(lines)


def _counted(guesses: dict[str, int]) -> str:
    return ", ".join(f"{guess} {count}" for guess, count in sorted(guesses.items(), key=lambda each: -each[1]))


@dataclass(frozen=True)
class Judged:
    """One held-out row: its tag, the guess, how sure that was, and the group that it belongs to."""

    tag: str
    guess: str
    sureness: float
    group: str


def report_on(data: str, learned: Sequence[str], judged: Sequence[Judged], notes: Sequence[str]) -> Report:
    """The report of a classifier that learned rows with the tags `learned`. Errors cluster by group."""
    right = [float(row.tag == row.guess) for row in judged]
    accuracy = sum(right) / len(right)
    interval = mean_interval(right, [row.group for row in judged], CONFIDENCE)
    usual = Counter(learned).most_common(1)[0][0]
    confusion: dict[str, dict[str, int]] = {}
    for row in judged:
        counts = confusion.setdefault(row.tag, {})
        counts[row.guess] = counts.get(row.guess, 0) + 1
    bins = _bins(judged)
    return Report(
        data,
        len(learned),
        len(judged),
        accuracy,
        interval.low if interval else 0.0,
        interval.high if interval else 1.0,
        sum(row.tag == usual for row in judged) / len(judged),
        usual,
        sum(each.rows * abs(each.sureness - each.right) for each in bins) / len(judged),
        bins,
        dict(sorted(confusion.items())),
        list(notes),
    )


def _bins(judged: Sequence[Judged]) -> list[Bin]:
    """Rows by how sure their guess was, in bins of a tenth; empty ones are left out."""
    sureness = np.array([row.sureness for row in judged])
    right = np.array([row.tag == row.guess for row in judged], dtype=float)
    numbers = np.minimum((sureness * BINS).astype(int), BINS - 1)
    return [
        Bin(
            int((numbers == number).sum()),
            float(sureness[numbers == number].mean()),
            float(right[numbers == number].mean()),
        )
        for number in range(BINS)
        if (numbers == number).any()
    ]
