"""Filling a form: when the page opens, when what is picked brings other values, and from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from jobs.workspace import Workspace
from ui.drafts import read_draft
from ui.form import Form
from ui.page import SKIP, Page


def fill(page: Page, form: Form, follows: str, error: gr.HTML) -> None:
    """Fill the form when the page opens, and again when what is picked at option `follows` brings other values or some
    were entered from elsewhere.
    """
    known = gr.Textbox(visible=False)
    everything = [*form.outputs, known]

    def load(workspace: Workspace) -> list[Any]:
        return [*form.initial(workspace), str(form.base(workspace))]

    def follow(workspace: Workspace, before: str, *values: Any) -> list[Any]:
        shown = followed(workspace, form, before, values)
        return [*shown, SKIP] if shown is not None else load(workspace)

    page.load(load, everything)
    page.on(form.picks[follows].component.change, follow, [known, *form.typed], everything, error, quiet=True)
    fill_when_entered(page, form)


def followed(workspace: Workspace, form: Form, before: str, values: Sequence[Any]) -> list[Any] | None:
    """Values of the form's outputs after a change of what is picked; None where all is to be filled anew, since the
    values that stand there by themselves are no more those that were told `before`.

    `values`: of `typed`, among them what was typed while the page was on its way here.
    """
    if str(form.base(workspace)) == before:  # what is being typed meanwhile must not be put back
        return form.refreshed(workspace, values[: len(form.components)])
    if form.memo is not None and values[-1]:
        form.keep(workspace, values)
    return None


def fill_when_entered(page: Page, form: Form) -> None:
    """Fill the form, while its tab is open, with what was entered from elsewhere."""
    entered = gr.Textbox("0", visible=False)
    everything = [*form.outputs, entered]

    def look(workspace: Workspace, before: str) -> list[Any]:
        now = str(read_draft(workspace, form.tab).get("entered", 0))
        return [SKIP for _ in everything] if now == before else [*form.initial(workspace), now]

    page.poll(form.tab, look, [entered], everything)
