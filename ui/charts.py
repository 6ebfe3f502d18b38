"""Live charts of a training run: loss, learning rate, speed and memory by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

if TYPE_CHECKING:
    import pandas

POINTS = 400


@dataclass(frozen=True)
class Chart:
    """One chart: the metrics it draws, each with the name of its line, and what stands at its axis."""

    title: str
    unit: str
    lines: dict[str, str]
    wide: bool = False


CHARTS = (
    Chart("Loss", "loss (nats per token)", {"loss": "training rows", "eval_loss": "held-out rows"}, wide=True),
    Chart("Learning rate", "learning rate", {"learning_rate": "learning rate"}),
    Chart("Speed", "tokens per second", {"tokens_per_second": "tokens per second"}),
    Chart("Memory", "GB", {"memory_gb": "memory", "gpu_memory_gb": "memory"}),
)
COLOURS = ("#c8672b", "#3f7f93")


def chart_frame(chart: Chart, metrics: list[dict[str, Any]]) -> pandas.DataFrame:
    """Step, value and line for each point of the chart; thinned to `POINTS` a line, ends kept.

    A line without a point yet gets an empty one: a plot knows only the lines that it was first drawn with.
    """
    import pandas

    rows = []
    for metric, name in chart.lines.items():
        points = [(event["step"], event[metric]) for event in metrics if metric in event]
        rows += [{"step": step, chart.unit: value, "line": name} for step, value in thin(points)]
    empty = [name for name in chart.lines.values() if rows and name not in {row["line"] for row in rows}]
    rows += [{"step": rows[0]["step"], chart.unit: None, "line": name} for name in empty]
    return pandas.DataFrame(rows, columns=["step", chart.unit, "line"])


def thin(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most `POINTS` of the points, evenly, the last one among them."""
    if len(points) <= POINTS:
        return points
    stride = -(-len(points) // POINTS)
    kept = points[::stride]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def lay_out_charts() -> list[Any]:
    """Draw the charts here, empty and hidden."""
    plots = []
    with gr.Column():
        for chart in CHARTS[:1]:
            plots.append(_plot(chart))
        with gr.Row():
            plots += [_plot(chart) for chart in CHARTS[1:]]
    return plots


def _plot(chart: Chart) -> Any:
    names = list(dict.fromkeys(chart.lines.values()))
    return gr.LinePlot(
        x="step",
        y=chart.unit,
        color="line" if len(names) > 1 else None,
        color_title="",
        color_map=dict(zip(names, COLOURS, strict=False)),
        title=chart.title,
        x_title="step",
        y_title=chart.unit,
        height=260 if chart.wide else 180,
        visible=False,
        show_label=False,
        min_width=240,
        buttons=[],
        elem_classes="hearth-chart",
    )


def chart_updates(metrics: list[dict[str, Any]]) -> list[Any]:
    """A value for each plot; those without a point yet are hidden."""
    frames = [chart_frame(chart, metrics) for chart in CHARTS]
    drawn = [int(frame[chart.unit].count()) for chart, frame in zip(CHARTS, frames, strict=True)]
    return [gr.LinePlot(value=frame, visible=points > 1) for frame, points in zip(frames, drawn, strict=True)]
