"""The whole page: title, machine strip, the tabs; what is filled in when it opens and kept up to date."""

from __future__ import annotations

from typing import Any

import gradio as gr

from jobs.workspace import Workspace
from ui import (
    datasets_tab,
    evaluation_tab,
    export_tab,
    machine,
    models_tab,
    queue_panel,
    serving_tab,
    start_tab,
    training_tab,
)
from ui.drafts import read_draft, save_draft
from ui.page import ONCE_FILLED, SKIP, Page, Settings
from ui.parts import open_part
from ui.translation.catalogue import languages, name_of

TABS = {
    "start": "Start",
    "datasets": "1 · Datasets",
    "models": "Models",
    "training": "2 · Training",
    "evaluation": "3 · Evaluation",
    "export": "4 · Export",
    "serving": "5 · Serving",
}
NEXT = {"datasets": "train on it", "training": "see whether it got better", "evaluation": "make files of it"}
SUBTITLE = "Fine-tune a language model here, see honestly whether it got better, take it with you."
LANGUAGES = (("en", "English"), *((tag, name_of(tag)) for tag in languages()))
TITLE = f"<h1>Hearth</h1> <span class='quiet'>{SUBTITLE}</span>" + "".join(
    f"<a class='hearth-language' href='?language={tag}' lang='{tag}' translate='no'>{name}</a>"
    for tag, name in LANGUAGES
)


def build_page(settings: Settings) -> gr.Blocks:
    """The page as Gradio blocks, ready to launch. Nothing is read from disk yet."""
    with gr.Blocks(title="Hearth", analytics_enabled=False, fill_width=False) as blocks:
        front = gr.Column(elem_classes="hearth-front")
        gr.HTML(TITLE, elem_id="title")
        opened = gr.Textbox("", visible=False)  # the open tab's name, once the page is filled in
        tabs = gr.Tabs(selected="start", overflow_behavior="wrap", render=False)
        page = Page(settings, tabs, opened, front)
        machine.lay_out(page)
        queue_panel.lay_out(page)
        fault = gr.HTML(visible=False)
        tabs.render()
        with tabs:
            parts = _lay_out_tabs(page, fault)
        page.load(open_where_left, [tabs, opened])
        for name, tab in parts.items():
            opening = page.on(tab.select, _opener(name), [opened], [opened], fault, quiet=True, js=ONCE_FILLED)
            page.openings.append(opening)
        page.wire(blocks, fault)
    return blocks


def _lay_out_tabs(page: Page, fault: gr.HTML) -> dict[str, gr.Tab]:
    """Every tab, with the button that leads on to the next."""
    parts = {}
    go_on = {
        name: gr.Button(f"Next: {what} →", visible=False, render=False, elem_classes="hearth-next")
        for name, what in NEXT.items()
    }
    for name, title in TABS.items():
        with gr.Tab(title, id=name, elem_id=f"tab-{name}") as parts[name]:
            match name:
                case "start":
                    start_tab.lay_out(page, go)
                case "datasets":
                    datasets_tab.lay_out(page, go_on[name])
                case "models":
                    models_tab.lay_out(page, go)
                case "training":
                    learn = training_tab.lay_out(page, go_on[name])
                case "evaluation":
                    evaluation_tab.lay_out(page, go_on[name], learn)
                case "export":
                    export_tab.lay_out(page)
                case _:
                    serving_tab.lay_out(page)
    steps = [name for name in TABS if name not in ("start", "models")]
    for name, following in zip(go_on, steps[1:], strict=False):
        _lead_on(page, go_on[name], following, fault)
    return parts


def _lead_on(page: Page, button: Any, following: str, fault: gr.HTML) -> None:
    opening = page.on(button.click, lambda workspace: go_on(workspace, following), [], [page.tabs, page.opened], fault)
    page.openings.append(opening)


def go_on(workspace: Workspace, tab: str) -> list[Any]:
    """Open the next step's tab where that step is done, whatever part of it was looked at last."""
    open_part(workspace, tab)
    return go(workspace, tab)


def go(workspace: Workspace, tab: str) -> list[Any]:
    """Open a tab: values of the page's tabs and of the open one's name."""
    save_draft(workspace, "page", tab=tab)
    return [gr.Tabs(selected=tab), tab]


def _opener(name: str) -> Any:
    def open_tab(workspace: Workspace, opened: str) -> list[Any]:
        # Empty while the browser draws the page and selects the first tab: that is nobody's choice.
        if not opened:
            return [SKIP]
        save_draft(workspace, "page", tab=name)
        return [name]

    return open_tab


def open_where_left(workspace: Workspace) -> list[Any]:
    """The tab that was open last."""
    tab = read_draft(workspace, "page").get("tab", "start")
    return [gr.Tabs(selected=tab), tab]
