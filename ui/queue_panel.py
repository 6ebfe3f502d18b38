"""The queue of this machine: what runs, what waits and in which order; hidden when nothing waits."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from jobs.lease import Lease, Waiting
from jobs.workspace import Workspace
from models.hardware import probe
from ui.clicks import Click, acting_html, button, on_click
from ui.page import SKIP, Page

STEPS = {"up": -1, "down": 1}


def lay_out(page: Page) -> None:
    """Draw the queue here and keep it up to date, whichever tab is open."""
    queue = acting_html(visible=False, elem_id="waiting")
    cursor, error = gr.Textbox(visible=False), gr.HTML(visible=False)

    def poll(workspace: Workspace, known: str = "") -> list[Any]:
        return queue_view(workspace, known, demo=page.settings.demo)

    def act(workspace: Workspace, click: Click) -> list[Any]:
        move(workspace, click.about, STEPS.get(click.action, 0))
        return poll(workspace)

    page.poll("", poll, [cursor], [queue, cursor])
    page.load(poll, [queue, cursor])
    on_click(page, queue, act, [], [queue, cursor], error)


def queue_view(workspace: Workspace, known: str, *, demo: bool) -> list[Any]:
    """The queue's HTML and a cursor; skipped when it is as `known`."""
    lease = Lease(probe(workspace.root).resource)
    waiting = lease.queue()
    holder = lease.holder() if waiting else None
    html = queue_html(workspace, holder, waiting, demo=demo) if waiting else ""
    return [SKIP, SKIP] if html == known else [gr.update(value=html, visible=bool(html)), html]


def queue_html(workspace: Workspace, holder: Waiting | None, waiting: list[Waiting], *, demo: bool) -> str:
    """One line for each job; those of this workspace have buttons that move them."""
    runs = f"<li><span><b>Running</b> {_name(holder, workspace, demo=demo)}</span></li>" if holder else ""
    lines = []
    for place, each in enumerate(waiting):
        moves = ""
        if _own(each, workspace):
            up = button("up", each.path, "↑", label=f"Earlier: {each.title}") if place else ""
            down = button("down", each.path, "↓", label=f"Later: {each.title}") if place + 1 < len(waiting) else ""
            moves = up + down
        name = _name(each, workspace, demo=demo)
        lines.append(f"<li><span><b>{place + 1}.</b> {name}</span> <span>{moves}</span></li>")
    return f'<div class="hearth-queue"><ul class="hearth-cards">{runs}{"".join(lines)}</ul></div>'


def move(workspace: Workspace, path: str, by: int) -> None:
    """Move a waiting job of this workspace by one place. Raises Missing when it doesn't wait any more."""
    lease = Lease(probe(workspace.root).resource)
    job = workspace.job(Path(path).name)
    paths = [each.path for each in lease.queue()]
    place = paths.index(str(job.path)) if str(job.path) in paths else 0
    lease.move(job.path, place + by)


def _own(each: Waiting, workspace: Workspace) -> bool:
    return Path(each.path).parent.parent == workspace.root


def _name(each: Waiting, workspace: Workspace, *, demo: bool) -> str:
    """A job's title; of another workspace's job also whose it is, but never which visitor's."""
    if _own(each, workspace):
        return escape(each.title)
    if demo:
        return "another visitor’s job"
    return f"{escape(each.title)} <span class='quiet'>(from {escape(Path(each.path).parent.parent.name)})</span>"
