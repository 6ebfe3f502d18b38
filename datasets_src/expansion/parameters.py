"""Parameters of a scenario: lists, ranges and samplers, and the values they take.

Every value is computed from its place or from a hash of seed and draw, never from a generator's state: the same spec
gives the same values in any process, and the millionth is made as fast as the first.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import accumulate
from statistics import NormalDist
from typing import Any, Literal, Self

from pydantic import model_validator

from jobs.spec import Spec, option

# A parameter's values together; a YAML file can repeat a part of itself at no cost to its own length.
MOST_NODES = 100_000
LONGEST_VALUE = 20_000
DEEPEST_VALUE, DEEPEST_DOCUMENT = 10, 30
LARGEST_NUMBER = 1e15
DECIMALS = 2
SIGNIFICANT_DIGITS = 3

Number = int | float
_BOUNDS: dict[str, Any] = {"ge": -LARGEST_NUMBER, "le": LARGEST_NUMBER}


class ParameterSpec(Spec):
    """What values one parameter takes: `values`, or a range from `start` to `stop`, or a `sampler`."""

    values: list[Any] | None = option(
        None,
        label="Values",
        help="The values themselves: text, numbers, true or false, or objects whose parts a template names. A plain "
        "list may stand for the whole parameter. With `sampler: choice`, what is chosen from.",
        depth="essential",
        min_length=1,
    )
    start: Number | None = option(None, label="From", help="The first number of a range.", depth="essential", **_BOUNDS)
    stop: Number | None = option(
        None,
        label="To",
        help="The last number of a range, itself included where a step reaches it.",
        depth="essential",
        **_BOUNDS,
    )
    step: Number | None = option(
        None, label="Step", help="From one number of a range to the next.", ge=1e-12, le=LARGEST_NUMBER
    )
    count: int | None = option(
        None, label="How many", help="Instead of a step: so many numbers at equal distances.", ge=2, le=10**9
    )
    sampler: Literal["uniform", "normal", "log_uniform", "choice"] | None = option(
        None,
        label="Drawn at random",
        help="`uniform` between `low` and `high`; `normal` around `mean`, kept within `low` and `high` where given; "
        "`log_uniform`: each order of magnitude between `low` and `high` equally often; `choice`: one of `values`, by "
        "`weights`. Not for a grid, which needs to know every value.",
    )
    low: float | None = option(None, label="At least", help="Lower end of a sampler.", **_BOUNDS)
    high: float | None = option(None, label="At most", help="Upper end of a sampler.", **_BOUNDS)
    mean: float | None = option(None, label="Mean", help="Of the normal sampler.", **_BOUNDS)
    deviation: float | None = option(
        None, label="Standard deviation", help="Of the normal sampler.", gt=0, le=LARGEST_NUMBER
    )
    weights: list[float] | None = option(
        None, label="Weights", help="How often each of the values is chosen, relative to the others."
    )
    digits: int | None = option(
        None,
        label="Digits",
        help="Decimals that sampled and range values are rounded to; 0 makes whole numbers. For `log_uniform` the "
        "significant digits. Without it: 2 decimals, 3 significant digits, ranges as they come.",
        ge=0,
        le=12,
    )

    @model_validator(mode="before")
    @classmethod
    def _list_is_values(cls, given: Any) -> Any:
        return {"values": given} if isinstance(given, list) else given

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        is_range = self.start is not None or self.stop is not None
        if self.sampler is None and is_range == (self.values is not None):
            raise ValueError("give either a list of values, or start and stop, or a sampler")
        allowed = _ALLOWED[self.sampler or ("range" if is_range else "values")]
        stray = [name for name in type(self).model_fields if getattr(self, name) is not None and name not in allowed]
        if stray:
            kind = self.sampler or ("a range" if is_range else "a list of values")
            raise ValueError(f"{', '.join(stray)} has no meaning for {kind}, which takes {', '.join(allowed)}")
        if is_range:
            self._check_range()
        elif self.values is not None:
            check_value(self.values)
        if self.sampler is not None:
            self._check_sampler()
        return self

    def _check_range(self) -> None:
        if self.start is None or self.stop is None or (self.step is None) == (self.count is None):
            raise ValueError("a range takes start, stop and either step or count")
        if self.stop < self.start:
            raise ValueError(f"stop {self.stop} lies below start {self.start}")

    def _check_sampler(self) -> None:
        if self.low is not None and self.high is not None and self.high < self.low:
            raise ValueError(f"high {self.high} lies below low {self.low}")
        if self.sampler == "choice":
            self._check_choice()
        elif self.sampler == "normal":
            if self.mean is None or self.deviation is None:
                raise ValueError("normal takes mean and deviation")
        elif self.low is None or self.high is None:
            raise ValueError(f"{self.sampler} takes low and high")
        if self.sampler == "log_uniform":
            if self.low is not None and self.low <= 0:
                raise ValueError("low has to be above 0 for log_uniform")
            if self.digits == 0:
                raise ValueError("log_uniform takes at least 1 significant digit")
        elif self.low is not None and self.high is not None:
            first, last = _grid(self.low, self.high, self.decimals)
            if last < first:
                raise ValueError(f"between {self.low} and {self.high} there is no number of {self.decimals} decimals")

    def _check_choice(self) -> None:
        if not self.values:
            raise ValueError("choice takes values to choose from")
        weights = self.weights or [1.0]
        if self.weights is not None and len(self.weights) != len(self.values):
            raise ValueError(f"{len(self.weights)} weights are given for {len(self.values)} values")
        if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights) > 0:
            raise ValueError("weights are numbers from 0 up, and not all 0")

    @property
    def decimals(self) -> int:
        """Decimals of what `uniform` and `normal` draw."""
        return DECIMALS if self.digits is None else self.digits

    def steps(self) -> _Steps | None:
        """The numbers of a range or of a uniform sampler, None for anything else."""
        if self.sampler == "uniform" and self.low is not None and self.high is not None:
            # The rounded numbers themselves, each equally often: rounding a draw would give both ends half their share.
            first, last = _grid(self.low, self.high, self.decimals)
            step = Fraction(1, 10**self.decimals)
            return _Steps(first * step, step, last - first + 1, self.decimals == 0, None)
        if self.start is None or self.stop is None:
            return None
        start, stop = Fraction(str(self.start)), Fraction(str(self.stop))
        if self.count is not None:
            step, size = (stop - start) / (self.count - 1), self.count
        else:
            step = Fraction(str(self.step))
            size = int((stop - start) / step) + 1
        whole = step.denominator == 1 and isinstance(self.start, int) and not isinstance(self.step, float)
        return _Steps(start, step, size, whole, self.digits)


_ALLOWED: dict[str, tuple[str, ...]] = {
    "values": ("values",),
    "range": ("start", "stop", "step", "count", "digits"),
    "uniform": ("sampler", "low", "high", "digits"),
    "normal": ("sampler", "mean", "deviation", "low", "high", "digits"),
    "log_uniform": ("sampler", "low", "high", "digits"),
    "choice": ("sampler", "values", "weights"),
}


class Parameter:
    """The values of one parameter.

    `size`: how many there are, None where a sampler draws from a curve. `even`: whether each is drawn equally often.
    """

    def __init__(self, spec: ParameterSpec) -> None:
        self.spec = spec
        self.sampled = spec.sampler is not None
        self._steps = spec.steps()
        self.size = len(spec.values) if spec.values is not None else self._steps.size if self._steps else None
        self.even = self.size is not None and spec.weights is None
        self._weights = list(accumulate(spec.weights or []))

    def at(self, place: int) -> Any:
        """The value at a place from 0 up to `size`."""
        if self.spec.values is not None:
            return self.spec.values[place]
        assert self._steps is not None, "values drawn from a curve have no places"
        return self._steps.at(place)

    def draw(self, seed: int, key: str) -> Any:
        """The value that a draw gives: equal for equal seed and key."""
        if self.size is None:
            return self._drawn_from_curve(seeded_fraction(seed, key))
        if not self._weights:
            return self.at(seeded_number(seed, key) * self.size >> 64)
        # A fraction below 1 can still round up to the sum of the weights.
        place = bisect(self._weights, seeded_fraction(seed, key) * self._weights[-1])
        return self.at(min(place, len(self._weights) - 1))

    def _drawn_from_curve(self, fraction: float) -> Number:
        """By the inverse of the curve's distribution, taken between its bounds: one draw is always enough."""
        spec = self.spec
        low = -math.inf if spec.low is None else spec.low
        high = math.inf if spec.high is None else spec.high
        if spec.sampler == "log_uniform":
            number = math.exp(math.log(low) + fraction * (math.log(high) - math.log(low)))
            return min(max(_significant(number, spec.digits or SIGNIFICANT_DIGITS), low), high)
        assert spec.mean is not None and spec.deviation is not None, "the spec was checked"
        curve = NormalDist(spec.mean, spec.deviation)
        share = curve.cdf(low) + fraction * (curve.cdf(high) - curve.cdf(low))
        # 0 and 1 have no inverse.
        number = min(max(curve.inv_cdf(min(max(share, 1e-12), 1 - 1e-12)), low), high)
        return _rounded_within(number, spec.decimals, low, high)


