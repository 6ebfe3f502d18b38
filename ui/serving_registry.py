"""Models, a part of the Serving tab: every registered version, what is in production, and how it got there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from jobs.annotations import split_tags
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from serving.registry.records import Version
from serving.registry.store import Registry
from ui import picks, serving_vllm
from ui.chat_models import model_options
from ui.choices import Option
from ui.clicks import Click, acting_html, on_click
from ui.drafts import read_draft, save_draft
from ui.job_view import empty
from ui.page import SKIP, Page
from ui.paths import check_model
from ui.serving_registry_view import NOTHING, history_html, version_html, versions_html
from ui.serving_stamps import stamp

TAB = "serving_registry"
Act = Callable[[Workspace, str], Version]


@dataclass(frozen=True)
class RegistryPanel:
    """The components: the table, what belongs to the chosen version, and the form that registers one."""

    table: Any
    cursor: Any
    column: Any
    version: Any
    history: Any
    reason: Any
    promote: Any
    back: Any
    retire: Any
    check: Any
    said: Any
    error: Any

    @property
    def outputs(self) -> list[Any]:
        return [self.table, self.cursor, self.column, self.version, self.history]


def lay_out(page: Page) -> None:
    """Draw the part and wire it."""
    table = acting_html(empty(NOTHING), elem_id="registry")
    said, error = gr.HTML("", elem_id="registry-said"), gr.HTML(visible=False)
    with gr.Column(visible=False, elem_classes="hearth-editor") as column:
        version = gr.HTML("", elem_id="registry-version")
        reason = gr.Textbox(
            "", label="Reason", info="Why it is promoted, rolled back or retired; it stays in the history.",
            max_lines=2, elem_id="registry-reason",
        )  # fmt: skip
        with gr.Row(elem_classes="hearth-buttons"):
            promote = gr.Button("Put into production", size="sm", variant="primary", elem_id="promote")
            back = gr.Button("Roll back to the one before", size="sm", elem_id="roll-back")
            retire = gr.Button("Retire", size="sm", elem_id="retire")
            check = gr.Button("Are its files unchanged?", size="sm", elem_id="check-files")
        with gr.Accordion("History of this name", open=False):
            history = gr.HTML("", elem_id="registry-history")
    panel = RegistryPanel(
        table, gr.Textbox(visible=False), column, version, history, reason, promote, back, retire, check, said, error
    )
    _wire(page, panel)
    _lay_out_form(page, panel)
    serving_vllm.lay_out(page)


def _wire(page: Page, panel: RegistryPanel) -> None:
    def choose(workspace: Workspace, click: Click) -> list[Any]:
        save_draft(workspace, TAB, chosen=click.about)
        return [*show(workspace), ""]

    def check(workspace: Workspace) -> list[Any]:
        return [_good(Registry(workspace).check(chosen_version(workspace)).sentence)]

    def poll(workspace: Workspace, known: str = "") -> list[Any]:
        return show(workspace, known or "")

    on_click(page, panel.table, choose, [], [*panel.outputs, panel.said], panel.error)
    page.load(poll, panel.outputs)
    page.poll(TAB, poll, [panel.cursor], panel.outputs)
    for trigger, act in ((panel.promote, promote), (panel.back, roll_back), (panel.retire, retire)):
        done = [*panel.outputs, panel.reason, panel.said]
        page.on(trigger.click, _doing(act), [panel.reason], done, panel.error)
    page.on(panel.check.click, check, [], [panel.said], panel.error)


def _doing(act: Act) -> Any:
    """What a button does: the reason is emptied only once it was used."""

    def call(workspace: Workspace, reason: str) -> list[Any]:
        done = act(workspace, reason)
        save_draft(workspace, TAB, chosen=done.label)
        words = f"{done.label} is in production now." if done.stage == "production" else f"{done.label} is retired."
        return [*show(workspace), "", _good(words)]

    return call


def _lay_out_form(page: Page, panel: RegistryPanel) -> None:
    with gr.Accordion("Register a model", open=True, elem_id="register-form"):
        with gr.Row(equal_height=False):
            pick = picks.lay_out(
                TAB, "ref", registrable, "Model", "A finished training, an exported file; also ollama:NAME or a folder."
            )
            name = gr.Textbox(
                "", label="Name", info="A new one, or one that gets its next version.", max_lines=1, min_width=200,
                elem_id="register-name", placeholder="support-bot",
            )  # fmt: skip
        with gr.Row(equal_height=False):
            tags = gr.Textbox("", label="Tags", info="With commas between them.", max_lines=1, min_width=200)
            note = gr.Textbox("", label="Note", max_lines=3, min_width=200)
        add = gr.Button("Register", size="sm", variant="primary", elem_id="register")
        error = gr.HTML(visible=False)
    pick.component.elem_id = "register-model"

    def register(workspace: Workspace, ref: str | None, name: str, tags: str, note: str) -> list[Any]:
        chosen = ref or pick.value(workspace)
        if not chosen:
            raise Missing("There is no model to register.", "None was trained yet.", "Train one on the Training tab.")
        check_model(page.settings, workspace, chosen)
        if not name.strip():
            raise BadInput("The model has no name.", "Versions are kept under one.", "Enter one, as in support-bot.")
        version = Registry(workspace).register(name.strip(), chosen, tags=split_tags(tags), note=note)
        save_draft(workspace, TAB, chosen=version.label, ref=None)
        return [*show(workspace), "", "", "", _good(f"{version.label} is registered as a candidate.")]

    picks.wire(page, pick)
    given = [pick.component, name, tags, note]
    page.on(add.click, register, given, [*panel.outputs, name, tags, note, panel.said], error)


def registrable(workspace: Workspace) -> list[Option]:
    """Models that the workspace made first, then the embedded one."""
    return model_options(workspace)


def chosen_version(workspace: Workspace) -> Version:
    """The version that is open. Raises Missing when none is, or it was deleted."""
    label = str(read_draft(workspace, TAB).get("chosen", ""))
    if not label:
        raise Missing("No version is chosen.", "What is done here is done to one.", "Press one in the table.")
    return Registry(workspace).resolve(label)


def promote(workspace: Workspace, reason: str) -> Version:
    version = chosen_version(workspace)
    return Registry(workspace).promote(version.name, version.number, reason)


def roll_back(workspace: Workspace, reason: str) -> Version:
    return Registry(workspace).roll_back(chosen_version(workspace).name, reason)


def retire(workspace: Workspace, reason: str) -> Version:
    version = chosen_version(workspace)
    return Registry(workspace).retire(version.name, version.number, reason)


def show(workspace: Workspace, known: str = "") -> list[Any]:
    """Values of the panel's outputs; skipped when nothing changed since `known`."""
    registry = Registry(workspace)
    label = str(read_draft(workspace, TAB).get("chosen", ""))
    if _stamp(workspace, label) == known:
        return [SKIP] * 5
    versions = [_refreshed(registry, version) for version in registry.find()]
    chosen = next((version for version in versions if version.label == label), None)
    table, now = versions_html(versions, label), _stamp(workspace, label)
    if chosen is None:
        return [table, now, gr.Column(visible=False), "", ""]
    return [table, now, gr.Column(visible=True), version_html(chosen), history_html(registry.history(chosen.name))]


def _stamp(workspace: Workspace, label: str) -> str:
    """Changes with the registry, the choice, and the evaluations that are done: these may have measured a version."""
    done = sum((job.path / "manifest.json").exists() for job in workspace.list_jobs("evaluate"))
    return f"{label} {done} {stamp(workspace.root / 'registry.sqlite')}"


def _refreshed(registry: Registry, version: Version) -> Version:
    """With what evaluations have said since; of what is out of use nobody asks."""
    return version if version.stage == "retired" else registry.refresh(version.name, version.number)


def _good(words: str) -> str:
    return f'<p class="good">{escape(words)}</p>'
