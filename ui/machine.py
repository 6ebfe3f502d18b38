"""The strip at the top: this machine, what runs and what waits, of all workspaces; waiting jobs can move up."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from jobs.errors import Missing
from jobs.lease import Lease, Waiting
from jobs.workspace import Workspace
from models.hardware import probe
from ui.page import SKIP, Page
from ui.words import size


def lay_out(page: Page) -> None:
    """Draw the strip here and keep it up to date."""
    strip = gr.HTML("", elem_id="machine")
    with gr.Row(elem_id="queue"):
        waiting = gr.Dropdown([], label="Waiting jobs", allow_custom_value=True, visible=False, interactive=True)
        first = gr.Button("Run this one next", size="sm", visible=False, scale=0, min_width=180)
    error = gr.HTML(visible=False)
    cursor = gr.Textbox(visible=False)
    outputs = [strip, waiting, first, cursor]

    def poll(workspace: Workspace, known: str = "") -> list[Any]:
        return queue_view(workspace, known, demo=page.settings.demo)

    def move_up(workspace: Workspace, path: str | None) -> list[Any]:
        run_next(workspace, path or "")
        return poll(workspace)

    page.poll("", poll, [cursor], outputs)
    page.load(poll, outputs)
    page.on(first.click, move_up, [waiting], outputs, error)


def queue_view(workspace: Workspace, known: str, *, demo: bool) -> list[Any]:
    """Values of the strip, the list of waiting jobs, the button and the cursor; skipped when they are as `known`."""
    machine = probe(workspace.root)
    lease = Lease(machine.resource)
    holder, queue = lease.holder(), lease.queue()
    parts = [machine.describe(), f"{size(machine.disk_free)} disk free"]
    if holder:
        parts.append(f"<b>Running</b> {_named(holder, workspace)}")
    if queue:
        parts.append(f"<b>Waiting</b> {'; '.join(_named(each, workspace) for each in queue)}")
    if not holder and not queue:
        parts.append("idle")
    html = '<div class="hearth-machine">' + "".join(f"<span>{part}</span>" for part in parts) + "</div>"
    if html == known:
        return [SKIP, SKIP, SKIP, SKIP]
    movable = [each for each in queue[1:] if not demo or _own(each, workspace)]
    choices = [(_plain(each, workspace), each.path) for each in movable]
    shown = bool(choices)
    choice = gr.Dropdown(choices=choices, value=choices[0][1] if shown else None, visible=shown)
    return [html, choice, gr.Button(visible=shown), html]


def run_next(workspace: Workspace, path: str) -> None:
    """Put a waiting job first. Raises Missing when it doesn't wait any more."""
    lease = Lease(probe(workspace.root).resource)
    if path not in [each.path for each in lease.queue()]:
        raise Missing("This job doesn't wait any more.", "It has begun or was stopped.", "Nothing is left to do.")
    lease.reorder(Path(path), 0)


def _own(waiting: Waiting, workspace: Workspace) -> bool:
    return Path(waiting.path).parent.parent == workspace.root


def _named(waiting: Waiting, workspace: Workspace) -> str:
    return escape(_plain(waiting, workspace))


def _plain(waiting: Waiting, workspace: Workspace) -> str:
    """A job's title, and whose it is when it is not from here."""
    whose = "" if _own(waiting, workspace) else f" (from {Path(waiting.path).parent.parent.name})"
    return f"{waiting.title}{whose}"
