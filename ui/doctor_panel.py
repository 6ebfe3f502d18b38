"""The doctor on the Start tab: what is quickly read shows at once, the rest by a button, with progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from typing import Any

import gradio as gr

from jobs.workspace import Workspace
from models.doctor.facts import Facts, Sleep, Tried
from models.doctor.findings import examine
from models.doctor.reading.trying import try_everything
from ui.doctor_view import checking_html, findings_html
from ui.drafts import read_draft, save_draft
from ui.hub_state import State, hub_state
from ui.page import SKIP, Page
from ui.start_goals import TAB
from ui.start_machine import facts_of

KEPT = "doctor"
LOOK_SECONDS = 0.5


def lay_out(page: Page) -> None:
    """Draw it here and wire it."""
    with gr.Column(elem_classes="hearth-start-box"):
        gr.HTML("<h2>Checks</h2>")
        found, known = gr.HTML("", elem_id="doctor"), gr.Textbox(visible=False)
        progress, error = gr.HTML("", elem_id="doctor-progress"), gr.HTML(visible=False)
        check = gr.Button("Check everything", size="sm", elem_id="check-everything")

    def show(workspace: Workspace, seen: str = "") -> list[Any]:
        html = html_of(workspace, facts_of(workspace.root))
        return [SKIP, SKIP] if html == seen else [html, html]

    def run(workspace: Workspace) -> Iterator[list[Any]]:
        for share, words in checking(workspace):
            yield [checking_html(share, words), SKIP, SKIP]
        yield ["", *show(workspace)]

    page.load(show, [found, known])
    page.poll(TAB, show, [known], [found, known])
    page.stream([check.click], run, [], [progress, found, known], error)


def html_of(workspace: Workspace, facts: Facts) -> str:
    """The findings, with what trying told where that still holds."""
    kept = read_draft(workspace, KEPT)
    tried = kept_trial(kept, facts)
    shown = with_hub(tried or Tried(), hub_state())
    return findings_html(examine(replace(facts, tried=shown)), kept["when"] if tried else None)


def with_hub(tried: Tried, state: State) -> Tried:
    """What was tried, with what is known of the Hub right now."""
    if state == "unknown":
        return tried
    return replace(tried, hub=state == "online", offline_wanted=state == "off")


def checking(workspace: Workspace) -> Iterator[tuple[float, str]]:
    """Try everything, and keep what it told; meanwhile, the share that is done and what comes next."""
    facts = facts_of(workspace.root)
    told = [(0.0, "Beginning")]
    with ThreadPoolExecutor(1) as pool:
        trying = pool.submit(try_everything, facts, lambda share, words: told.append((share, words)))
        while not trying.done():
            yield told[-1]
            wait([trying], timeout=LOOK_SECONDS)
        keep_trial(workspace, trying.result())


def keep_trial(workspace: Workspace, facts: Facts) -> None:
    """Keep what trying told, so that a refresh loses nothing."""
    assert facts.tried is not None
    save_draft(workspace, KEPT, tried=asdict(facts.tried), versions=dict(facts.libraries.versions), when=time.time())


def kept_trial(kept: dict[str, Any], facts: Facts) -> Tried | None:
    """What trying told last; None where nothing was tried, or other libraries are installed since."""
    if not kept or kept["versions"] != dict(facts.libraries.versions):
        return None
    sleep = kept["tried"]["sleep"]
    return Tried(**{**kept["tried"], "sleep": Sleep(**sleep) if sleep else None})
