"""What the components of the rows browser show: values for its outputs, read from a folder and from what is kept."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from datasets_src.browse import Filter
from datasets_src.rows import Row
from jobs.errors import UserError
from jobs.workspace import Workspace
from ui import edits, row_editor, rows_filters, rows_list, training_choice
from ui.drafts import read_draft
from ui.errors import explain
from ui.job_view import empty
from ui.length_plots import plots_html
from ui.mask_view import mask_of
from ui.page import SKIP
from ui.row_cards import row_html
from ui.rows_layout import RowsPanel
from ui.rows_state import PAGE_ROWS, PART_TITLES, Browser, is_there, open_browser
from ui.training_choice import training_choice as choice_of


def show(panel: RowsPanel, workspace: Workspace, folder: Path | None) -> list[Any]:
    """Values of the panel's outputs for the rows in `folder`; what to do where there are none."""
    if not is_there(folder):
        hidden: list[Any] = [SKIP for _ in panel.outputs]
        hidden[:2] = [gr.HTML(visible=True), gr.Column(visible=False)]
        hidden[2 + panel.row_outputs.index(panel.cursor)] = "nothing"
        return hidden
    assert folder is not None
    browser = open_browser(workspace, folder)
    return [
        gr.HTML(visible=False),
        gr.Column(visible=True),
        *row_values(panel, workspace, browser),
        *_length_values(panel, workspace, browser, everything=False),
    ]


def cursor_of(workspace: Workspace, folder: Path | None) -> str:
    """Changes whenever other rows or edits are to be shown; cheap to make."""
    if folder is None or not is_there(folder):
        return "nothing"
    written = [(folder / name).stat().st_mtime_ns for name in ("index.parquet", "report.json")]
    draft = read_draft(workspace, edits.TAB)
    return f"{folder} {written} {hash(repr(draft.get('edits')))} {len(draft.get('undone_edits', []))}"


def list_values(browser: Browser) -> list[Any]:
    """Values of `list_outputs`."""
    start, total = browser.view.start, browser.page.total
    end = start + PAGE_ROWS >= total
    return [
        *rows_filters.shown(browser),
        f'<p class="quiet">{escape(rows_list.words_of(browser))}</p>',
        rows_list.list_html(browser),
        *[gr.Button(interactive=start > 0)] * 2,
        *[gr.Button(interactive=not end)] * 2,
    ]


def detail_values(panel: RowsPanel, workspace: Workspace, browser: Browser) -> list[Any]:
    """Values of the outputs of `Detail`."""
    row = browser.chosen
    if row is None:
        return [gr.Column(visible=False), *[SKIP for _ in panel.detail.outputs[1:]]]
    mark = browser.layer.mark(row)
    return [
        gr.Column(visible=True),
        _head(browser, row, mark),
        gr.Tabs(selected=browser.view.look),
        row_html(row),
        *token_values(panel, workspace, browser, everything=False),
        *row_editor.shown(workspace, row, browser.facts.kind, mark),
    ]


def token_values(panel: RowsPanel, workspace: Workspace, browser: Browser, *, everything: bool) -> list[Any]:
    """The chosen row's tokens, and the box that asks for all of them. Worked out only while they are looked at."""
    row = browser.chosen
    if row is None or browser.view.look != "tokens":
        return ["", gr.Checkbox(visible=False)]
    choice = choice_of(workspace, browser.facts.report)
    try:
        sight = choice.sight(panel.settings, workspace)
        if sight is None:
            return [_not_here(choice.model), gr.Checkbox(visible=False)]
        mask = mask_of(row, sight, everything=everything)
    except UserError as error:
        return [explain(error), gr.Checkbox(visible=False)]
    return [mask.html, gr.Checkbox(value=everything, visible=mask.long)]


def _not_here(model: str) -> str:
    return empty(
        f"The files of {model} aren't on this machine yet, so its tokens can't be shown. Training fetches them; or "
        "name a model that is here, such as embedded, under “Lengths for model”."
    )


def _head(browser: Browser, row: Row, mark: edits.Mark) -> str:
    chosen = browser.view.chosen
    assert chosen is not None
    place = f"{PART_TITLES[chosen.part]} row {chosen.place:,}"
    found = browser.rows.page(Filter(part=chosen.part), chosen.place - 1, 1).checks[0]
    chips = "".join(rows_list.chips(found, browser.facts.titles))
    return (
        f'<div class="row-head"><b>{place}</b> <span class="quiet">{rows_list.from_html(row)}</span> '
        f"{rows_list.MARKS.get(mark, '')}{chips}</div>"
    )


def _edit_values(workspace: Workspace, browser: Browser) -> list[Any]:
    undoable, redoable = edits.can_undo(workspace), edits.can_redo(workspace)
    words = browser.layer.in_words
    return [
        cursor_of(workspace, browser.rows.folder),
        f'<p class="warning">{escape(words)}</p>' if words else "",
        gr.Button(visible=undoable),
        gr.Button(visible=redoable),
        gr.Button(visible=len(edits.edits_of(workspace)) > 1),
    ]


def row_values(panel: RowsPanel, workspace: Workspace, browser: Browser) -> list[Any]:
    return [
        *list_values(browser),
        *detail_values(panel, workspace, browser),
        *_edit_values(workspace, browser),
    ]


def _length_values(panel: RowsPanel, workspace: Workspace, browser: Browser, *, everything: bool) -> list[Any]:
    limit = choice_of(workspace, browser.facts.report).max_length
    return [
        training_choice.stamp(workspace),
        *token_values(panel, workspace, browser, everything=everything),
        plots_html(browser.rows, limit),
    ]
