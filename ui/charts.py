"""Live charts of a training run by step: loss, how it is learned, what the machine does; and sample answers.

They are made once per change for all pages that look at the same job, and at most every few seconds while it runs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from jobs.curves import Curves, Point, curves, stamp
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from ui.job_panel import JobPanel
from ui.page import SKIP, Page
from ui.samples_view import samples_html

WIDE_POINTS = 400
CHART, AWAY = "hearth-chart", "hearth-away"
SMALL_POINTS = 150
REDRAW_SECONDS = 5.0
KEPT_DRAWINGS = 16
EMBER, FAINT_EMBER, BLUE, GREEN, PLUM, GOLD = "#c8672b", "#c8672b66", "#3f7f93", "#5d8a4a", "#8a5a83", "#b98a2f"
SET_COLOURS = (BLUE, GREEN, PLUM, GOLD, EMBER, "#6b6f8a")


@dataclass(frozen=True)
class Drawn:
    """A line of a chart: which metric, its name in the legend, raw or smoothed."""

    metric: str
    name: str
    colour: str = EMBER
    smoothed: bool = False


@dataclass(frozen=True)
class Chart:
    """One chart: its lines and what stands at its axis.

    `prefix`: further lines, one for each metric that begins so. `format`: how numbers at the axis are written (d3).
    """

    title: str
    unit: str
    lines: tuple[Drawn, ...] = ()
    prefix: str = ""
    lowest: float | None = 0.0
    highest: float | None = None
    place: str = "small"
    format: str | None = None


def _both(metric: str) -> tuple[Drawn, ...]:
    return (Drawn(metric, "training"), Drawn(f"eval_{metric}", "held-out", BLUE))


CHARTS = (
    Chart(
        "Loss",
        "loss (nats per token)",
        (
            Drawn("loss", "each step", FAINT_EMBER),
            Drawn("loss", "smoothed", smoothed=True),
            Drawn("eval_loss", "held-out rows", BLUE),
        ),
        lowest=None,
        place="wide",
    ),
    Chart("Loss on further held-out sets", "loss (nats per token)", prefix="eval_loss/", lowest=None, place="wide"),
    Chart("Reward margin", "margin", _both("rewards_margin"), lowest=None, place="preference"),
    Chart("Chosen preferred", "share of pairs", _both("rewards_accuracy"), highest=1.0, place="preference"),
    Chart("Learning rate", "rate", (Drawn("learning_rate", "learning rate"),), format="~e"),
    Chart("Gradient", "norm", (Drawn("grad_norm", "norm"),)),
    Chart("Speed", "tokens/s", (Drawn("tokens_per_second", "speed"),)),
    Chart("Memory held", "GB", (Drawn("memory_gb", "memory"), Drawn("gpu_memory_gb", "memory")), place="machine"),
    Chart("GPU busy", "per cent", (Drawn("gpu_utilisation", "busy"),), highest=100.0, place="machine"),
    Chart("GPU temperature", "°C", (Drawn("gpu_temperature", "temperature"),), lowest=None, place="machine"),
    Chart("GPU power", "watts", (Drawn("gpu_power_w", "power"),), place="machine"),
    Chart("Energy used", "watt-hours", (Drawn("energy_wh", "energy"),), place="machine"),
)


@dataclass(frozen=True)
class Charts:
    """The components, plots in the order of CHARTS; `drawn` tells what they show."""

    plots: list[Any]
    machine: Any
    answers: Any
    samples: Any
    drawn: Any

    @property
    def outputs(self) -> list[Any]:
        return [*self.plots, self.machine, self.answers, self.samples, self.drawn]


def lay_out() -> Charts:
    """Draw the charts here, empty and hidden: loss wide, the others small, those of the machine folded away."""
    made: dict[str, Any] = {}
    with gr.Column():
        made |= {each.title: plot(each) for each in CHARTS if each.place == "wide"}
        for place in ("preference", "small"):
            with gr.Row():
                made |= {each.title: plot(each) for each in CHARTS if each.place == place}
        with gr.Accordion("Machine: memory, GPU, energy", open=False, visible=False) as machine, gr.Row():
            made |= {each.title: plot(each) for each in CHARTS if each.place == "machine"}
        with gr.Accordion("Sample answers by step", open=False, visible=False) as answers:
            samples = gr.HTML("", elem_id="samples")
    return Charts([made[each.title] for each in CHARTS], machine, answers, samples, gr.Textbox(visible=False))


def wire(page: Page, panel: JobPanel, charts: Charts) -> None:
    """Keep the charts up to date with the job that `panel` shows."""

    def poll(workspace: Workspace, known: str) -> list[Any]:
        job = panel.shown_job(workspace)
        if job is None or drawing(job).stamp == known:
            return [SKIP for _ in charts.outputs]
        return updates(job)

    page.poll(panel.tab, poll, [charts.drawn], charts.outputs)


def updates(job: JobDirectory) -> list[Any]:
    """Values of a panel's charts: plots without at least two points are hidden."""
    made = drawing(job)
    # Copies: Gradio takes the value out of an update that it is given, and other pages need it too.
    return [*(dict(value) if isinstance(value, dict) else value for value in made.values), made.stamp]


