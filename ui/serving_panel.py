"""Serve, a part of the Serving tab: what to serve and to whom, the server's job, its address, a chat with it, keys."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from jobs.directory import JobDirectory, Status
from jobs.workspace import Workspace
from serving.spec import ServeSpec
from ui import demo, filling, job_panel, serving_chat, serving_keys
from ui import form as forms
from ui.fields import form_fields
from ui.page import SKIP, Page
from ui.serving_choice import (
    TAB,
    chosen_models,
    is_nobodys_choice,
    keep_models,
    require_startable,
    rules_are_used,
    rules_text,
    serve_options,
    take_models,
    with_models,
)
from ui.serving_running import curl_line, python_lines, running_of

NOTHING = (
    "No server yet. Choose a model (the newest training stands there by itself), then press “Start the server”: other "
    "programs can ask it as they ask OpenAI."
)
# A server that listens is not on its way to anything.
NO_BAR = "<style>#serving-job .bar.unknown { display: none; }</style>"
ELSEWHERE = ("models", *(each.path for each in form_fields(ServeSpec) if each.path.startswith("router.")))


def lay_out(page: Page) -> None:
    """Draw the part and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            models = gr.Dropdown(
                [], multiselect=True, allow_custom_value=True, label="Models", elem_id="serve-models", min_width=220,
                info="Each under a name of its own, as NAME=MODEL; also a folder, a Hub id, a .gguf file, ollama:NAME "
                "or https://host/v1#NAME: type it and press Enter.",
            )  # fmt: skip
            form = forms.lay_out(
                ServeSpec,
                TAB,
                "python cli.py serve spec.yaml",
                hide=ELSEWHERE,
                complete=with_models,
                take=take_models,
            )
            rules, error = gr.HTML("", elem_id="serve-rules"), gr.HTML(visible=False)
            start = gr.Button("Start the server", variant="primary", elem_id="start-server")
            beside = forms.Beside(lambda workspace: [_models_shown(workspace), _rules_html(workspace)], [models, rules])
            forms.lay_out_yaml(page, form, error, beside)
            with gr.Accordion("API keys", open=False, elem_id="api-keys"):
                serving_keys.lay_out(page)
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(TAB, "serve", NOTHING)
            address = _lay_out_address()
            chat = serving_chat.ServingChat(page, panel)
            job_panel.lay_out_details(panel)
    job_panel.wire(page, panel, result, [*address, *chat.follows])
    _wire_form(page, form, models, rules, error)
    _wire_start(page, form, panel, start, error)


def _lay_out_address() -> list[Any]:
    """Where it listens, and lines to copy; hidden while nothing does."""
    with gr.Column(visible=False, elem_id="server-address") as column:
        address = gr.Textbox(label="Address", interactive=False, buttons=["copy"], elem_id="server-url")
        gr.HTML(NO_BAR, padding=False)
        with gr.Accordion("Lines to copy", open=False):
            curl = gr.Textbox(
                label="From a terminal", interactive=False, lines=4, buttons=["copy"], elem_classes="hearth-code",
                elem_id="server-curl",
            )  # fmt: skip
            python = gr.Textbox(
                label="From Python, with the package openai", interactive=False, lines=7, buttons=["copy"],
                elem_classes="hearth-code", elem_id="server-python",
            )  # fmt: skip
    return [column, address, curl, python]


def result(_: Workspace, job: JobDirectory, status: Status) -> list[Any]:
    """The address with its lines, and the chat's list of models, once the server listens."""
    running = running_of(job, status)
    if running is None:
        return [gr.Column(visible=False), "", "", "", gr.Column(visible=False), SKIP]
    lines = [f"{running.address}/v1", curl_line(running), python_lines(running)]
    choices = gr.Dropdown(choices=running.models)
    return [gr.Column(visible=True), *lines, gr.Column(visible=True), choices]


def _wire_form(page: Page, form: forms.Form, models: Any, rules: Any, error: Any) -> None:
    known, known_rules = gr.Textbox(visible=False), gr.Textbox(visible=False)
    shown, shown_rules = [models, known], [rules, form.yaml, known_rules]

    def choose(workspace: Workspace, values: list[str], seen: str) -> list[Any]:
        if is_nobodys_choice(workspace, values, json.loads(seen)[1] if seen else []):
            return [SKIP for _ in [*form.outputs, models]]
        keep_models(workspace, values)
        return [*form.initial(workspace), SKIP if values else _models_shown(workspace)]

    def show(workspace: Workspace, seen: str = "") -> list[Any]:
        now = json.dumps([serve_options(workspace), chosen_models(workspace)])
        return [SKIP, SKIP] if now == seen else [_models_shown(workspace), now]

    def follow_rules(workspace: Workspace, seen: str = "") -> list[Any]:
        now = f"{rules_are_used(workspace)} {rules_text(workspace)}"
        if now == seen:
            return [SKIP, SKIP, SKIP]
        return [_rules_html(workspace), form.as_yaml(workspace, _on_screen(form, workspace)), now]

    page.load(show, shown)
    page.poll(TAB, show, [known], shown)
    page.load(form.initial, form.outputs)
    page.load(follow_rules, shown_rules)
    page.poll(TAB, follow_rules, [known_rules], shown_rules)
    page.on(models.change, choose, [models, known], [*form.outputs, models], error)
    filling.fill_when_entered(page, form)


def _wire_start(page: Page, form: forms.Form, panel: job_panel.JobPanel, start: Any, error: Any) -> None:
    def begin(workspace: Workspace, *values: Any) -> list[Any]:
        demo.refuse(page.settings, "Serving models")
        spec = form.parse(workspace, values)
        assert isinstance(spec, ServeSpec)
        require_startable(page.settings, workspace, spec)
        return job_panel.start(panel, workspace, spec.model_dump(mode="json"), spec.title)

    page.on(start.click, begin, form.inputs, panel.outputs, error)


def _models_shown(workspace: Workspace) -> Any:
    """The dropdown with what there is to choose from and what is chosen."""
    options, chosen = serve_options(workspace), chosen_models(workspace)
    known = [text for _, text in options]
    return gr.Dropdown(choices=[*options, *[(text, text) for text in chosen if text not in known]], value=chosen)


def _rules_html(workspace: Workspace) -> str:
    """Whether the rules of the part “Routing” go along."""
    return (
        "<p class='quiet'>The rules of the part “Routing” decide who answers for <b>auto</b>.</p>"
        if rules_are_used(workspace)
        else ""
    )


def _on_screen(form: forms.Form, workspace: Workspace) -> list[Any]:
    raw = form.shows(workspace)
    return [raw[path] for path in form.components]
