"""How a report's figures are shown, the same in HTML, Markdown and charts: units, costs, points of the charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

from evaluation.report.text import number


@dataclass(frozen=True)
class Shown:
    """A mean with its interval as shown: points out of 100, perplexity instead of nats, else as it is."""

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, standing: Mapping[str, Any], unit: str) -> Shown:
        def told(value: float | None) -> float | None:
            if value is None or unit not in ("points", "perplexity"):
                return value
            return 100 * value if unit == "points" else exp(min(value, 700.0))

        mean = told(standing["mean"])
        assert mean is not None
        return cls(mean, told(standing["low"]), told(standing["high"]))

    @property
    def spread(self) -> str:
        return "" if self.low is None else f"{number(self.low)} to {number(self.high)}"


@dataclass(frozen=True)
class Cost:
    """A column of the cost table: a key of the models in report.json and how its values are shown."""

    key: str
    heading: str
    told: Callable[[float], str]


COSTS = (
    Cost("tokens_per_second", "Tokens/s", lambda value: f"{value:,.0f}"),
    Cost("time_to_first_token", "First token (ms)", lambda value: f"{1000 * value:,.0f}"),
    Cost("tokens_per_answer", "Tokens per answer", lambda value: f"{value:,.1f}"),
    Cost("answer_tokens", "Tokens", lambda value: f"{value:,}"),
    Cost("seconds", "Seconds answering", lambda value: f"{value:,.1f}"),
    Cost("peak_memory_bytes", "Peak memory (GB)", lambda value: f"{value / 1e9:.2f}"),
    Cost("energy_joules", "Energy (kJ)", lambda value: f"{value / 1000:.2f}"),
    Cost("training_seconds", "Training (minutes)", lambda value: f"{value / 60:.1f}"),
    Cost("ended_share", "Ended by itself", lambda value: f"{100 * value:.0f} %"),
)


def known_costs(models: Sequence[Mapping[str, Any]]) -> list[Cost]:
    """The columns that at least one model has a value for."""
    return [cost for cost in COSTS if any(model.get(cost.key) is not None for model in models)]


@dataclass(frozen=True)
class Point:
    """A model in a Pareto chart: what it costs (x) and how good it is (y, as shown)."""

    name: str
    x: float
    y: Shown


def points(report: Mapping[str, Any], key: str) -> list[Point]:
    """Quality by the main measure against one cost, of the models that have both."""
    main = report["measures"][0]
    standings = {each["name"]: each for each in main["standings"] if each["kind"] == "model"}
    return [
        Point(model["name"], float(model[key]), Shown.of(standings[model["name"]], main["unit"]))
        for model in report["models"]
        if model.get(key) is not None and model["name"] in standings
    ]


def frontier(found: Sequence[Point], *, more_is_better: bool, cheap_is_low: bool) -> list[Point]:
    """The points that no other one beats in one of the two without being worse in the other (Pareto)."""

    def beats(one: Point, other: Point) -> bool:
        cost = (one.x - other.x) * (1 if cheap_is_low else -1)
        worse = (other.y.mean - one.y.mean) * (1 if more_is_better else -1)
        return cost <= 0 and worse <= 0 and (cost < 0 or worse < 0)

    kept = [point for point in found if not any(beats(other, point) for other in found)]
    return sorted(kept, key=lambda point: point.x)
