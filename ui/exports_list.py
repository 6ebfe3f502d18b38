"""Earlier exports on the Export tab: what each is, how much room it takes, and a way to delete it that asks once."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from export.stored import StoredExport, delete_export, stored_exports
from jobs.errors import BadInput
from jobs.workspace import Workspace
from ui import picks
from ui.job_view import empty
from ui.page import SKIP, Page
from ui.words import size, when

TAB = "export"
STATES = {"succeeded": "done"}


def lay_out(page: Page) -> None:
    """Draw the list here and wire it."""
    shown = gr.HTML("", elem_id="earlier-exports")
    pick = picks.lay_out(TAB, "delete", _options, "Delete an export", "Its files go for good; the training stays.")
    with gr.Row(elem_classes="hearth-buttons"):
        ask = gr.Button("Delete…", size="sm", elem_id="delete-export")
        sure = gr.Button("Delete for good", size="sm", variant="stop", visible=False, elem_id="delete-for-good")
        keep = gr.Button("Keep it", size="sm", visible=False)
    error, known = gr.HTML(visible=False), gr.Textbox(visible=False)

    def buttons(asking: bool) -> list[Any]:
        return [gr.Button(visible=not asking), gr.Button(visible=asking), gr.Button(visible=asking)]

    def show(workspace: Workspace, seen: str = "") -> list[Any]:
        html = list_html(stored_exports(workspace))
        return [SKIP, SKIP] if html == seen else [html, html]

    def delete(workspace: Workspace, job_id: str) -> list[Any]:
        if not job_id:
            raise BadInput("No export was chosen.", "There is nothing to delete.", "Choose one from the list.")
        delete_export(workspace, job_id)
        picks.forget(workspace, TAB, "delete")
        return [*show(workspace), *buttons(False)]

    page.load(show, [shown, known])
    page.poll(TAB, show, [known], [shown, known])
    picks.wire(page, pick)
    page.on(ask.click, lambda _: buttons(True), [], [ask, sure, keep], error)
    page.on(keep.click, lambda _: buttons(False), [], [ask, sure, keep], error)
    page.on(sure.click, delete, [pick.component], [shown, known, ask, sure, keep], error)


def _options(workspace: Workspace) -> list[picks.Option]:
    return [
        (f"{each.title} · {when(each.created)} · {size(each.size_bytes)}", each.id)
        for each in stored_exports(workspace)
    ]


def list_html(exports: list[StoredExport]) -> str:
    """A line for each export, and what all take together."""
    if not exports:
        return empty("Nothing exported yet. Files that you make are listed here with their size.")
    lines = "".join(
        f"<tr><td>{escape(each.title)}</td><td>{when(each.created)}</td>"
        f"<td>{escape(STATES.get(each.state, each.state))}</td>"
        f"<td>{escape(', '.join(each.files))}</td><td class='number'>{size(each.size_bytes)}</td></tr>"
        for each in exports
    )
    head = "<tr><th>Export</th><th>Made</th><th>State</th><th>Files</th><th class='number'>Size</th></tr>"
    total = sum(each.size_bytes for each in exports)
    return f"<div class='hearth-result'><table>{head}{lines}</table><p class='quiet'>Together {size(total)}.</p></div>"
