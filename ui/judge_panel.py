"""A judge and preference pairs on the Evaluation tab: two forms, each with its job and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from evaluation.judge.spec import JudgingSpec
from evaluation.pairs.spec import PairsSpec
from jobs.directory import JobDirectory, State, Status
from jobs.spec import Spec
from jobs.workspace import Workspace
from ui import demo, job_panel
from ui import form as forms
from ui.page import Page
from ui.picks import Option, Options
from ui.words import count, when

TAB = "evaluation"
ABOUT_JUDGE = (
    "A *judge* is another model that says which of two answers is better, always asked in both orders. It is checked "
    "against your own votes first, and refused where it does not agree with you."
)
ABOUT_PAIRS = (
    "*Preference pairs* are a better and a worse answer to the same prompt: what DPO and ORPO learn from. The better "
    "one is told by a task that knows the right answer, by a judge, or by your votes and corrections."
)
ONLY_VOTES = "none: only check the judge against your votes"


@dataclass(frozen=True)
class Kind:
    """A job that a form starts. `result` is the HTML of its figures; `picked`: options chosen among what there is."""

    name: str
    spec: type[Spec]
    command: str
    button: str
    nothing: str
    first: Callable[[Workspace], dict[str, Any]]
    title: Callable[[Any], str]
    result: Callable[[dict[str, Any]], str]
    picked: dict[str, Options] = field(default_factory=dict)


def lay_out(page: Page) -> None:
    """Draw both here and wire them."""
    page.within |= {kind.name: TAB for kind in (JUDGING, PAIRS)}
    with gr.Accordion("Have a judge compare answers", open=True, elem_id="judging"):
        gr.Markdown(ABOUT_JUDGE)
        _lay_out_job(page, JUDGING)
    with gr.Accordion("Make preference pairs", open=False, elem_id="pairs"):
        gr.Markdown(ABOUT_PAIRS)
        _lay_out_job(page, PAIRS)


def _lay_out_job(page: Page, kind: Kind) -> None:
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            form = forms.lay_out(kind.spec, kind.name, kind.command, base=kind.first, picked=kind.picked)
            error = gr.HTML(visible=False)
            begin = gr.Button(kind.button, variant="primary", elem_id=f"start-{kind.name}")
            forms.lay_out_yaml(page, form, error)
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(TAB, kind.name, kind.nothing, name=kind.name)
            shown = gr.HTML("", elem_id=f"{kind.name}-result")
            job_panel.lay_out_details(panel)

    def start(workspace: Workspace, *values: Any) -> list[Any]:
        demo.refuse(page.settings, "Judging and making pairs")
        spec = form.parse(workspace, values)
        return job_panel.start(panel, workspace, spec.model_dump(mode="json"), kind.title(spec))

    def result(_: Workspace, job: JobDirectory, status: Status) -> list[Any]:
        manifest = job.manifest
        done = status.state is State.SUCCEEDED and manifest is not None
        return [kind.result(manifest["figures"]) if done and manifest else ""]

    page.load(form.initial, form.outputs)
    page.on(begin.click, start, form.inputs, panel.outputs, error)
    job_panel.wire(page, panel, result, [shown])


def judged_html(figures: dict[str, Any]) -> str:
    """What a judge found, and whether it is to be believed."""
    lines = [str(line) for line in figures.get("sentences", [])]
    return f'<div class="hearth-result">{"".join(f"<p>{escape(line)}</p>" for line in lines)}</div>'


def pairs_html(figures: dict[str, Any]) -> str:
    """How many pairs came of how many prompts, what was dropped, and where they are."""
    dropped = [f"{number:,} {reason}" for reason, number in figures.get("dropped", {}).items()]
    prompts = f" from {count(int(figures['prompts']), 'prompt')}" if "prompts" in figures else ""
    said = f"{count(int(figures['pairs']), 'pair')}{prompts}"
    beside = f"; left out: {', '.join(dropped)}" if dropped else ""
    place = f" They are the dataset <b>{escape(str(figures['dataset']))}</b>; train on it with DPO or ORPO."
    return f'<div class="hearth-result"><p>{said}{escape(beside)}.{place}</p></div>'


def evaluation_options(workspace: Workspace) -> list[Option]:
    """Label and reference of each finished evaluation, newest first; then none."""
    done = [job for job in workspace.list_jobs("evaluate") if job.status().state is State.SUCCEEDED]
    listed = [(f"{job.header['title']} · {when(job.header['created'])}", f"job:{job.id}") for job in done]
    return [*listed, (ONLY_VOTES, "")]


JUDGING = Kind(
    name="judge",
    spec=JudgingSpec,
    command="python cli.py judge spec.yaml",
    button="Judge",
    nothing="Nothing was judged yet. Name a judge, and a finished evaluation whose answers it compares.",
    first=lambda _: {},
    picked={"evaluation": evaluation_options},
    title=lambda spec: f"{spec.judge.model} judges {spec.evaluation or 'your votes'}",
    result=judged_html,
)
PAIRS = Kind(
    name="pairs",
    spec=PairsSpec,
    command="python cli.py pairs spec.yaml",
    button="Make pairs",
    nothing="No pairs yet. With votes or corrections from the chat, “votes” makes them at once.",
    first=lambda _: {"name": "my-pairs", "scored_by": "votes"},
    title=lambda spec: f"Pairs for {spec.name}",
    result=pairs_html,
)
