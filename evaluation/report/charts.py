"""Charts of a report as inline SVG: bars with intervals, and quality against a cost with its Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any

from evaluation.report.figures import Point, Shown, frontier, points
from evaluation.report.text import html, number

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 20, 16, 46
LONGEST_LABEL = 28


@dataclass(frozen=True)
class Axis:
    """A quality's cost: the key in report.json, what one unit of it is, and whether less of it is better."""

    key: str
    title: str
    unit: float
    cheap_is_low: bool


AXES = (
    Axis("tokens_per_second", "tokens per second", 1.0, False),
    Axis("peak_memory_bytes", "peak memory (GB)", 1e9, True),
)


def bar(shown: Shown, top: float, colour: str) -> str:
    """A bar from zero to the mean with its interval. `top`: the value at the right end; `colour`: a CSS variable."""

    def at(value: float) -> str:
        return f"{max(0.0, min(100.0, 100 * value / top)):.2f}%" if top > 0 else "0%"

    label = number(shown.mean) + (f", interval {shown.spread}" if shown.spread else "")
    parts = [f'<rect x="0" y="3" width="{at(shown.mean)}" height="14" rx="3" style="fill:var({colour})"/>']
    if shown.low is not None and shown.high is not None:
        line = 'style="stroke:var(--whisker);stroke-width:1.5"'
        parts.append(f'<line x1="{at(shown.low)}" x2="{at(shown.high)}" y1="10" y2="10" {line}/>')
        parts += [f'<line x1="{at(end)}" x2="{at(end)}" y1="6" y2="14" {line}/>' for end in (shown.low, shown.high)]
    return f'<svg class="bar" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def pareto(report: Mapping[str, Any]) -> str:
    """Quality against speed and memory, as far as two models have such figures; else nothing."""
    drawn = []
    for axis in AXES:
        found = points(report, axis.key)
        if len(found) > 1:
            drawn.append(_scatter(found, axis, report["measures"][0]))
    if not drawn:
        return ""
    about = (
        "Each dot is a model, with the interval of its score. No model on the line is beaten by another one in both "
        "quality and cost; what lies off the line is."
    )
    return f'<h2>Quality against cost</h2>\n<p class="quiet">{about}</p><div class="card charts">{"".join(drawn)}</div>'


@dataclass(frozen=True)
class Scale:
    """From values to places on the page. `low` and `high` are round; `low` is shown at `start`."""

    low: float
    high: float
    step: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, limit: float | None = None) -> Scale:
        """A scale that holds all values with some room, but not below zero (nor above `limit`) without need."""
        low, high = min(values), max(values)
        room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        step = 10 ** floor(log10(high - low + 2 * room))
        step *= next(part for part in (0.2, 0.5, 1, 2) if (high - low + 2 * room) / (part * step) <= 6)
        bottom = max(0.0, low - room) if low >= 0 else low - room
        top = step * -floor(-(high + room) / step)
        return cls(step * floor(bottom / step), top if limit is None else min(top, limit), step, start, end)

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        return [self.low + place * self.step for place in range(floor((self.high - self.low) / self.step + 1e-9) + 1)]


def _scatter(found: Sequence[Point], axis: Axis, measure: Mapping[str, Any]) -> str:
    """One chart. Dots in the order of the models, the reference in its own colour."""
    ends = [value for point in found for value in (point.y.mean, point.y.low, point.y.high) if value is not None]
    x = Scale.over([point.x / axis.unit for point in found], LEFT, WIDTH - RIGHT)
    y = Scale.over(ends, HEIGHT - BOTTOM, TOP, limit=100.0 if measure["unit"] == "points" else None)
    front = frontier(found, more_is_better=measure["higher_is_better"], cheap_is_low=axis.cheap_is_low)
    quality = "perplexity" if measure["unit"] == "perplexity" else measure["metric"].replace("_", " ")
    path = " ".join(f"{x.at(point.x / axis.unit):.1f},{y.at(point.y.mean):.1f}" for point in front)
    parts = [*_grid(x, y), f'<polyline class="front" points="{path}"/>']
    parts += [_dot(point, x.at(point.x / axis.unit), y, first=place == 0) for place, point in enumerate(found)]
    titles = (
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{axis.title}</text>"
        f'<text class="axis" transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{html(quality, LONGEST_LABEL)}</text>'
    )
    label = (
        f"Quality against {axis.title}: {', '.join(html(point.name, LONGEST_LABEL) for point in front)} on the front"
    )
    head = f'<svg class="pareto" role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}">'
    return f"{head}{''.join(parts)}{titles}</svg>"


def _grid(x: Scale, y: Scale) -> list[str]:
    lines = []
    for tick in x.ticks():
        lines.append(f'<line class="grid" x1="{x.at(tick):.1f}" x2="{x.at(tick):.1f}" y1="{y.start}" y2="{y.end}"/>')
        lines.append(
            f'<text class="tick" x="{x.at(tick):.1f}" y="{y.start + 16:.0f}" text-anchor="middle">{number(tick)}</text>'
        )
    for tick in y.ticks():
        lines.append(f'<line class="grid" x1="{x.start}" x2="{x.end}" y1="{y.at(tick):.1f}" y2="{y.at(tick):.1f}"/>')
        lines.append(
            f'<text class="tick" x="{x.start - 8:.0f}" y="{y.at(tick) + 4:.1f}" text-anchor="end">{number(tick)}</text>'
        )
    return lines


def _dot(point: Point, across: float, y: Scale, *, first: bool) -> str:
    colour = "--first" if first else "--model"
    whisker = ""
    if point.y.low is not None and point.y.high is not None:
        ends = f'y1="{y.at(point.y.low):.1f}" y2="{y.at(point.y.high):.1f}"'
        whisker = f'<line class="whisker" x1="{across:.1f}" x2="{across:.1f}" {ends}/>'
    right = across < (LEFT + WIDTH) / 2
    place, anchor = (across + 9, "start") if right else (across - 9, "end")
    height = y.at(point.y.mean)
    return (
        f'<g class="dot">{whisker}<circle cx="{across:.1f}" cy="{height:.1f}" r="5" style="fill:var({colour})"/>'
        f'<text class="label" x="{place:.1f}" y="{height - 6:.1f}" text-anchor="{anchor}">'
        f"{html(point.name, LONGEST_LABEL)}</text></g>"
    )