@dataclass(frozen=True)
class Drawing:
    """What all pages that look at one job show, made at `time` (monotonic) from what `stamp` names."""

    stamp: str
    time: float
    values: list[Any]


_DRAWINGS: dict[Path, Drawing] = {}


def drawing(job: JobDirectory) -> Drawing:
    """The newest drawing of a job; a running one's is made anew every few seconds, and only when it has new events."""
    known = _DRAWINGS.get(job.path)
    now = f"{job.id} {stamp(job)}"
    if known is not None:
        waits = time.monotonic() - known.time < REDRAW_SECONDS and job.status().state.active
        if known.stamp == now or waits:
            return known
    if len(_DRAWINGS) >= KEPT_DRAWINGS:
        _DRAWINGS.clear()
    made = Drawing(now, time.monotonic(), _values(curves(job)))
    _DRAWINGS[job.path] = made
    return made


def _values(found: Curves) -> list[Any]:
    tables = [table(chart, found) for chart in CHARTS]
    shown = [len(rows["data"]) > 1 and has_line(rows) for rows in tables]
    machine = any(seen for seen, chart in zip(shown, CHARTS, strict=True) if chart.place == "machine")
    values = [_update(chart, rows, seen) for chart, rows, seen in zip(CHARTS, tables, shown, strict=True)]
    answers = samples_html(found.samples)
    together = gr.update(visible=True, elem_classes=[]) if machine else gr.update(elem_classes=[AWAY])
    return [*values, together, gr.update(visible=bool(answers)), answers]


def _update(chart: Chart, rows: dict[str, Any], seen: bool) -> Any:
    # Put out of sight rather than taken out of the page, where Gradio's plot would fail at measuring itself.
    if not seen:
        return gr.update(elem_classes=[CHART, AWAY])
    if not chart.prefix:
        return gr.update(value=rows, visible=True, elem_classes=[CHART])
    names = sorted({str(row[2]) for row in rows["data"]})
    colours = dict(zip(names, SET_COLOURS * len(names), strict=False))
    # A plot takes other lines only when it is drawn anew, which another title makes it do.
    title = f"{chart.title}: {', '.join(names)}"
    return gr.update(value=rows, visible=True, elem_classes=[CHART], color_map=colours, title=title)


def has_line(rows: dict[str, Any]) -> bool:
    """Whether any line has two points."""
    names = [row[2] for row in rows["data"] if row[1] is not None]
    return len(names) > len(set(names))


def table(chart: Chart, found: Curves) -> dict[str, Any]:
    """Rows of step, value and line's name, as a plot takes them.

    A line without a point yet gets an empty one: a plot knows only the lines that it was first drawn with.
    """
    most = WIDE_POINTS if chart.place == "wide" else SMALL_POINTS
    rows: list[list[Any]] = []
    lines = lines_of(chart, found)
    for line in lines:
        points = thin(found.lines.get(line.metric, []), most)
        rows += [[each.step, each.smoothed if line.smoothed else each.value, line.name] for each in points]
    drawn = {row[2] for row in rows}
    rows += [[rows[0][0], None, line.name] for line in lines if drawn and line.name not in drawn]
    return plot_data(chart.unit, rows)


def lines_of(chart: Chart, found: Curves) -> tuple[Drawn, ...]:
    """The chart's own lines and those that its prefix finds, these by name."""
    if not chart.prefix:
        return chart.lines
    return tuple(
        Drawn(name, name.removeprefix(chart.prefix)) for name in sorted(found.lines) if name.startswith(chart.prefix)
    )


def plot_data(unit: str, rows: list[list[Any]]) -> dict[str, Any]:
    """What Gradio makes of a data frame, without the frame."""
    kinds = {"step": "quantitative", unit: "quantitative", "line": "nominal"}
    return {"columns": list(kinds), "data": rows, "datatypes": kinds, "mark": "line"}


def thin(points: list[Point], most: int) -> list[Point]:
    """At most about `most` of the points, evenly, the last one among them."""
    if len(points) <= most:
        return points
    stride = -(-len(points) // most)
    kept = points[::stride]
    return kept if kept[-1] is points[-1] else [*kept, points[-1]]


def plot(chart: Chart) -> Any:
    """An empty, hidden plot for the chart."""
    wide = chart.place == "wide"
    several = len({line.name for line in chart.lines}) > 1 or bool(chart.prefix)
    limited = chart.lowest is not None or chart.highest is not None
    return gr.LinePlot(
        x="step",
        y=chart.unit,
        color="line" if several else None,
        color_title="",
        color_map={line.name: line.colour for line in chart.lines} if several else {"": EMBER},
        title=chart.title,
        x_title="step",
        y_title=chart.unit,
        y_axis_format=chart.format,
        y_lim=[chart.lowest, chart.highest] if limited else None,
        height=260 if wide else 180,
        visible=False,
        show_label=False,
        min_width=200,
        buttons=[],
        elem_classes=CHART,
    )