@dataclass(frozen=True)
class _Steps:
    """Numbers at equal distances, kept as fractions: as written, 0.1 is a tenth, not the nearest binary number."""

    start: Fraction
    step: Fraction
    size: int
    whole: bool
    digits: int | None

    def at(self, place: int) -> Number:
        number = self.start + self.step * place
        if self.digits is not None:
            return _rounded(float(number), self.digits)
        return int(number) if self.whole else float(number)


def check_value(value: Any) -> None:
    """Raise ValueError unless `value` is what JSON can hold, and of a size that a spec may have."""
    for inner in _walk(value, DEEPEST_VALUE):
        if isinstance(inner, str) and len(inner) > LONGEST_VALUE:
            raise ValueError(f"holds text of more than {LONGEST_VALUE:,} characters")
        if isinstance(inner, int) and inner.bit_length() > 256:
            raise ValueError("holds a number of more than 77 digits")
        if isinstance(inner, float) and not math.isfinite(inner):
            raise ValueError(f"holds {inner}, which JSON has no number for")
        if isinstance(inner, dict) and not all(isinstance(name, str) for name in inner):
            raise ValueError("names a part by a number; names are text, in quotes where they look like a number")
        if inner is not None and not isinstance(inner, str | int | float | list | dict):
            shown = f" ({inner}); put it in quotes to make it text" if isinstance(inner, date) else ""
            raise ValueError(f"holds a {type(inner).__name__}{shown}")


