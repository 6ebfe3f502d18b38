"""Experiments, a part of the Serving tab: start one, see what it shows so far, stop an arm or all of it."""

from __future__ import annotations

import time
from html import escape
from typing import Any

import gradio as gr

from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from serving.experiments.analysis import arm_counts, compare
from serving.experiments.experiment import Experiment
from serving.experiments.observations import settled
from serving.experiments.outcomes import MEASURES
from serving.experiments.spec import ExperimentSpec
from serving.experiments.store import Experiments
from ui import demo, filling
from ui import form as forms
from ui.clicks import Click, acting_html, on_click
from ui.drafts import read_draft, save_draft
from ui.job_view import empty
from ui.layers import changed_values
from ui.page import SKIP, Page
from ui.serving_choice import TAB as SERVE_TAB
from ui.serving_choice import names_on_screen
from ui.serving_drawings import Drawing, Drawings
from ui.serving_experiments_view import NOTHING, ArmFigures, experiments_html, results_html
from ui.serving_stamps import is_open, stamp

TAB = "serving_experiments"
PART = "experiments"
ALL = "the whole experiment"
SLIDE_SECONDS = 60.0
_DRAWINGS = Drawings()


def lay_out(page: Page) -> None:
    """Draw the part and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            listed = acting_html(empty(NOTHING), elem_id="experiments")
            results = gr.HTML("", elem_id="experiment-results")
            cursor = gr.Textbox(visible=False)
            shown = [listed, results, *_lay_out_stop(page, [listed, results], cursor), cursor]
        with gr.Column(scale=5, min_width=320):
            _lay_out_form(page, shown)

    def choose(workspace: Workspace, click: Click) -> list[Any]:
        save_draft(workspace, TAB, chosen=click.about)
        return show(workspace)

    def poll(workspace: Workspace, known: str) -> list[Any]:
        return show(workspace, known or "") if is_open(workspace, PART) else [SKIP for _ in shown]

    error = gr.HTML(visible=False)
    on_click(page, listed, choose, [], shown, error)
    page.load(lambda workspace: [experiments_html(Experiments(workspace).list_all(), chosen_name(workspace))], [listed])
    page.poll(TAB, poll, [cursor], shown)


def _lay_out_form(page: Page, shown: list[Any]) -> None:
    gr.Markdown("**A new experiment**")
    form = forms.lay_out(
        ExperimentSpec,
        TAB,
        "python cli.py experiments start spec.yaml",
        hide=("salt",),
        base=served_arms,
        base_name="the models under “Serve”",
        plain=_without_salt,
    )
    start = gr.Button("Start the experiment", variant="primary", elem_id="start-experiment")
    said, error = gr.HTML("", elem_id="experiment-said"), gr.HTML(visible=False)
    forms.lay_out_yaml(page, form, error)

    def begin(workspace: Workspace, *values: Any) -> list[Any]:
        demo.refuse(page.settings, "Starting experiments")
        spec = form.parse(workspace, values)
        assert isinstance(spec, ExperimentSpec)
        return [*started(workspace, spec), *show(workspace)]

    page.load(form.initial, form.outputs)
    filling.fill_when_entered(page, form)
    page.on(start.click, begin, form.inputs, [said, *shown], error)


def _lay_out_stop(page: Page, drawn: list[Any], cursor: Any) -> list[Any]:
    """What to stop and why, asked about once; the components that change with the chosen experiment."""
    with gr.Column(visible=False, elem_classes="hearth-editor") as column:
        with gr.Row(equal_height=False):
            what = gr.Dropdown([ALL], value=ALL, label="Stop", allow_custom_value=True, min_width=160)
            reason = gr.Textbox(
                "", label="Reason", info="Kept with it.", max_lines=2, min_width=200, elem_id="stop-reason"
            )
        ask = gr.Button("Stop…", size="sm", elem_id="stop-experiment")
        question, asked = gr.HTML(""), gr.Textbox(visible=False)
        with gr.Row(visible=False, elem_classes="hearth-buttons") as sure:
            confirm = gr.Button("Yes, stop it", size="sm", variant="stop", elem_id="stop-for-good")
            cancel = gr.Button("No", size="sm")
        error = gr.HTML(visible=False)
    asking = [question, sure, asked]

    def question_for(workspace: Workspace, arm: str) -> list[Any]:
        words = f"Stop {arm} of “{chosen_name(workspace)}”? Its users get the control’s model, and it can’t be resumed."
        return [f'<div class="warning"><p>{escape(words)}</p></div>', gr.Row(visible=True), arm]

    def stop(workspace: Workspace, arm: str, reason: str) -> list[Any]:
        demo.refuse(page.settings, "Stopping experiments")
        stopped(workspace, arm, reason)
        return ["", gr.Row(visible=False), "", "", *show(workspace)]

    page.on(ask.click, question_for, [what], asking, error)
    page.on(confirm.click, stop, [asked, reason], [*asking, reason, *drawn, column, what, cursor], error)
    page.on(cancel.click, lambda _: ["", gr.Row(visible=False), ""], [], asking, error)
    return [column, what]


def served_arms(workspace: Workspace) -> dict[str, Any]:
    """The models that are chosen under “Serve”, in equal parts; nothing where there are not two to ten of them."""
    try:
        names = names_on_screen(workspace)
    except BadInput:
        return {}
    if not 2 <= len(names) <= 10:
        return {}
    each = round(100 / len(names), 1)
    last = round(100 - each * (len(names) - 1), 1)
    shares = [*[each] * (len(names) - 1), last]
    return {"arms": [{"model": name, "percentage": share} for name, share in zip(names, shares, strict=True)]}


def _without_salt(spec: ExperimentSpec) -> dict[str, Any]:
    """What its YAML says: the salt is drawn when it starts."""
    return {name: value for name, value in changed_values(spec).items() if name != "salt"}


def started(workspace: Workspace, spec: ExperimentSpec) -> list[Any]:
    """Start it and have the next server share its requests out; words for people. Raises BadInput."""
    experiment = Experiments(workspace).start(spec)
    save_draft(workspace, TAB, chosen=spec.name)
    _DRAWINGS.forget()
    forms.enter(workspace, SERVE_TAB, {"experiment": spec.name}, "from the experiment")
    if experiment.revision > 1:
        return [f"<p class='good'>{escape(spec.name)} has new percentages; as few users as possible change arms.</p>"]
    words = (
        f"{escape(spec.name)} runs. Start a server with its models under “Serve”, whose option Experiment now names "
        "it: requests for <b>auto</b> are shared out there."
    )
    return [f"<p class='good'>{words}</p>"]


def stopped(workspace: Workspace, arm: str, reason: str) -> Experiment:
    """Stop the chosen experiment or one of its arms. Raises BadInput or Missing."""
    name = chosen_name(workspace)
    if not name:
        raise Missing("No experiment is chosen.", "What is stopped is one.", "Press one in the list.")
    _DRAWINGS.forget()
    return Experiments(workspace).stop(name, reason.strip() or "stopped by hand", None if arm in ("", ALL) else arm)


def chosen_name(workspace: Workspace) -> str:
    """The experiment whose results are shown: the one chosen, else the newest; "" without any."""
    names = [each.spec.name for each in Experiments(workspace).list_all()]
    chosen = str(read_draft(workspace, TAB).get("chosen", ""))
    return chosen if chosen in names else names[0] if names else ""


def show(workspace: Workspace, known: str = "") -> list[Any]:
    """The list, the results, what can be stopped, and a cursor; skipped when they are as `known`."""
    made = drawing(workspace)
    return [SKIP] * 5 if made.stamp == known else [*made.copies, made.stamp]


def drawing(workspace: Workspace) -> Drawing:
    """The newest drawing of the list and the chosen experiment."""
    name = chosen_name(workspace)
    now = f"{name} {stamp(workspace.root / 'serving.sqlite')} {int(time.time() / SLIDE_SECONDS)}"
    return _DRAWINGS.newest(f"{workspace.root} {name}", now, lambda: _values(workspace, name))


def _values(workspace: Workspace, name: str) -> list[Any]:
    experiments = Experiments(workspace)
    listed = experiments_html(experiments.list_all(), name)
    if not name:
        return [listed, "", gr.update(visible=False), SKIP]
    experiment = experiments.find(name)
    results = results_html(experiment, compare(experiments, name), arm_figures(experiments, experiment))
    left = [arm for arm in experiment.spec.others if arm not in experiment.stopped_arms]
    return [listed, results, gr.update(visible=experiment.running), gr.update(choices=[ALL, *left], value=ALL)]


def arm_figures(experiments: Experiments, experiment: Experiment) -> dict[str, ArmFigures]:
    """Each arm's users, requests and mean so far."""
    measure = MEASURES[experiment.spec.outcome]
    observed = settled(experiments, experiment, measure, time.time())
    found = {}
    for arm, counts in arm_counts(experiments, experiment.spec.name).items():
        values = observed.of((arm,)).values
        mean = float(values.mean()) if len(values) else None
        found[arm] = ArmFigures(counts["users"], counts["answers"], len(values), mean)
    return found
