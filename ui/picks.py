"""A dropdown of things made before, such as datasets: by itself it follows the newest, a choice by hand stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from jobs.workspace import Workspace
from ui.drafts import read_draft, save_draft
from ui.page import SKIP, Page

Option = tuple[str, str]
Options = Callable[[Workspace], Sequence[Option]]
# Kept where "none of them" was chosen by hand, which is an option with an empty value.
NOTHING = "-"


@dataclass
class Pick:
    """`options` gives label and value of each thing there is, the one to take by default first."""

    tab: str
    key: str
    options: Options
    component: Any
    cursor: Any

    def value(self, workspace: Workspace) -> str | None:
        """What was chosen by hand, else the first option."""
        chosen = read_draft(workspace, self.tab).get(self.key)
        options = self.options(workspace)
        if chosen == NOTHING:
            return ""
        return str(chosen) if chosen else options[0][1] if options else None

    def keep(self, workspace: Workspace, value: str | None) -> None:
        """Keep a choice; the default is not one, so that it goes on following what is made next."""
        values = [known for _, known in self.options(workspace)]
        default = values[0] if values else None
        chosen = NOTHING if value == "" and "" in values[1:] else value
        save_draft(workspace, self.tab, **{self.key: None if value == default else chosen or None})

    def update(self, workspace: Workspace, cursor: str = "") -> list[Any]:
        """The dropdown and its cursor; skipped when nothing changed."""
        options, value = list(self.options(workspace)), self.value(workspace)
        if value and value not in [known for _, known in options]:
            options.append((value, value))
        now = repr((options, value))
        return [SKIP, SKIP] if now == cursor else [gr.Dropdown(choices=options, value=value), now]


def lay_out(tab: str, key: str, options: Options, label: str, info: str) -> Pick:
    """Draw the dropdown here."""
    # Any value is let through: what there is to choose from changes while the page is open, and a restarted server
    # knows only what it began with. A value that names nothing is refused where it is used.
    component = gr.Dropdown([], label=label, info=info, allow_custom_value=True, interactive=True, min_width=220)
    return Pick(tab, key, options, component, gr.Textbox(visible=False))


def wire(page: Page, pick: Pick) -> None:
    """Fill the dropdown when the page opens, and keep it up to date while its tab is open."""
    page.load(pick.update, [pick.component, pick.cursor])
    page.poll(pick.tab, pick.update, [pick.cursor], [pick.component, pick.cursor])


def forget(workspace: Workspace, tab: str, key: str) -> None:
    """Take back a choice by hand, so that what is being made now is chosen there as soon as it is done."""
    save_draft(workspace, tab, **{key: None})
