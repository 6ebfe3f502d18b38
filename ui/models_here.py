"""On this machine, a part of the Models tab: what is downloaded, where it is kept, and the login to the Hub."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import gradio as gr

from jobs.errors import BadInput
from jobs.workspace import Workspace
from models.downloads.cached import cached_models, remove_cached
from models.downloads.place import choose_place, models_place
from models.downloads.token import TOKENS_PAGE, log_in, log_out, login_state
from ui import demo
from ui.clicks import Click, acting_html, on_click
from ui.drafts import read_draft, save_draft
from ui.job_panel import JobPanel
from ui.models_acts import download, train_on
from ui.models_view import cached_html
from ui.page import SKIP, Page, Settings
from ui.parts import open_part
from ui.words import size

TAB = "models"
Go = Callable[[Workspace, str], Sequence[Any]]


def lay_out(page: Page, panel: JobPanel, go: Go) -> None:
    """Draw the part and wire it. `panel` shows downloads on the part beside it."""
    if page.settings.demo:
        gr.Markdown("The demo uses the embedded model alone; on your own machine, downloaded models stand here.")
        return
    error = gr.HTML(visible=False)
    models, cursor = acting_html("", elem_id="cached-models"), gr.Textbox(visible=False)
    said = gr.HTML("", elem_id="models-said")

    def poll(workspace: Workspace, known: str = "") -> list[Any]:
        return show(workspace, known)

    def act(workspace: Workspace, click: Click) -> list[Any]:
        tabs, job, words = [SKIP, SKIP], [SKIP for _ in panel.outputs], ""
        match click.action:
            case "ask":
                save_draft(workspace, TAB, asking=click.about)
            case "keep":
                save_draft(workspace, TAB, asking=None)
            case "delete":
                freed = remove_cached(workspace, click.about)
                save_draft(workspace, TAB, asking=None)
                words = good(f"{click.about} is deleted: {size(freed)} are free again.")
            case "train":
                train_on(page.settings, workspace, click.about)
                tabs = list(go(workspace, "training"))
            case "download":
                job = download(page.settings, workspace, panel, click.about)
                open_part(workspace, TAB, "choose")
        return [*tabs, *job, words, *show(workspace)]

    outputs = [page.tabs, page.opened, *panel.outputs, said, models, cursor]
    page.openings.append(on_click(page, models, act, [], outputs, error))
    page.load(poll, [models, cursor])
    page.poll(TAB, poll, [cursor], [models, cursor])
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            _lay_out_place(page)
        with gr.Column(min_width=320):
            _lay_out_login(page)


def show(workspace: Workspace, known: str = "") -> list[Any]:
    """Values of the list and its cursor; skipped when nothing changed since `known`."""
    asking = str(read_draft(workspace, TAB).get("asking", ""))
    html = cached_html(cached_models(), asking)
    return [SKIP, SKIP] if html == known else [html, html]


def _lay_out_place(page: Page) -> None:
    gr.Markdown("**Where models are kept**")
    shown = gr.HTML("", elem_id="models-place")
    page.load(lambda _: [place_html()], [shown])
    if not page.settings.local:
        return
    folder = gr.Textbox(
        "", label="Keep models in", info="A folder on this machine; what was downloaded before stays where it is.",
        placeholder="/data/models", max_lines=1, elem_id="place-folder",
    )  # fmt: skip
    with gr.Row(elem_classes="hearth-buttons"):
        choose = gr.Button("Keep models there", size="sm", elem_id="place-choose")
        usual = gr.Button("Back to the usual place", size="sm", elem_id="place-usual")
    error = gr.HTML(visible=False)
    page.on(choose.click, lambda _, text: move(page.settings, text), [folder], [shown, folder], error)
    page.on(usual.click, lambda _: move(page.settings, None), [], [shown, folder], error)


def move(settings: Settings, text: str | None) -> list[Any]:
    """Keep models in another folder, None for the usual one: values of the place shown, and of the field."""
    demo.refuse(settings, "Choosing where models are kept")
    if text is not None and not text.strip():
        raise BadInput("No folder is named.", "The field is empty.", "Enter one such as /data/models.")
    choose_place(text or "")
    return [place_html(), ""]


def place_html() -> str:
    """The place, why it is that one, and the room there."""
    place = models_place()
    existing = next(folder for folder in (place.folder, *place.folder.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    return f"<p><code>{escape(str(place.folder))}</code><br>{escape(place.origin)}; {size(free)} are free there.</p>"


def _lay_out_login(page: Page) -> None:
    gr.Markdown("**Login to the Hub**")
    state = gr.HTML("", elem_id="hub-login")
    token = gr.Textbox(
        "", label="Token", info="It goes into the Hub's own store on this machine, and nowhere else.", type="password",
        max_lines=1, elem_id="hub-token",
    )  # fmt: skip
    with gr.Row(elem_classes="hearth-buttons"):
        enter = gr.Button("Log in", size="sm", elem_id="hub-log-in")
        leave = gr.Button("Log out", size="sm", elem_id="hub-log-out")
    error = gr.HTML(visible=False)

    def come(_: Workspace, text: str) -> list[Any]:
        return [good(log_in(text).words), ""]

    page.load(lambda _: [login_html()], [state])
    page.on(enter.click, come, [token], [state, token], error)
    page.on(leave.click, lambda _: [f"<p>{escape(log_out().words)}</p>"], [], [state], error)


def login_html() -> str:
    """How this machine stands with the Hub, and where tokens are made."""
    words = escape(login_state().words)
    link = f'<a href="{TOKENS_PAGE}" target="_blank" rel="noopener">{TOKENS_PAGE.removeprefix("https://")}</a>'
    return f"<p>{words}<br>A token that may read is made at {link}.</p>"


def good(words: str) -> str:
    return f'<p class="good">{escape(words)}</p>'
