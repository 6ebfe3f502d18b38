"""API keys on the Serving tab: made and shown once, listed, revoked after one question."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from jobs.errors import BadInput
from jobs.workspace import Workspace
from serving.keys import Key, Keys
from ui import demo
from ui.clicks import Click, acting_html, button, on_click
from ui.job_view import empty
from ui.page import SKIP, Page
from ui.serving_choice import TAB
from ui.words import when

NOTHING = "No keys yet. Make one for each person or program, so that each can be revoked by itself."
LIMITS = ("Requests a minute", "Tokens a day")


def lay_out(page: Page) -> None:
    """Draw the list and the form here, and wire them."""
    listed, cursor = acting_html(empty(NOTHING), elem_id="keys"), gr.Textbox(visible=False)
    question, asked = gr.HTML(""), gr.Textbox(visible=False)
    with gr.Row(visible=False, elem_classes="hearth-buttons") as sure:
        confirm = gr.Button("Yes, revoke it", size="sm", variant="stop", elem_id="revoke-key")
        cancel = gr.Button("No", size="sm")
    with gr.Row(equal_height=False):
        name = gr.Textbox("", label="Name", info="Whose key it is.", max_lines=1, min_width=140, elem_id="key-name")
        per_minute, per_day = (
            gr.Number(label=what, info="At most; 0: no limit.", value=0, step=1, min_width=130) for what in LIMITS
        )
    make = gr.Button("Make a key", size="sm", elem_id="make-key")
    made = gr.Textbox(
        "", label="The new key: copy it now, it can't be shown again", interactive=False, visible=False,
        buttons=["copy"], elem_id="new-key",
    )  # fmt: skip
    error = gr.HTML(visible=False)
    asking = [question, sure, asked]

    def create(workspace: Workspace, name: str, per_minute: float | None, per_day: float | None) -> list[Any]:
        demo.refuse(page.settings, "Making keys")
        key = new_key(workspace, name, per_minute, per_day)
        return [gr.Textbox(value=key, visible=True), "", *show(workspace)]

    def ask(_: Workspace, click: Click) -> list[Any]:
        words = f"Revoke the key “{escape(click.about)}”? Requests with it are refused from then on, for good."
        return [f'<div class="warning"><p>{words}</p></div>', gr.Row(visible=True), click.about]

    def revoke(workspace: Workspace, name: str) -> list[Any]:
        demo.refuse(page.settings, "Revoking keys")
        Keys(workspace).revoke(name)
        return ["", gr.Row(visible=False), "", *show(workspace)]

    page.load(show, [listed, cursor])
    page.poll(TAB, show, [cursor], [listed, cursor])
    page.on(make.click, create, [name, per_minute, per_day], [made, name, listed, cursor], error)
    on_click(page, listed, ask, [], asking, error)
    page.on(confirm.click, revoke, [asked], [*asking, listed, cursor], error)
    page.on(cancel.click, lambda _: ["", gr.Row(visible=False), ""], [], asking, error)


def new_key(workspace: Workspace, name: str, per_minute: float | None, per_day: float | None) -> str:
    """Make a key. Raises BadInput for a name or limit that can't be one."""
    if not name.strip():
        raise BadInput("The key has no name.", "A key is told from others by it.", "Enter whose key it is.")
    limits = [_whole(value, what) for value, what in zip((per_minute, per_day), LIMITS, strict=True)]
    return Keys(workspace).create(name.strip(), requests_per_minute=limits[0], tokens_per_day=limits[1])


def _whole(value: float | None, what: str) -> int | None:
    if value is not None and (value < 0 or value != int(value)):
        raise BadInput(f"{what}: {value:g} can't be a limit.", "It is counted from 1 up.", "Enter a whole number.")
    return int(value) if value else None


def show(workspace: Workspace, known: str = "") -> list[Any]:
    """The list and its cursor; skipped when it is as `known`."""
    html = keys_html(Keys(workspace).all())
    return [SKIP, SKIP] if html == known else [html, html]


def keys_html(keys: list[Key]) -> str:
    """A line for each key, those in use with a button."""
    if not keys:
        return empty(NOTHING)
    lines = "".join(
        f"<tr{' class=quiet' if key.revoked else ''}><td>{escape(key.name)}</td><td>…{escape(key.ending)}</td>"
        f"<td>{when(key.created)}</td><td>{_limits(key)}</td><td>{_end(key)}</td></tr>"
        for key in keys
    )
    head = "<tr><th>Name</th><th>Ends in</th><th>Made</th><th>Limits</th><th></th></tr>"
    return f"<div class='hearth-result hearth-keys scroll'><table>{head}{lines}</table></div>"


def _limits(key: Key) -> str:
    limits = [(key.requests_per_minute, "requests a minute"), (key.tokens_per_day, "tokens a day")]
    return ", ".join(f"{limit:,} {what}" for limit, what in limits if limit is not None) or "none"


def _end(key: Key) -> str:
    if key.revoked:
        return f"revoked {when(key.revoked)}"
    return button("revoke", key.name, "Revoke…", label=f"Revoke the key {key.name}")
