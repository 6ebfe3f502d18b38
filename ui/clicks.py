"""HTML that acts: buttons inside a component's own HTML, such as those of a card, tell a handler what was clicked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from jobs.workspace import Workspace
from ui.page import Page

# One listener for all buttons that the HTML holds now or later: it is replaced whenever its value changes. The second
# click of a double one says nothing new.
LISTEN = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-do]');
  if (button && event.detail < 2) trigger('click', { action: button.dataset.do, about: button.dataset.about || '' });
});
"""


@dataclass(frozen=True)
class Click:
    """What a button says: what to do, and with what."""

    action: str
    about: str


def acting_html(value: str = "", **options: Any) -> gr.HTML:
    """A component whose HTML may hold buttons made by `button`."""
    return gr.HTML(value, js_on_load=LISTEN, apply_default_css=False, **options)


def button(action: str, about: str, words: str, *, pressed: bool | None = None, label: str = "") -> str:
    """The HTML of a button. `pressed`: whether it is the chosen one of several; `label`: what is read out for it."""
    state = "" if pressed is None else f' aria-pressed="{"true" if pressed else "false"}"'
    spoken = f' aria-label="{escape(label)}" title="{escape(label)}"' if label else ""
    named = f'data-do="{escape(action)}" data-about="{escape(about)}"'
    return f'<button type="button" class="hearth-act" {named}{state}{spoken}>{escape(words)}</button>'


def on_click(
    page: Page,
    html: gr.HTML,
    handler: Callable[..., Sequence[Any]],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    error: gr.HTML,
) -> Any:
    """Call `handler` with the workspace, the click and the inputs' values; every click, in turn."""

    def call(workspace: Workspace, told: dict[str, Any] | None, *values: Any) -> Sequence[Any]:
        said = told or {}
        return handler(workspace, Click(str(said.get("action", "")), str(said.get("about", ""))), *values)

    return page.on(html.click, call, inputs, outputs, error, told=True, every=True)
