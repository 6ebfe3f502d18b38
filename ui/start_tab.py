"""The Start tab: the way to a model with its next step, this machine, its checks, and what runs or was done last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gradio as gr

from jobs.workspace import Workspace
from trainer.memory.reach import EMBEDDED, Reach
from ui import doctor_panel, start_examples, training_form
from ui import form as forms
from ui.clicks import Click, acting_html, on_click
from ui.drafts import save_draft
from ui.page import SKIP, Page
from ui.paths import check_model
from ui.start_goals import TAB, choose_goal
from ui.start_machine import DEMO, facts_of, machine_html, reach_of, within_reach
from ui.start_opening import open_job, open_step
from ui.start_path import TITLES, path
from ui.start_view import jobs_html, path_html

# Opens a tab: values of the page's tabs and of the name of the open one.
Go = Callable[[Workspace, str], list[Any]]
FROM_START = "Start"
# What a stranger's visit offers, whatever the machine has.
IN_DEMO = Reach(trains=EMBEDDED, answers=EMBEDDED, begin=EMBEDDED, preset="quick_lora")


def lay_out(page: Page, go: Go) -> None:
    """Draw the tab and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            way, error = acting_html(elem_id="path"), gr.HTML(visible=False)
            if not page.settings.demo:
                start_examples.lay_out(page)
        with gr.Column(scale=5, min_width=320):
            _lay_out_machine(page)
            recent = acting_html(elem_id="recent")
            if not page.settings.demo:
                doctor_panel.lay_out(page)
    _wire(page, go, way, recent, error)


def _lay_out_machine(page: Page) -> None:
    """The machine; in the demo it is nobody's business."""
    if page.settings.demo:
        gr.HTML(DEMO, elem_id="this-machine")
        return
    machine, known = gr.HTML("", elem_id="this-machine"), gr.Textbox(visible=False)

    def show(workspace: Workspace, seen: str = "") -> list[Any]:
        html = machine_html(facts_of(workspace.root))
        return [SKIP, SKIP] if html == seen else [html, html]

    page.load(show, [machine, known])
    page.poll(TAB, show, [known], [machine, known])


def _wire(page: Page, go: Go, way: gr.HTML, recent: gr.HTML, error: gr.HTML) -> None:
    way_known, recent_known = gr.Textbox(visible=False), gr.Textbox(visible=False)

    def way_of(workspace: Workspace) -> str:
        reach = IN_DEMO if page.settings.demo else within_reach(reach_of(facts_of(workspace.root)))
        return path_html(workspace, path(workspace), reach)

    def show_way(workspace: Workspace, seen: str = "") -> list[Any]:
        html = way_of(workspace)
        return [SKIP, SKIP] if html == seen else [html, html]

    def show_recent(workspace: Workspace, seen: str = "") -> list[Any]:
        html = jobs_html(workspace)
        return [SKIP, SKIP] if html == seen else [html, html]

    def act(workspace: Workspace, click: Click) -> list[Any]:
        opened = acted(page, workspace, click)
        return [*show_way(workspace), *(go(workspace, opened) if opened else [SKIP, SKIP])]

    for show, html, known in ((show_way, way, way_known), (show_recent, recent, recent_known)):
        page.load(show, [html, known])
        page.poll(TAB, show, [known], [html, known])
        page.openings.append(on_click(page, html, act, [], [way, way_known, page.tabs, page.opened], error))


def acted(page: Page, workspace: Workspace, click: Click) -> str | None:
    """Do what was clicked; the tab that opens then, if any. Raises UserError."""
    match click.action:
        case "goal":
            choose_goal(workspace, click.about)
        case "take":
            take_model(page, workspace, click.about)
        case "again":
            begin_again(workspace)
        case "open" if click.about in TITLES:
            return open_step(workspace, click.about)
        case "job":
            return open_job(workspace, click.about)
    return None


def take_model(page: Page, workspace: Workspace, model: str) -> None:
    """Enter a model into the Training form, with the settings made for this card's size."""
    check_model(page.settings, workspace, model)
    preset = {} if page.settings.demo or model == EMBEDDED else {"preset": reach_of(facts_of(workspace.root)).preset}
    forms.enter(workspace, training_form.TAB, {"model": model, **preset}, FROM_START)


def begin_again(workspace: Workspace) -> None:
    """Begin a new path. What was made stays where it is; only this tab counts anew."""
    save_draft(workspace, TAB, goal=None, since=time.time())
