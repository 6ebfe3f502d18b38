"""Monitoring, a part of the Serving tab: figures, charts and quality by group, while it is the part that is open."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import gradio as gr
import httpx
import psutil

from jobs.workspace import Workspace
from serving.monitoring.figures import figures
from serving.monitoring.groups import by_group
from serving.tables import serving_database
from ui import serving_charts
from ui.drafts import read_draft, save_draft
from ui.page import SKIP, Page
from ui.serving_drawings import Drawing, Drawings
from ui.serving_monitoring_view import Standing, figures_html, groups_html, standings_html
from ui.serving_running import Running, running_of
from ui.serving_stamps import is_open, stamp

TAB = "serving_monitoring"
PART = "monitoring"
PERIODS = {"The last hour": 3600.0, "The last day": 86_400.0, "The last week": 7 * 86_400.0}
BY = {"Models": "model", "Versions": "version"}
GROUPS = {"Language": "language", "Tag": "tag", "Length of the question": "length"}
SLIDE_SECONDS, HEALTH_SECONDS = 60.0, 1.0


@dataclass(frozen=True)
class Choice:
    """What is looked at: words of PERIODS, BY and GROUPS."""

    period: str
    by: str
    group: str


def lay_out(page: Page) -> None:
    """Draw the part and wire it."""
    with gr.Row(equal_height=False):
        period = gr.Dropdown(list(PERIODS), label="Time", filterable=False, min_width=160, elem_id="monitored-time")
        by = gr.Dropdown(list(BY), label="A line for each of", filterable=False, min_width=160)
    servers = gr.HTML("", elem_id="servers-now")
    table = gr.HTML("", elem_id="monitored")
    plots = serving_charts.lay_out()
    group = gr.Dropdown(list(GROUPS), label="Quality by", filterable=False, min_width=160, elem_id="quality-by")
    quality, error, cursor = gr.HTML("", elem_id="quality"), gr.HTML(visible=False), gr.Textbox(visible=False)
    outputs, chosen = [servers, table, *plots, quality, cursor], [period, by, group]

    def poll(workspace: Workspace, known: str) -> list[Any]:
        made = drawing(workspace, choice_of(workspace)) if is_open(workspace, PART) else None
        return [SKIP for _ in outputs] if made is None or made.stamp == known else [*made.copies, made.stamp]

    def choose(workspace: Workspace, period: str, by: str, group: str) -> list[Any]:
        save_draft(workspace, TAB, period=period, by=by, group=group)
        made = drawing(workspace, choice_of(workspace))
        return [*made.copies, made.stamp]

    page.load(_chosen, chosen)
    page.poll(TAB, poll, [cursor], outputs)
    page.on([each.input for each in chosen], choose, chosen, outputs, error)


def choice_of(workspace: Workspace) -> Choice:
    """What was chosen, else the last hour by model and language."""
    draft = read_draft(workspace, TAB)
    return Choice(
        _one_of(list(PERIODS), draft.get("period")),
        _one_of(list(BY), draft.get("by")),
        _one_of(list(GROUPS), draft.get("group")),
    )


def _one_of(known: list[str], kept: Any) -> str:
    return str(kept) if kept in known else known[0]


def _chosen(workspace: Workspace) -> list[Any]:
    choice = choice_of(workspace)
    return [choice.period, choice.by, choice.group]


_DRAWINGS = Drawings()


def drawing(workspace: Workspace, choice: Choice) -> Drawing:
    """The newest drawing, made anew when there are newer requests or chats, or the window has moved on."""
    key = f"{workspace.root} {choice}"
    return _DRAWINGS.newest(key, _stamp(workspace, choice), lambda: _values(workspace, choice))


def _stamp(workspace: Workspace, choice: Choice) -> str:
    files = (serving_database(workspace).path, workspace.root / "interactions.sqlite")
    running = [job.id for job in workspace.list_jobs("serve") if job.status().state.active]
    parts = (choice, *(stamp(path) for path in files), running, int(time.time() / SLIDE_SECONDS))
    return " ".join(str(part) for part in parts)


def _values(workspace: Workspace, choice: Choice) -> list[Any]:
    until = time.time()
    since = until - PERIODS[choice.period]
    group = GROUPS[choice.group]
    return [
        standings_html([standing_of(server) for server in _running(workspace)]),
        figures_html(figures(workspace, since, until, BY[choice.by])),  # type: ignore[arg-type]  # one of BY
        *serving_charts.updates(workspace, since, until),
        groups_html(by_group(workspace, group, since, until), group),  # type: ignore[arg-type]  # one of GROUPS
    ]


def _running(workspace: Workspace) -> list[Running]:
    found = [running_of(job, job.status()) for job in workspace.list_jobs("serve")]
    return [server for server in found if server is not None]


def standing_of(server: Running) -> Standing:
    """How a server stands now, as it says itself; one that says nothing in time is busy or stopping."""
    try:
        said = httpx.get(f"{server.address}/health", timeout=HEALTH_SECONDS, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        said = {"status": "it does not answer now"}
    return Standing(
        str(server.job.header["title"]),
        server.address,
        int(said.get("running", 0)),
        int(said.get("waiting", 0)),
        _memory(server.job.status().pid),
        str(said["status"]),
    )


def _memory(pid: int | None) -> int | None:
    """Bytes that a process holds; None once it ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss) if pid else None
    except psutil.Error:
        return None