def check_size(document: Any) -> None:
    """Raise ValueError for a document that repeats parts of itself (YAML's anchors) until it is too large to check."""
    for _ in _walk(document, DEEPEST_DOCUMENT):
        pass


def _walk(value: Any, deepest: int) -> Iterator[Any]:
    """The value and all that it holds, refusing too much of it."""
    waiting: list[tuple[Any, int]] = [(value, 0)]
    for _ in range(MOST_NODES):
        if not waiting:
            return
        inner, depth = waiting.pop()
        if depth > deepest:
            raise ValueError(f"is nested more than {deepest} deep")
        yield inner
        parts = inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ()
        waiting.extend((part, depth + 1) for part in parts)
    if waiting:
        raise ValueError(f"holds more than {MOST_NODES:,} values")


def seeded_number(seed: int, key: str) -> int:
    """A number below 2**64 drawn by hashing: equal for equal seed and key, in any process."""
    digest = hashlib.blake2b(key.encode(), digest_size=8, key=str(seed).encode(), person=b"expansion").digest()
    return int.from_bytes(digest, "big")


def seeded_fraction(seed: int, key: str) -> float:
    """The same, from 0 up to but without 1."""
    return (seeded_number(seed, key) >> 11) / 2**53


def _grid(low: float, high: float, decimals: int) -> tuple[int, int]:
    """The first and the last number of so many decimals between two bounds, in units of the last decimal."""
    unit = 10**decimals
    return math.ceil(Fraction(str(low)) * unit), math.floor(Fraction(str(high)) * unit)


def _rounded(number: float, decimals: int) -> Number:
    return round(number) if decimals == 0 else round(number, decimals)


def _rounded_within(number: float, decimals: int, low: float, high: float) -> Number:
    """Rounded to so many decimals, and inward where rounding would leave the bounds."""
    rounded, unit = _rounded(number, decimals), 10**-decimals
    if rounded < low:
        return _rounded(rounded + unit, decimals)
    return _rounded(rounded - unit, decimals) if rounded > high else rounded


def _significant(number: float, digits: int) -> Number:
    rounded = float(f"{number:.{digits}g}")
    return int(rounded) if rounded >= 10 ** (digits - 1) else rounded
