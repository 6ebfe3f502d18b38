"""The strip at the top: this machine, what runs and what waits, of all workspaces."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from jobs.directory import State
from jobs.lease import Lease, Waiting
from jobs.workspace import Workspace
from models.hardware import Hardware, probe
from ui.page import SKIP, Page
from ui.words import size

HALF_GB = 500_000_000
LOOKED_AT = 20  # of the newest jobs: it is asked every two seconds


def lay_out(page: Page) -> None:
    """Draw the strip here and keep it up to date."""
    strip = gr.HTML("", elem_id="machine")
    cursor = gr.Textbox(visible=False)

    def poll(workspace: Workspace, known: str = "") -> list[Any]:
        return strip_view(workspace, known)

    page.poll("", poll, [cursor], [strip, cursor])
    page.load(poll, [strip, cursor])


def strip_view(workspace: Workspace, known: str) -> list[Any]:
    """Values of the strip and the cursor; skipped when they are as `known`."""
    machine = _calm(probe(workspace.root))
    lease = Lease(machine.resource)
    holder, queue = lease.holder(), lease.queue()
    parts = [machine.describe(), f"{size(machine.disk_free)} disk free"]
    running = [_named(holder, workspace)] if holder else []
    running += [escape(title) for title in _beside(workspace, {each.path for each in (holder, *queue) if each})]
    if running:
        parts.append(f"<b>Running</b> {'; '.join(running)}")
    if queue:
        parts.append(f"<b>Waiting</b> {'; '.join(_named(each, workspace) for each in queue)}")
    if not running and not queue:
        parts.append("idle")
    html = '<div class="hearth-machine">' + "".join(f"<span>{part}</span>" for part in parts) + "</div>"
    return [SKIP, SKIP] if html == known else [html, html]


def _calm(machine: Hardware) -> Hardware:
    """Free memory in halves of a GB: what flickers with every step would be sent to every open page."""
    return replace(machine, memory_free=round(machine.memory_free / HALF_GB) * HALF_GB)


def _beside(workspace: Workspace, known: set[str]) -> list[str]:
    """The titles of this workspace's jobs that run without waiting for the machine, such as a teacher's or a server."""
    newest = workspace.list_jobs()[:LOOKED_AT]
    return [job.header["title"] for job in newest if str(job.path) not in known and job.status().state is State.RUNNING]


def _named(waiting: Waiting, workspace: Workspace) -> str:
    return escape(_plain(waiting, workspace))


def _plain(waiting: Waiting, workspace: Workspace) -> str:
    """A job's title, and whose it is when it is not from here."""
    place = Path(waiting.path).parent.parent
    return waiting.title if place == workspace.root else f"{waiting.title} (from {place.name})"
