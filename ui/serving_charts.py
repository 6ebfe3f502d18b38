"""Small charts of what servers did over a stretch of time, a line for each model: requests, failures, times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import gradio as gr

from jobs.workspace import Workspace
from serving.monitoring.columns import Columns, read_columns
from serving.monitoring.figures import percentiles
from ui.charts import AWAY, CHART, SET_COLOURS, has_line

STRETCHES = 24
MOST_MODELS = len(SET_COLOURS)
TITLES = 16


@dataclass(frozen=True)
class Chart:
    """One chart: what a model's requests within a stretch come to; None leaves a gap."""

    title: str
    unit: str
    value: Callable[[Columns, Any], float | None]


def _requests(_: Columns, here: Any) -> float:
    return float(here.sum())


def _failed(columns: Columns, here: Any) -> float | None:
    asked = int(here.sum())
    return 100.0 * int((columns.status[here] >= 500).sum()) / asked if asked else None


def _seconds(columns: Columns, here: Any) -> float | None:
    return percentiles(columns.seconds[here & (columns.status < 400)]).p95


def _first_token(columns: Columns, here: Any) -> float | None:
    return percentiles(columns.first_token_seconds[here & (columns.status < 400)]).p95


CHARTS = (
    Chart("Requests", "requests", _requests),
    Chart("Failed", "per cent", _failed),
    Chart("Answer, p95", "seconds", _seconds),
    Chart("First token, p95", "seconds", _first_token),
)


def lay_out() -> list[Any]:
    """Draw the charts here, out of sight until there is something in them."""
    with gr.Row():
        return [
            gr.LinePlot(
                x="hours ago", y=chart.unit, color="line", color_title="", title=chart.title, x_title="hours from now",
                y_title=chart.unit, y_lim=[0, None], height=180, show_label=False, min_width=200, buttons=[],
                elem_classes=[CHART, AWAY],
            )
            for chart in CHARTS
        ]  # fmt: skip


def updates(workspace: Workspace, since: float, until: float) -> list[Any]:
    """Values of the charts for a window of time (seconds since 1970)."""
    rows = points(workspace, since, until)
    names = list(dict.fromkeys(row[2] for found in rows for row in found))
    return [_update(chart, found, names) for chart, found in zip(CHARTS, rows, strict=True)]


def points(workspace: Workspace, since: float, until: float) -> list[list[list[Any]]]:
    """For each chart its points: hours from `until` (negative), value, model. Each request is read once."""
    rows: list[list[list[Any]]] = [[] for _ in CHARTS]
    length = (until - since) / STRETCHES
    for place in range(STRETCHES):
        start = since + place * length
        columns = read_columns(workspace, start, start + length, ["model"])
        hours = (start + length / 2 - until) / 3600
        for model, values in _of_stretch(columns).items():
            for found, value in zip(rows, values, strict=True):
                found.append([hours, value, model])
    return rows


def _of_stretch(columns: Columns | None) -> dict[str, Sequence[float | None]]:
    """The charts' values for each model that was asked."""
    if columns is None:
        return {}
    return {
        str(group[0] or "none"): [chart.value(columns, columns.codes == number) for chart in CHARTS]
        for number, group in enumerate(columns.groups[:MOST_MODELS])
    }


def _update(chart: Chart, rows: list[list[Any]], names: list[str]) -> Any:
    kinds = {"hours ago": "quantitative", chart.unit: "quantitative", "line": "nominal"}
    data = {"columns": list(kinds), "data": rows, "datatypes": kinds, "mark": "line"}
    if not has_line(data):
        return gr.update(elem_classes=[CHART, AWAY])
    colours = dict(zip(names, SET_COLOURS * len(names), strict=False))
    # A plot takes other lines only when it is drawn anew, which another title makes it do: blanks of no width suffice.
    title = chart.title + "\u200b" * (1 + crc32(repr(names).encode()) % TITLES)
    return gr.update(value=data, elem_classes=[CHART], color_map=colours, title=title)
