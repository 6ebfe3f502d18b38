"""Routing, a part of the Serving tab: the rules as YAML, which model would answer a question, classifiers for rules."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr

from datasets_src.store import open_version
from jobs.errors import BadInput, Missing, UserError
from jobs.workspace import Workspace
from serving.router.chooser import Chooser
from serving.router.classifier.model import folder_of, list_classifiers, load, read_report, save
from serving.router.decision import Decision
from serving.router.question import Question, looked_at
from serving.router.spec import AUTO, RouterSpec
from serving.spec import ServeSpec
from ui import demo, picks
from ui.choices import dataset_options
from ui.drafts import read_draft, save_draft
from ui.errors import error_box
from ui.page import SKIP, Page
from ui.serving_choice import (
    ROUTING,
    chosen_models,
    keep_rules,
    names_on_screen,
    parsed_rules,
    rules_are_used,
    rules_text,
)
from ui.serving_routing_view import classifiers_html, decision_html, example_rules, rules_html

TAB = ROUTING
ABOUT = ("text", "asked", "user", "tag", "mode")


def lay_out(page: Page) -> None:
    """Draw the part and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            _lay_out_rules(page)
        with gr.Column(scale=6, min_width=320):
            _lay_out_question(page)
    with gr.Accordion("Classifiers", open=False, elem_id="classifiers"):
        _lay_out_classifiers(page)


def _lay_out_rules(page: Page) -> None:
    text = gr.Textbox(
        "", label="Rules", lines=12, max_lines=30, elem_classes="hearth-code", elem_id="routing-rules",
        buttons=["copy"],
        info="As YAML: the first rule that fits decides. docs/options.md lists every option.",
    )  # fmt: skip
    used = gr.Checkbox(
        label="Use these rules", info="The next server that you start follows them.", elem_id="use-rules"
    )
    with gr.Row(elem_classes="hearth-buttons"):
        example = gr.Button("Begin with an example", size="sm", elem_id="example-rules")
    shown, error = gr.HTML("", elem_id="routing-shown"), gr.HTML(visible=False)

    def typed(workspace: Workspace, written: str, used: bool) -> list[Any]:
        keep_rules(workspace, written, used=used)
        return [told_rules(workspace, written)]

    def begin(workspace: Workspace) -> list[Any]:
        if rules_text(workspace).strip():
            raise BadInput("There are rules already.", "The example would replace them.", "Empty the field first.")
        keep_rules(workspace, example_rules(names_on_screen(workspace)), used=True)
        return follow(workspace)

    def follow(workspace: Workspace) -> list[Any]:
        written = rules_text(workspace)
        return [written, rules_are_used(workspace), told_rules(workspace, written)]

    def look(workspace: Workspace, seen: str) -> list[Any]:
        """While someone types, only what the rules mean to the chosen models may change."""
        models = repr(chosen_models(workspace))
        return [SKIP, SKIP] if models == seen else [told_rules(workspace, rules_text(workspace)), models]

    def entered(workspace: Workspace, before: str) -> list[Any]:
        """Rules that a YAML on the part “Serve” brought along."""
        now = str(read_draft(workspace, TAB).get("entered", 0))
        return [SKIP] * 4 if now == before else [*follow(workspace), now]

    seen_models, seen_entered = gr.Textbox(visible=False), gr.Textbox("0", visible=False)
    everything = [text, used, shown]
    page.load(follow, everything)
    page.poll(TAB, look, [seen_models], [shown, seen_models])
    page.poll(TAB, entered, [seen_entered], [*everything, seen_entered])
    page.on([text.input, text.blur, used.input], typed, [text, used], [shown], error, quiet=True)
    page.on(example.click, begin, [], everything, error)


def told_rules(workspace: Workspace, text: str) -> str:
    """What the rules come to, or everything that is wrong with them, as HTML."""
    if not text.strip():
        return rules_html(None)
    try:
        spec = parsed_rules(text)
        problems = spec.problems(names_on_screen(workspace))
    except UserError as problem:
        return error_box(problem.what, problem.why, problem.fix)
    return rules_html(spec, problems)


