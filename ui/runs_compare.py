"""Picked runs side by side: their curves over one another, and what differs between two of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from jobs.compare import compare
from jobs.curves import curves, stamp
from jobs.directory import JobDirectory
from ui.charts import BLUE, EMBER, GOLD, GREEN, PLUM, Chart, plot, plot_data, thin
from ui.page import SKIP
from ui.runs_view import difference_html

OVERLAID_POINTS = 200
REDRAW_SECONDS = 10.0
MOST_RUNS = 8
SEPARATOR = " @ "
SHOWN, AWAY = ["hearth-chart"], ["hearth-chart", "hearth-away"]
COLOURS = (EMBER, BLUE, GREEN, PLUM, GOLD, "#6b6f8a", "#b0483c", "#4f9a94")
LOSSES = {"loss": "Training rows, smoothed", "eval_loss": "Held-out rows"}
OVERLAY = Chart("Loss of the picked runs", "loss (nats per token)", prefix="run", lowest=None, place="wide")


@dataclass(frozen=True)
class SideBySide:
    """The components. `cursor` tells which runs they show, and how far these were then.

    There are two charts, of which one is shown: a plot only knows the lines that it was drawn with when it last came
    into view, so other runs are drawn by the one that was hidden.
    """

    which: Any
    charts: tuple[Any, Any]
    nothing: Any
    part: Any
    difference: Any
    cursor: Any

    @property
    def outputs(self) -> list[Any]:
        return [self.which, *self.charts, self.nothing, self.part, self.difference, self.cursor]


def lay_out() -> SideBySide:
    """Draw them here, hidden."""
    choices = [(label, metric) for metric, label in LOSSES.items()]
    which = gr.Radio(choices, value="loss", label="Loss on", elem_id="overlaid", interactive=True)
    charts = (plot(OVERLAY), plot(OVERLAY))
    nothing = gr.HTML(visible=False)
    with gr.Accordion("What differs between the two", open=True, visible=False) as part:
        difference = gr.HTML("", elem_id="runs-difference")
    return SideBySide(which, charts, nothing, part, difference, gr.Textbox(visible=False))


def show(picked: Sequence[JobDirectory], which: str, known: str = "") -> list[Any]:
    """Values of `outputs`; skipped when they are as `known`."""
    before = known.partition(SEPARATOR)
    now = _cursor(picked)
    lines = f"{which} {[job.id for job in picked]}"
    turn = _turn(before[0], lines)
    if f"{turn} {lines}{SEPARATOR}{now}" == known:
        return [SKIP] * 7
    rows, colours = overlaid(picked, which)
    # Put out of sight rather than taken out of the page, where Gradio's plot would fail at measuring itself.
    away = gr.update(elem_classes=AWAY)
    drawn = gr.update(value=rows, color_map=colours, visible=True, elem_classes=SHOWN) if rows["data"] else away
    plots = [drawn, away]
    told = "" if rows["data"] else f"None of the picked runs has a loss on {LOSSES[which].lower()} yet."
    return [
        gr.update(value=which, visible=bool(picked)),
        *(plots if turn == 0 else plots[::-1]),
        gr.update(value=f'<div class="hearth-empty">{told}</div>', visible=bool(told and picked)),
        gr.update(visible=len(picked) == 2),
        difference_of(picked),
        f"{turn} {lines}{SEPARATOR}{now}",
    ]


def _turn(before: str, lines: str) -> int:
    """Which of the two charts shows these lines: the same as before while they are the same."""
    turn, _, shown = before.partition(" ")
    if not shown:
        return 0
    return int(turn) if shown == lines else 1 - int(turn)


def overlaid(picked: Sequence[JobDirectory], which: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A line for each run by step, and its colour by name."""
    rows: list[list[Any]] = []
    names = run_names(picked)
    for job, name in zip(picked, names, strict=True):
        points = thin(curves(job).lines.get(which, []), OVERLAID_POINTS)
        rows += [[point.step, point.smoothed if which == "loss" else point.value, name] for point in points]
    return plot_data(OVERLAY.unit, rows), dict(zip(names, COLOURS, strict=False))


def run_names(picked: Sequence[JobDirectory]) -> list[str]:
    """Titles; those that several runs share with the end of the id, which tells them apart."""
    titles = [str(job.header["title"]) for job in picked]
    return [
        title if titles.count(title) == 1 else f"{title} · {job.id[-4:]}"
        for title, job in zip(titles, picked, strict=True)
    ]


def difference_of(picked: Sequence[JobDirectory]) -> str:
    """What differs between two runs; empty for any other number of them."""
    if len(picked) != 2:
        return ""
    first, second = picked
    names = run_names(picked)
    return difference_html(compare(first, second), (names[0], names[1]))


def _cursor(picked: Sequence[JobDirectory]) -> str:
    """Changes with what the picked runs wrote; while one goes on, every few seconds."""
    if any(job.status().state.active for job in picked):
        return str(int(time.time() / REDRAW_SECONDS))
    return "|".join(stamp(job) for job in picked)
