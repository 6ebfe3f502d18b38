"""The Sources step of the Datasets tab: where rows come from, the list of sources, and a look into the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from datasets_src.spec import SourceSpec
from jobs.workspace import Workspace
from ui import column_map, own_rows, spec_list
from ui.dataset_draft import OWN, SNAKE, SOURCES, TAB, change_source, chosen_source
from ui.form import Beside
from ui.job_view import empty
from ui.page import Page
from ui.sources import card_of, look_at, look_html, option_applies

NOTHING = "Upload a file or paste rows: what is in them shows here."
# Options that say how a source is read; they stand right above its rows.
READ_BY = ("text", "format")
ABOUT_SNAKE = (
    "Four programs (BFS, DFS, A* and a Hamiltonian cycle) play Snake; their moves become rows. A small model learns "
    "them in minutes, so this shows the whole way. Pressing **Build dataset** writes the rows first (about 5 seconds)."
)


@dataclass(frozen=True)
class SourcesPanel:
    """`kind`: the example or rows of one's own. `listed`: the sources of the latter as cards with an editor, in it the
    columns and rows of the one that is chosen.
    """

    kind: Any
    about: Any
    column: Any
    own: own_rows.OwnRows
    nothing: Any
    listed: spec_list.SpecList
    mapping: Any
    columns: dict[str, Any]
    look: Any

    @property
    def looking(self) -> list[Any]:
        """What shows the inside of the chosen source."""
        return [self.nothing, self.mapping, *self.columns.values(), self.look]

    @property
    def outputs(self) -> list[Any]:
        return [self.kind, self.about, self.column, *self.listed.outputs, *self.looking]

    def show(self, workspace: Workspace) -> list[Any]:
        """Values of `outputs`."""
        chosen = chosen_source(workspace)
        visible = [gr.Markdown(visible=chosen == SNAKE), gr.Column(visible=chosen == OWN)]
        return [chosen, *visible, *self.listed.show(workspace), *self.show_inside(workspace)]

    def show_inside(self, workspace: Workspace) -> list[Any]:
        """Values of `looking`."""
        item = self.listed.chosen_item(workspace)
        if item is None:
            return [gr.HTML(visible=True), gr.Accordion(visible=False), *column_map.show(None), ""]
        look = look_at(workspace, item)
        unknown = look.inspection is None or look.inspection.format is None
        # Opened where it is needed, and never closed under somebody's hands.
        mapping = gr.Accordion(visible=look.columns is not None, **({"open": True} if unknown else {}))
        return [gr.HTML(visible=False), mapping, *column_map.show(look.columns), look_html(workspace, item)]


def lay_out(page: Page) -> SourcesPanel:
    """Draw it here."""
    kind = gr.Radio([SNAKE, OWN], value=SNAKE, label="Rows from")
    about = gr.Markdown(ABOUT_SNAKE)
    with gr.Column(visible=False) as column:
        own = own_rows.lay_out(page)
        nothing = gr.HTML(empty(NOTHING))
        listed = spec_list.lay_out(SourceSpec, TAB, SOURCES, card_of, applies=option_applies, hide=("path",))
        with listed.column:
            spec_list.lay_out_options(listed, READ_BY)
            with gr.Accordion("Which column holds what", open=False, visible=False, elem_id="column-map") as mapping:
                gr.Markdown("Above each list stands what the training calls it, in the list the source's own column.")
                columns = column_map.lay_out(TAB)
            look = gr.HTML("", elem_id="look")
            with gr.Accordion("Tag, weight, part and more", open=False):
                spec_list.lay_out_options(listed, [each.path for each in listed.fields if each.path not in READ_BY])
    return SourcesPanel(kind, about, column, own, nothing, listed, mapping, columns, look)


def wire(page: Page, panel: SourcesPanel, everything: Beside, following: Beside, error: gr.HTML) -> None:
    """Connect it. `everything` may change when a source is added, `following` follows from any change of one."""

    def show_beside(workspace: Workspace) -> list[Any]:
        return [*panel.show_inside(workspace), *following.show(workspace)]

    def map_columns(workspace: Workspace, *values: Any) -> list[Any]:
        change_columns(workspace, panel.listed, dict(zip(panel.columns, values, strict=True)))
        return [*panel.listed.show(workspace), *show_beside(workspace)]

    def choose(workspace: Workspace, kind: str) -> Sequence[Any]:
        change_source(workspace, kind)
        return everything.show(workspace)

    beside = Beside(show_beside, [*panel.looking, *following.outputs])
    page.load(everything.show, everything.outputs)
    page.on(panel.kind.input, choose, [panel.kind], everything.outputs, error)
    own_rows.wire(page, panel.own, panel.listed, everything, error)
    spec_list.wire(page, panel.listed, error, beside)
    chosen = list(panel.columns.values())
    outputs = [*panel.listed.outputs, *beside.outputs]
    page.on([each.input for each in chosen], map_columns, chosen, outputs, error)


def change_columns(workspace: Workspace, listed: spec_list.SpecList, chosen: dict[str, Any]) -> None:
    """Write the columns that were chosen for each name into the chosen source."""
    item = listed.chosen_item(workspace)
    known = look_at(workspace, item).columns if item else None
    if known is not None:
        listed.replace(workspace, {"columns": column_map.mapping_of(known, chosen)})
