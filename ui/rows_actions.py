"""What the rows browser does: plain handlers that change what is kept, then show it; and their wiring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets_src.browse import Filter
from datasets_src.rows import Row
from jobs.errors import BadInput
from jobs.workspace import Workspace
from ui import edits, row_editor, rows_filters, rows_state, rows_values, training_choice
from ui.page import SKIP, Page
from ui.rows_layout import RowsPanel
from ui.rows_state import PAGE_ROWS, Browser, Look

# No part has as many rows.
BEYOND = 2**40
READING = '<p class="quiet">Reading the model\'s tokenizer …</p>'


@dataclass(frozen=True)
class Actions:
    """The handlers of a panel. Each takes the workspace first and gives values for the outputs it is wired to."""

    panel: RowsPanel
    folder_of: Callable[[Workspace], Path | None]

    def load(self, workspace: Workspace) -> list[Any]:
        """Everything, for a page that is opened."""
        return rows_values.show(self.panel, workspace, self.folder_of(workspace))

    def refresh(self, workspace: Workspace, cursor: str, lengths_cursor: str) -> list[Any]:
        """Everything when rows or edits changed; tokens and plots alone when another model or length was chosen."""
        folder = self.folder_of(workspace)
        outputs = self.panel.outputs
        if rows_values.cursor_of(workspace, folder) != cursor:
            return rows_values.show(self.panel, workspace, folder)
        if cursor == "nothing" or training_choice.stamp(workspace) == lengths_cursor:
            return [SKIP for _ in outputs]
        shown = rows_values.show(self.panel, workspace, folder)
        changing = len(self.panel.length_outputs)
        return [*[SKIP for _ in outputs[:-changing]], *shown[-changing:]]

    def ask(self, workspace: Workspace, *values: Any) -> list[Any]:
        """Rows of another filter."""
        wanted = rows_filters.wanted_of(*values)
        if wanted == rows_state.read_view(workspace).wanted:  # the field was left without a change
            return [SKIP for _ in self.panel.list_outputs]
        rows_state.ask_for(workspace, wanted)
        return rows_values.list_values(self._browser(workspace))

    def clear(self, workspace: Workspace) -> list[Any]:
        """All rows of the part."""
        rows_state.ask_for(workspace, Filter(part=rows_state.read_view(workspace).wanted.part))
        return rows_values.list_values(self._browser(workspace))

    def turn(self, workspace: Workspace, where: str) -> list[Any]:
        """Another page: `first`, `previous`, `next` or `last`."""
        start = rows_state.read_view(workspace).start
        goals = {"first": 0, "previous": max(0, start - PAGE_ROWS), "next": start + PAGE_ROWS, "last": BEYOND}
        rows_state.turn_to(workspace, goals[where])
        browser = self._browser(workspace)
        rows_state.turn_to(workspace, browser.view.start)  # behind the last page stands the last one
        return rows_values.list_values(browser)

    def go_to(self, workspace: Workspace, place: str) -> list[Any]:
        """The row at a place of the part, on its page. Raises BadInput for what is no place."""
        rows_state.go_to(workspace, self._folder(workspace), _number(place))
        return self._all(workspace)

    def select(self, workspace: Workspace, clicked: dict[str, Any]) -> list[Any]:
        """The row that was clicked; `clicked` says its `place`."""
        part = rows_state.read_view(workspace).wanted.part
        rows_state.choose(workspace, self._folder(workspace), part, _number(str(clicked.get("place"))))
        return self._all(workspace)

    def look(self, workspace: Workspace, look: Look, cursor: str) -> Iterator[list[Any]]:
        """The chosen row in another way; gives its tokens."""
        if not cursor:  # the browser opens the first of the ways while it draws the page; that is nobody's choice
            yield [SKIP, SKIP]
            return
        rows_state.keep_look(workspace, look)
        if look == "tokens":
            yield [READING, SKIP]
        yield self.tokens(workspace, False)

    def tokens(self, workspace: Workspace, everything: bool) -> list[Any]:
        """The chosen row's tokens, of a long row only the first ones or all."""
        if not rows_state.is_there(self.folder_of(workspace)):
            return [SKIP, SKIP]
        return rows_values.token_values(self.panel, workspace, self._browser(workspace), everything=everything)

    def typed(self, workspace: Workspace, *values: Any) -> list[Any]:
        """Keep what is being typed into the fields."""
        browser, row = self._chosen(workspace)
        self._keep_fields(workspace, browser, row, values)
        return row_editor.told(workspace, row, browser.facts.kind, browser.layer.mark(row))

    def typed_json(self, workspace: Workspace, text: str) -> list[Any]:
        """Keep what is being typed as JSON."""
        browser, row = self._chosen(workspace)
        row_editor.keep_typed(workspace, row, json=text)
        return row_editor.told(workspace, row, browser.facts.kind, browser.layer.mark(row))

    def reshape(self, workspace: Workspace, *values: Any) -> list[Any]:
        """Another role, or a turn less; gives the editor."""
        browser, row = self._chosen(workspace)
        self._keep_fields(workspace, browser, row, values)
        return self._editor(workspace)

    def add_turn(self, workspace: Workspace, *values: Any) -> list[Any]:
        """One turn more; gives the editor."""
        browser, row = self._chosen(workspace)
        value = self._keep_fields(workspace, browser, row, values)
        row_editor.keep_typed(workspace, row, value=row_editor.with_another_turn(value))
        return self._editor(workspace)

    def discard(self, workspace: Workspace) -> list[Any]:
        """Forget what was typed; gives the editor."""
        row_editor.forget_typed(workspace)
        return self._editor(workspace)

    def keep(self, workspace: Workspace, *values: Any) -> list[Any]:
        """Take the fields over as an edit."""
        browser, row = self._chosen(workspace)
        value = self._keep_fields(workspace, browser, row, values)
        return self._change(workspace, browser, row, value)

    def keep_json(self, workspace: Workspace, text: str) -> list[Any]:
        """Take the JSON over as an edit."""
        browser, row = self._chosen(workspace)
        row_editor.keep_typed(workspace, row, json=text)
        return self._change(workspace, browser, row, row_editor.value_from_json(text))

    def delete(self, workspace: Workspace) -> list[Any]:
        """Leave the chosen row out."""
        _, row = self._chosen(workspace)
        edits.delete(workspace, *edits.origin_of(row))
        row_editor.forget_typed(workspace)
        return self._all(workspace)

    def restore(self, workspace: Workspace) -> list[Any]:
        """Forget all edits of the chosen row."""
        _, row = self._chosen(workspace)
        edits.restore(workspace, *edits.origin_of(row))
        row_editor.forget_typed(workspace)
        return self._all(workspace)

    def undo(self, workspace: Workspace) -> list[Any]:
        """Take the last edit back."""
        edits.undo(workspace)
        return self._all(workspace)

    def redo(self, workspace: Workspace) -> list[Any]:
        """Do again what was taken back last."""
        edits.redo(workspace)
        return self._all(workspace)

    def undo_all(self, workspace: Workspace) -> list[Any]:
        """Take every edit back."""
        edits.undo_all(workspace)
        return self._all(workspace)

    def _change(self, workspace: Workspace, browser: Browser, row: Row, value: Any) -> list[Any]:
        edits.change(workspace, *edits.origin_of(row), value, browser.facts.kind)
        row_editor.forget_typed(workspace)
        return self._all(workspace)

    def _keep_fields(self, workspace: Workspace, browser: Browser, row: Row, values: tuple[Any, ...]) -> Row:
        """The row's content as it stands in the fields, kept as typed."""
        fields, good = row_editor.given_fields(values)
        value = row_editor.with_fields(row_editor.typed_value(workspace, row, browser.facts.kind), fields, good)
        row_editor.keep_typed(workspace, row, value=value)
        return value

    def _editor(self, workspace: Workspace) -> list[Any]:
        browser, row = self._chosen(workspace)
        return row_editor.shown(workspace, row, browser.facts.kind, browser.layer.mark(row))

    def _all(self, workspace: Workspace) -> list[Any]:
        """Values of the panel's `row_outputs`."""
        browser = self._browser(workspace)
        return rows_values.row_values(self.panel, workspace, browser)

    def _folder(self, workspace: Workspace) -> Path:
        folder = self.folder_of(workspace)
        if folder is None or not rows_state.is_there(folder):
            raise BadInput("These rows are gone.", "Their folder is no longer there.", "Press Check or Build again.")
        return folder

    def _browser(self, workspace: Workspace) -> Browser:
        return rows_state.open_browser(workspace, self._folder(workspace))

    def _chosen(self, workspace: Workspace) -> tuple[Browser, Row]:
        browser = self._browser(workspace)
        row = browser.chosen
        if row is None:
            raise BadInput("No row is chosen.", "The rows were built anew meanwhile.", "Click the row again.")
        return browser, row

    def wire(self, page: Page) -> None:
        """Connect the handlers."""
        self._wire_list(page)
        self._wire_row(page)
        self._wire_editor(page)
        outputs = self.panel.outputs
        page.load(self.load, outputs)
        page.poll(edits.TAB, self.refresh, [self.panel.cursor, self.panel.lengths_cursor], outputs)

    def _wire_list(self, page: Page) -> None:
        panel, filters = self.panel, self.panel.filters
        shown = panel.list_outputs
        menus = [filters.part.input, *(menu.input for menu in filters.menus.values())]
        page.on(menus, self.ask, filters.inputs, shown, panel.error, quiet=True)
        page.on([filters.text.submit, filters.text.blur], self.ask, filters.inputs, shown, panel.error)
        page.on(filters.clear.click, self.clear, [], shown, panel.error, quiet=True)
        for name, button in panel.pager.items():
            page.on(button.click, _turner(self, name), [], shown, panel.error, quiet=True)

    def _wire_row(self, page: Page) -> None:
        panel, detail = self.panel, self.panel.detail
        tokens = [detail.tokens, detail.all_tokens]
        page.on(panel.table.select, self.select, [], panel.row_outputs, panel.error, quiet=True, told=True)
        page.on(panel.place.submit, self.go_to, [panel.place], panel.row_outputs, panel.error, quiet=True)
        for look, tab in detail.tabs.items():
            page.stream(tab.select, _looker(self, look), [panel.cursor], tokens, panel.error)
        page.on(detail.all_tokens.input, self.tokens, [detail.all_tokens], tokens, panel.error)

    def _wire_editor(self, page: Page) -> None:
        panel, editor = self.panel, self.panel.detail.editor
        rows, error = panel.row_outputs, panel.error
        told = [editor.note, editor.discard]
        # Gradio tells of keys alone; what is pasted or dictated is noticed when the field is left.
        texts = [editor.mark.input, *(event for each in editor.texts for event in (each.input, each.blur))]
        page.on(texts, self.typed, editor.fields, told, error, quiet=True)
        page.on([editor.json.input, editor.json.blur], self.typed_json, [editor.json], told, error, quiet=True)
        roles = [each.input for each in editor.roles]
        page.on(roles, self.reshape, editor.fields, editor.outputs, error, quiet=True)
        page.on(editor.add.click, self.add_turn, editor.fields, editor.outputs, error, quiet=True)
        page.on(editor.discard.click, self.discard, [], editor.outputs, error, quiet=True)
        page.on(editor.keep.click, self.keep, editor.fields, rows, error)
        page.on(editor.keep_json.click, self.keep_json, [editor.json], rows, error)
        for button, handler in (
            (editor.delete, self.delete),
            (editor.restore, self.restore),
            (panel.edit_buttons["undo"], self.undo),
            (panel.edit_buttons["redo"], self.redo),
            (panel.edit_buttons["undo-all"], self.undo_all),
        ):
            page.on(button.click, handler, [], rows, error)


def _number(text: str) -> int:
    """A place as people write it; 0, which no row has, for what is none."""
    digits = text.strip().replace(",", "")
    return int(digits) if digits.isdecimal() else 0


def _turner(actions: Actions, where: str) -> Any:
    return lambda workspace: actions.turn(workspace, where)


def _looker(actions: Actions, look: Look) -> Any:
    return lambda workspace, cursor: actions.look(workspace, look, cursor)
