"""What an experiment shows so far, in words: better, worse, or not shown yet and how much is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from serving.experiments.outcomes import Measure

Result = Literal["better", "worse", "no difference shown yet", "too few users", "not comparable"]


@dataclass(frozen=True)
class Found:
    """A comparison in the scale of betting: difference and interval are arm less control, from -1 to 1."""

    arm: str
    control: str
    measure: Measure
    users: Mapping[str, int]
    difference: float
    low: float
    high: float
    confidence: float
    more_users: int | None
    uneven: str | None
    kept_together: str

    @property
    def result(self) -> Result:
        """Not comparable weighs heaviest: where arms lose users, a difference may be one of who is left."""
        if self.uneven is not None:
            return "not comparable"
        if min(self.users.values()) == 0:
            return "too few users"
        if self.low <= 0 <= self.high:
            return "no difference shown yet"
        return "better" if (self.low > 0) == self.measure.higher_is_better else "worse"


def sentence(found: Found) -> str:
    """The comparison as a sentence without its full stop."""
    measure, result = found.measure, found.result
    if result == "not comparable":
        return (
            f"{found.arm} and {found.control} can't be compared: {found.uneven}; look for what keeps users of one of "
            "them from being counted"
        )
    if result == "too few users":
        missing = " and ".join(arm for arm, count in found.users.items() if count == 0)
        return f"nothing can be said yet: no {found.kept_together} of {missing} with a figure for {measure.name} counts"
    if result == "no difference shown yet":
        low, high = measure.told(found.low), measure.told(found.high)
        return (
            f"no difference in {measure.name} shown yet between {found.arm} and {found.control} "
            f"({_certainty(found, low, high)}){_outlook(found)}, looked at any time"
        )
    return (
        f"{found.arm} is {result} than {found.control} by {_size(measure, abs(measure.told(found.difference)))} of "
        f"{measure.name} ({_certainty(found, *_ends(found))}), looked at any time"
    )


def _ends(found: Found) -> tuple[float, float]:
    """The interval of how much better or worse it is: both ends are positive."""
    low, high = sorted(abs(found.measure.told(end)) for end in (found.low, found.high))
    return low, high


def _certainty(found: Found, low: float, high: float) -> str:
    total = sum(found.users.values())
    whom = found.kept_together if total == 1 else f"{found.kept_together}s"
    ends = f"{_told(found.measure, low)} to {_told(found.measure, high)}"
    return f"always-valid {100 * found.confidence:.3g} % interval {ends}; {total:,} {whom}"


def _outlook(found: Found) -> str:
    measure = found.measure
    gap = (
        f"a {measure.smallest:g}-{measure.unit} difference"
        if not measure.is_ratio
        else f"one of {measure.smallest:g} %"
    )
    if found.more_users is None:
        return ""
    if found.more_users == 0:
        return f"; {gap} would most likely have shown by now"
    return f"; about {_rounded(found.more_users):,} more {found.kept_together}s would settle {gap}"


def _size(measure: Measure, value: float) -> str:
    """One figure with its unit."""
    figure = _told(measure, value)
    if measure.is_ratio:
        return f"{figure} %"
    return f"{figure} {measure.unit}" if float(figure) == 1 else f"{figure} {measure.unit}s"


def _told(measure: Measure, value: float) -> str:
    """Stars with two decimals, all else with one; never a minus zero."""
    text = f"{value:.2f}" if measure.unit == "star" else f"{value:.1f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _rounded(count: int) -> int:
    """Two significant digits, upwards: an estimate should look like one."""
    step = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // step) * step