def _lay_out_question(page: Page) -> None:
    gr.Markdown("**Which model would answer this?**")
    text = gr.Textbox(
        "", label="Question", lines=3, max_lines=10, elem_id="routing-question", placeholder="What would be asked"
    )
    with gr.Row(equal_height=False):
        tag = gr.Textbox("", label="Tag", max_lines=1, min_width=120, elem_id="routing-tag")
        mode = gr.Textbox("", label="Reasoning mode", max_lines=1, min_width=120, elem_id="routing-mode")
        user = gr.Textbox("", label="User", max_lines=1, min_width=120, elem_id="routing-user")
        asked = gr.Textbox(
            "", label="Model asked for", info="Empty: auto.", max_lines=1, min_width=120, elem_id="routing-asked"
        )
    go = gr.Button("Which model would answer this?", variant="primary", elem_id="which-model")
    error = gr.HTML(visible=False)
    answer = gr.HTML("", elem_id="routing-answer")
    fields = [text, asked, user, tag, mode]

    def keep(workspace: Workspace, *values: str) -> list[Any]:
        save_draft(workspace, TAB, **{name: value or None for name, value in zip(ABOUT, values, strict=True)})
        return []

    def ask(workspace: Workspace, *values: str) -> list[Any]:
        keep(workspace, *values)
        return [told_decision(workspace, *values)]

    page.load(lambda workspace: [str(read_draft(workspace, TAB).get(name, "")) for name in ABOUT], fields)
    for field in fields:
        page.on(field.blur, keep, fields, [], error, quiet=True)
    page.on([go.click, *(field.submit for field in fields[1:])], ask, fields, [answer], error)


def told_decision(workspace: Workspace, text: str, asked: str, user: str, tag: str, mode: str) -> str:
    """Who would answer by the rules on screen, as HTML. Raises BadInput or Missing."""
    if not text.strip():
        raise BadInput("There is no question.", "Rules look at what is asked.", "Write one first.")
    spec, models = spec_on_screen(workspace)
    classifiers = {name: load(workspace, name) for name in spec.classifiers}
    chooser = Chooser(spec, models, classifiers)
    question = Question(looked_at(text), tag.strip() or None, mode.strip() or None, user.strip() or None)
    decision = chooser.choose(question, asked.strip() or AUTO)
    return decision_html(decision, _members(chooser, decision, question), spec)


def spec_on_screen(workspace: Workspace) -> tuple[RouterSpec, list[str]]:
    """The rules on screen (without any: the first model answers) and the names of the chosen models."""
    written = rules_text(workspace)
    if written.strip():
        return parsed_rules(written), names_on_screen(workspace)
    return ServeSpec.parse({"models": chosen_models(workspace)}).routing(), names_on_screen(workspace)


def _members(chooser: Chooser, decision: Decision, question: Question) -> dict[str, float]:
    ensemble = chooser.ensembles.get(decision.target)
    return ensemble.asked(question.tag) if ensemble else {}


def _lay_out_classifiers(page: Page) -> None:
    listed, known = gr.HTML("", elem_id="classifier-list"), gr.Textbox(visible=False)
    with gr.Row(equal_height=False):
        data = picks.lay_out(TAB, "data", dataset_options, "Dataset", "Its rows need tags: a source's, or a column.")
        name = gr.Textbox("topics", label="Name", max_lines=1, min_width=160, elem_id="classifier-name")
    train = gr.Button("Train a classifier", size="sm", elem_id="train-classifier")
    said, error = gr.HTML("", elem_id="classifier-said"), gr.HTML(visible=False)

    def learn(workspace: Workspace, dataset: str | None, name: str) -> Iterator[list[Any]]:
        demo.refuse(page.settings, "Training a classifier")
        yield ["<p class='quiet'>Reading the rows and learning their tags…</p>", SKIP, SKIP]
        report = trained(workspace, dataset or data.value(workspace), name.strip())
        yield [f"<pre class='hearth-report-text'>{escape(report)}</pre>", *show(workspace)]

    picks.wire(page, data)
    page.load(show, [listed, known])
    page.poll(TAB, show, [known], [listed, known])
    page.stream(train.click, learn, [data.component, name], [said, listed, known], error)


def show(workspace: Workspace, known: str = "") -> list[Any]:
    """The classifiers and a cursor; skipped when it is as `known`."""
    names = list_classifiers(workspace)
    now = repr([(name, folder_of(workspace, name).stat().st_mtime_ns) for name in names])
    if now == known:
        return [SKIP, SKIP]
    return [classifiers_html({name: _report(workspace, name) for name in names}), now]


def _report(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """What a classifier is worth, None for one whose files can't be read."""
    try:
        return read_report(workspace, name)
    except UserError:
        return None


def trained(workspace: Workspace, dataset: str | None, name: str) -> str:
    """Train a classifier and keep it; its report for people. Raises BadInput or Missing."""
    from serving.router.classifier.training import train

    folder_of(workspace, name)
    if not dataset:
        raise Missing("There is no dataset yet.", "Tags are learned from one.", "Build one on the Datasets tab.")
    done = train(open_version(workspace, dataset))
    save(workspace, name, done.classifier, done.report.as_json())
    return done.report.text
