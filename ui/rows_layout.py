"""The components of the rows browser, and how they stand on the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui import row_editor, rows_filters, rows_list
from ui.job_view import empty
from ui.page import Page, Settings
from ui.row_editor import Editor
from ui.rows_filters import Filters
from ui.rows_state import Look

NOTHING = "No rows yet. Name your sources above and press “Check”: every row and what was found in it shows here."


@dataclass
class Detail:
    """The components that show one row."""

    column: Any
    head: Any
    looks: Any
    chat: Any
    tokens: Any
    all_tokens: Any
    tabs: dict[Look, Any]
    editor: Editor

    @property
    def outputs(self) -> list[Any]:
        return [self.column, self.head, self.looks, self.chat, self.tokens, self.all_tokens, *self.editor.outputs]


@dataclass
class RowsPanel:
    """The components. `cursor` and `lengths_cursor` tell what is shown already."""

    settings: Settings
    cursor: Any
    lengths_cursor: Any
    error: Any
    nothing: Any
    body: Any
    filters: Filters
    words: Any
    table: Any
    pager: dict[str, Any]
    place: Any
    detail: Detail
    edited: Any
    edit_buttons: dict[str, Any]
    plots: Any

    @property
    def list_outputs(self) -> list[Any]:
        return [*self.filters.outputs, self.words, self.table, *self.pager.values()]

    @property
    def edit_outputs(self) -> list[Any]:
        return [self.cursor, self.edited, *self.edit_buttons.values()]

    @property
    def length_outputs(self) -> list[Any]:
        return [self.lengths_cursor, self.detail.tokens, self.detail.all_tokens, self.plots]

    @property
    def row_outputs(self) -> list[Any]:
        """What changes with a row: the list, the row, and how many edits there are."""
        return [*self.list_outputs, *self.detail.outputs, *self.edit_outputs]

    @property
    def outputs(self) -> list[Any]:
        """Everything that `show` gives values for."""
        return [self.nothing, self.body, *self.row_outputs, *self.length_outputs]


def lay_out(page: Page) -> RowsPanel:
    """Draw the panel here."""
    nothing = gr.HTML(empty(NOTHING))
    with gr.Column(visible=False, elem_classes="hearth-rows", elem_id="rows") as body:
        filters = rows_filters.lay_out()
        error = gr.HTML(visible=False)
        edited, edit_buttons = _lay_out_edits()
        with gr.Row(equal_height=False):
            with gr.Column(min_width=340, elem_classes="hearth-list"):
                words = gr.HTML("", elem_id="rows-words")
                table = gr.HTML("", js_on_load=rows_list.ON_LOAD, elem_id="rows-table")
                pager, place = _lay_out_pager()
            detail = _lay_out_detail()
        with gr.Accordion("All rows at a glance", open=True):
            plots = gr.HTML("", elem_id="rows-plots")
    cursor, lengths_cursor = gr.Textbox(visible=False), gr.Textbox(visible=False)
    return RowsPanel(
        page.settings, cursor, lengths_cursor, error, nothing, body, filters, words, table, pager, place, detail,
        edited, edit_buttons, plots,
    )  # fmt: skip


def _lay_out_pager() -> tuple[dict[str, Any], Any]:
    titles = {"first": "« First", "previous": "‹ Back", "next": "Next ›", "last": "Last »"}
    with gr.Row(elem_classes=["hearth-buttons", "hearth-pager"]):
        pager = {name: gr.Button(title, size="sm", elem_id=f"rows-{name}") for name, title in titles.items()}
        place = gr.Textbox(
            label="Go to row", show_label=False, placeholder="Row number, Enter", container=False, min_width=120,
            max_lines=1, elem_id="rows-place",
        )  # fmt: skip
    return pager, place


def _lay_out_detail() -> Detail:
    tabs: dict[Look, Any] = {}
    with gr.Column(visible=False, min_width=340, elem_classes="hearth-row", elem_id="rows-row") as column:
        head = gr.HTML("", elem_id="rows-head")
        with gr.Tabs(selected="chat", overflow_behavior="wrap") as looks:
            with gr.Tab("As a chat", id="chat") as tabs["chat"]:
                chat = gr.HTML("", elem_id="rows-chat")
            with gr.Tab("As the model sees it", id="tokens") as tabs["tokens"]:
                all_tokens = gr.Checkbox(False, label="All tokens of this long row", visible=False)
                tokens = gr.HTML("", elem_id="rows-tokens")
            with gr.Tab("Change or delete", id="edit") as tabs["edit"]:
                editor = row_editor.lay_out()
    return Detail(column, head, looks, chat, tokens, all_tokens, tabs, editor)


def _lay_out_edits() -> tuple[Any, dict[str, Any]]:
    with gr.Row(elem_classes=["hearth-buttons", "hearth-edits"]):
        edited = gr.HTML("", elem_id="rows-edited")
        buttons = {
            name: gr.Button(title, size="sm", visible=False, elem_id=f"rows-{name}")
            for name, title in (("undo", "Undo last edit"), ("redo", "Redo"), ("undo-all", "Undo all edits"))
        }
    return edited, buttons
