"""The rows browser: find rows, look at one as a chat and as tokens, change it by hand, see how all of them are spread.

It reads the folder of a dataset version or of a check (`folder_of` names it), keeps itself up to date with it, and
keeps what is asked for as a draft, so that a refresh loses nothing. Components are in rows_layout.py, what they show in
rows_values.py, what they do in rows_actions.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.workspace import Workspace
from ui import rows_layout, rows_values
from ui.page import Page
from ui.rows_actions import Actions
from ui.rows_layout import RowsPanel


def lay_out(page: Page) -> RowsPanel:
    """Draw the panel here."""
    return rows_layout.lay_out(page)


def wire(page: Page, panel: RowsPanel, folder_of: Callable[[Workspace], Path | None]) -> None:
    """Connect the panel. `folder_of` names the folder whose rows are shown, None while there is none."""
    Actions(panel, folder_of).wire(page)


def refresh_outputs(panel: RowsPanel) -> list[Any]:
    """What `show` gives values for. The panel notices new rows by itself; a tab may show them a second earlier."""
    return panel.outputs


def show(panel: RowsPanel, workspace: Workspace, folder: Path | None) -> list[Any]:
    """Values of `refresh_outputs` for the rows in `folder`; what to do where there are none."""
    return rows_values.show(panel, workspace, folder)
