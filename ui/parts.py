"""The parts of a tab, as tabs inside it; the one that was open last is open again."""

from __future__ import annotations

from typing import Any

import gradio as gr

from jobs.workspace import Workspace
from ui.drafts import read_draft, save_draft
from ui.page import CHOSEN, SKIP, Page


def wire_parts(page: Page, tab: str, parts: Any, tabs: dict[str, Any]) -> None:
    """`tabs` by their ids, the first one the one to begin with. `open_part` opens one from elsewhere."""
    known, fault = gr.Textbox(visible=False), gr.HTML(visible=False)
    first = next(iter(tabs))

    def load(workspace: Workspace) -> list[Any]:
        draft = read_draft(workspace, tab)
        return [gr.Tabs(selected=draft.get("part", first)), str(draft.get("part_opened", 0))]

    def follow(workspace: Workspace, seen: str) -> list[Any]:
        draft = read_draft(workspace, tab)
        now = str(draft.get("part_opened", 0))
        return [SKIP, SKIP] if now == seen else [gr.Tabs(selected=draft.get("part", first)), now]

    def opener(name: str) -> Any:
        def keep(workspace: Workspace, seen: str) -> list[Any]:
            if seen:
                save_draft(workspace, tab, part=name)
            return []

        return keep

    page.load(load, [parts, known])
    page.poll(tab, follow, [known], [parts, known])
    for name, part in tabs.items():
        page.on(part.select, opener(name), [known], [], fault, quiet=True, js=CHOSEN % name)


def open_part(workspace: Workspace, tab: str, name: str | None = None) -> None:
    """Have every page that shows the tab open this part of it, or the one that it begins with."""
    save_draft(workspace, tab, part=name, part_opened=int(read_draft(workspace, tab).get("part_opened", 0)) + 1)
