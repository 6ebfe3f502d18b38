"""The Build step of the Datasets tab: the job that builds, what came of it, and its advice for the training."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from jobs.directory import JobDirectory, State, Status
from jobs.files import read_json
from jobs.workspace import Workspace
from ui import form as forms
from ui import job_panel
from ui.advice_view import advice_html, in_words, settings_advised
from ui.choices import dataset_of
from ui.dataset_draft import TAB
from ui.health_panel import Cards, lay_out_cards
from ui.page import Page
from ui.rows_view import dataset_html

NOTHING = "No dataset yet. Press “Build dataset”: with nothing changed, it builds the Snake example."
# How a build begins to say that rows made it stop.
BAD_ROWS = re.compile(r"[\d,]+ rows? of [\d,]+ can't be used")


@dataclass(frozen=True)
class BuildPanel:
    """The build's job panel and its result. `decide` leads to the cards when rows made it stop."""

    panel: job_panel.JobPanel
    decide: Any
    report: Any
    advice: Any
    take: Any
    taken: Any
    error: Any
    found: Any
    cards: Cards


def lay_out(go_on: Any) -> BuildPanel:
    """Draw the step here. `go_on`: the button that leads to the next tab."""
    panel = job_panel.lay_out(TAB, "data.build", NOTHING)
    decide = gr.Button(
        "See these rows and decide what happens to them", visible=False, variant="primary", elem_id="decide"
    )
    go_on.render()
    report = gr.HTML("", elem_id="dataset")
    advice = gr.HTML("", elem_id="advice")
    with gr.Row(elem_classes="hearth-buttons"):
        take = gr.Button("Use this advice for the training", visible=False, size="sm", elem_id="take-advice")
    taken = gr.HTML("")
    error = gr.HTML(visible=False)
    with gr.Accordion("What the checks found, and what was done", open=False, visible=False) as found:
        cards = lay_out_cards(panel, "report.json", "build-health")
    job_panel.lay_out_details(panel)
    return BuildPanel(panel, decide, report, advice, take, taken, error, found, cards)


def wire(page: Page, build: BuildPanel, go_on: Any) -> None:
    """Keep the step up to date."""

    def take(workspace: Workspace) -> list[Any]:
        return [advice_taken(workspace, build.panel.shown_job(workspace))]

    outputs = [build.decide, build.report, build.advice, build.take, build.taken, build.found, go_on]
    job_panel.wire(page, build.panel, result, outputs)
    page.on(build.take.click, take, [], [build.taken], build.error)


def result(workspace: Workspace, job: JobDirectory, status: Status) -> list[Any]:
    """What a finished build made, or where to go when rows made it stop."""
    manifest = job.manifest
    version = dataset_of(workspace, manifest["figures"]["dataset"]) if manifest else None
    hidden = gr.Button(visible=False)
    if status.state is not State.SUCCEEDED or version is None:
        stopped_by_rows = status.state is State.FAILED and BAD_ROWS.match(status.message) is not None
        return [gr.Button(visible=stopped_by_rows), "", "", hidden, "", gr.Accordion(visible=False), hidden]
    report = read_json(job.path / "report.json") or version.report
    return [
        hidden,
        f'<div class="hearth-result">{dataset_html(version, report)}</div>',
        f'<div class="hearth-result"><h4>Advice for the training</h4>{advice_html(report["advice"])}</div>',
        gr.Button(visible=bool(settings_advised(report["advice"]))),
        "",
        gr.Accordion(visible=True),
        gr.Button(visible=True),
    ]


def advice_taken(workspace: Workspace, job: JobDirectory | None) -> str:
    """Enter a build's advice into the Training tab's form; what it says now."""
    report = read_json(job.path / "report.json") if job is not None else None
    settings = settings_advised(report["advice"]) if report else {}
    forms.enter(workspace, "training", settings, origin="advice of the dataset")
    return f'<p class="good">The Training tab now says: {escape(in_words(settings))}.</p>'
