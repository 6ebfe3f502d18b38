"""What arms are judged by: where each outcome stands, which way is better, and in which unit a difference is told."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

from jobs.errors import BadInput

# Times are compared as ratios; a user whose answers took this many times as long as usual counts as this many.
MOST_TIMES = 8.0


@dataclass(frozen=True)
class Outcome:
    """What became known of one request; None: nothing (yet). The latest figure of each kind counts.

    `seconds` until the answer was complete, `first_token_seconds` until its first text, `tokens` of the answer,
    `rating` 1 to 5, `success` from 0 (the task was not done) to 1.
    """

    error: bool | None = None
    seconds: float | None = None
    first_token_seconds: float | None = None
    tokens: int | None = None
    rating: int | None = None
    edited: bool | None = None
    success: float | None = None

    def check(self) -> None:
        """Raise BadInput when a figure can't be one."""
        if self.rating is not None and not (isinstance(self.rating, int) and 1 <= self.rating <= 5):
            raise BadInput(f"{self.rating!r} is no rating.", "Ratings go from 1 to 5.", "Give a whole number of them.")
        if self.success is not None and not 0 <= self.success <= 1:
            raise BadInput(f"{self.success!r} is no success.", "It goes from 0 (no) to 1 (yes).", "Give 0 or 1.")
        for name in ("seconds", "first_token_seconds", "tokens"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1e9:
                raise BadInput(f"{value!r} can't be {name}.", "It is measured from 0 on.", "Leave it out if unknown.")


@dataclass(frozen=True)
class Measure:
    """How an outcome is compared.

    `column` of the table; `low`, `high`: the ends of a bounded outcome, both None for one compared as ratio; `least`
    stands for smaller ratios' values, `absent` for a request of which nothing was said (None: it is left out);
    `smallest` difference worth knowing, in points, stars or percent.
    """

    name: str
    column: str
    higher_is_better: bool
    unit: str
    smallest: float
    low: float | None = None
    high: float | None = None
    least: float = 1.0
    absent: float | None = None

    @property
    def is_ratio(self) -> bool:
        return self.high is None

    def scaled(self, value: float) -> float:
        """A bounded value as 0 to 1; a time or length as its logarithm to the base `MOST_TIMES`."""
        if self.low is None or self.high is None:
            return log(max(value, self.least)) / log(MOST_TIMES)
        return (value - self.low) / (self.high - self.low)

    def told(self, difference: float) -> float:
        """A scaled difference in the measure's unit: points, stars, or percent more (a ratio less 1, times 100)."""
        if self.low is None or self.high is None:
            return 100 * (exp(difference * log(MOST_TIMES)) - 1)
        return difference * (self.high - self.low) * (100 if self.unit == "point" else 1)

    @property
    def smallest_scaled(self) -> float:
        """The smallest difference worth knowing, scaled."""
        if self.low is None or self.high is None:
            return log(1 + self.smallest / 100) / log(MOST_TIMES)
        return self.smallest / (self.high - self.low) / (100 if self.unit == "point" else 1)


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("rating", "rating", True, "star", 0.2, 1, 5),
        # Nobody says of an answer that it was left as it is.
        Measure("edited", "edited", False, "point", 5, 0, 1, absent=0.0),
        Measure("success", "success", True, "point", 5, 0, 1),
        Measure("latency", "seconds", False, "%", 10, least=0.001),
        Measure("length", "tokens", False, "%", 10),
        # Not to be chosen, but watched. Answers that never ended are left out: whoever ended the server ended them.
        Measure("error", "error", False, "point", 5, 0, 1),
    )
}
