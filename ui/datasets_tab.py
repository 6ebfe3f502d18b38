"""The Datasets tab: sources → make rows → check → look at rows → build → versions, each a step with a view of its own.

The two buttons that start the work stand above all steps; each leads to the step that shows what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import gradio as gr

from jobs.directory import JobDirectory
from jobs.errors import Missing
from jobs.workspace import Workspace
from recipes.snake import pipeline
from ui import (
    build_panel,
    expansion_panel,
    health_panel,
    job_panel,
    own_rows,
    rows_choice,
    rows_panel,
    sources_panel,
    synthesis_panel,
    versions_panel,
)
from ui import form as forms
from ui.dataset_draft import (
    SNAKE,
    SNAKE_FOLDER,
    SNAKE_SPEC,
    TAB,
    checked_spec,
    chosen_source,
    lay_out_form,
)
from ui.drafts import read_draft, save_draft
from ui.form import Beside
from ui.job_panel import JobPanel
from ui.page import CHOSEN, SKIP, Page
from ui.picks import Pick, forget
from ui.picks import wire as wire_pick
from ui.rows_layout import RowsPanel
from ui.spec_list import Item

STEPS = {
    "sources": "Sources",
    "make": "Make rows",
    "check": "Check",
    "rows": "Rows",
    "build": "Build",
    "versions": "Versions",
}
TEACHERS_PLAY = "The four teachers play Snake and write their rows: {:.0%}, a few seconds in all …"


@dataclass(frozen=True)
class Steps:
    """The steps as tabs, and the one that is open once the page is filled in."""

    tabs: Any
    parts: dict[str, Any]
    opened: Any

    @property
    def outputs(self) -> list[Any]:
        return [self.tabs, self.opened]

    def go(self, workspace: Workspace, step: str) -> list[Any]:
        """Values of `outputs` that open a step."""
        save_draft(workspace, TAB, step=step)
        return [gr.Tabs(selected=step), step]


@dataclass(frozen=True)
class Parts:
    """The contents of the steps."""

    sources: sources_panel.SourcesPanel
    form: forms.Form
    expansion: expansion_panel.ExpansionPanel
    synthesis: synthesis_panel.SynthesisPanel
    checked: health_panel.Cards
    rows_of: Pick
    rows: RowsPanel
    built: build_panel.BuildPanel
    versions: versions_panel.VersionsPanel

    @property
    def everything(self) -> Beside:
        """What shows where the rows come from and the options that they are built with."""
        sources, form = self.sources, self.form
        return Beside(
            lambda workspace: [*sources.show(workspace), *form.initial(workspace)],
            [*sources.outputs, *form.inputs, form.yaml],
        )


def lay_out(page: Page, go_on: Any) -> None:
    """Draw the tab and wire it. `go_on`: the button that leads to the next tab."""
    with gr.Row(elem_classes="hearth-bar"):
        check = gr.Button("Check rows", elem_id="check", min_width=150)
        build = gr.Button("Build dataset", variant="primary", elem_id="build", min_width=150)
    error = gr.HTML(visible=False)
    tabs = gr.Tabs(selected="sources", elem_id="steps", overflow_behavior="wrap", render=False)
    steps = Steps(tabs, {}, gr.Textbox("", visible=False))
    tabs.render()
    with tabs:
        parts = _lay_out_steps(page, steps, go_on, error)
    sources_panel.wire(page, parts.sources, parts.everything, _yaml_of(parts.form), error)
    build_panel.wire(page, parts.built, go_on)
    health_panel.wire(page, parts.checked)
    versions_panel.wire(page, parts.versions)
    wire_pick(page, parts.rows_of)
    rows_panel.wire(page, parts.rows, rows_choice.folder_of)
    _wire_buttons(page, parts, steps, check, build, error)
    _wire_rows(page, parts, steps, error)
    _wire_making(page, parts, steps)
    _wire_steps(page, steps, error)
    _wire_prepared(page, parts, steps)


def _lay_out_steps(page: Page, steps: Steps, go_on: Any, error: gr.HTML) -> Parts:
    """Every step as a tab of its own."""
    made: dict[str, Any] = {}
    for name, title in STEPS.items():
        with gr.Tab(title, id=name) as steps.parts[name]:
            match name:
                case "sources":
                    made["sources"], made["form"] = _lay_out_sources(page, error)
                case "make":
                    made["synthesis"] = synthesis_panel.lay_out(page)
                    made["expansion"] = expansion_panel.lay_out()
                case "check":
                    made["checked"] = health_panel.lay_out()
                case "rows":
                    made["rows_of"] = rows_choice.lay_out()
                    made["rows"] = rows_panel.lay_out(page)
                case "build":
                    made["built"] = build_panel.lay_out(go_on)
                case _:
                    made["versions"] = versions_panel.lay_out(page)
    return Parts(**made)


def _lay_out_sources(page: Page, error: gr.HTML) -> tuple[sources_panel.SourcesPanel, forms.Form]:
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            sources = sources_panel.lay_out(page)
        with gr.Column(scale=5, min_width=320):
            form = lay_out_form()
            forms.lay_out_yaml(page, form, error, Beside(sources.show, sources.outputs))
    return sources, form


def _yaml_of(form: forms.Form) -> Beside:
    """The form's YAML alone, which says more than the form shows."""
    return Beside(lambda workspace: [form.initial(workspace)[-1]], [form.yaml])


def _wire_buttons(page: Page, parts: Parts, steps: Steps, check: Any, build: Any, error: gr.HTML) -> None:
    """Have the two buttons, and the one below a build that rows stopped, start their jobs."""
    form = parts.form

    def starting(panel: JobPanel, step: str) -> Callable[..., Iterator[list[Any]]]:
        def start(workspace: Workspace, *values: Any) -> Iterator[list[Any]]:
            spec = checked_spec(page.settings, workspace, form, values)
            opened = steps.go(workspace, step)
            if chosen_source(workspace) == SNAKE and not snake_rows_are_there(workspace):
                for said in write_snake_rows(workspace):
                    yield [*panel.says(said), *opened]
            if panel.kind == "data.build":
                forget(workspace, "training", "data")
            forget(workspace, TAB, rows_choice.KEY)
            yield [*job_panel.start(panel, workspace, spec.model_dump(mode="json"), spec.name), *opened]

        return start

    checking = starting(parts.checked.panel, "check")
    for button in (check, parts.built.decide):
        page.stream(button.click, checking, form.inputs, [*parts.checked.panel.outputs, *steps.outputs], error)
    building = starting(parts.built.panel, "build")
    page.stream(build.click, building, form.inputs, [*parts.built.panel.outputs, *steps.outputs], error)


def _wire_rows(page: Page, parts: Parts, steps: Steps, error: gr.HTML) -> None:
    """Show rows in the Rows step: those of the list there, of a check's card, or of a version."""
    rows, rows_of, form = parts.rows, parts.rows_of, parts.form
    seeing = [rows_of.component, rows_of.cursor, *rows_panel.refresh_outputs(rows), *steps.outputs]

    def see(workspace: Workspace) -> list[Any]:
        shown = rows_panel.show(rows, workspace, rows_choice.folder_of(workspace))
        return [*rows_of.update(workspace), *shown, *steps.go(workspace, "rows")]

    def see_check(workspace: Workspace, job: JobDirectory, name: str) -> list[Any]:
        folder = rows_choice.choose_job(workspace, job)
        if folder is None:
            raise Missing("These rows aren't there any more.", "Their folder was removed.", "Check the rows again.")
        rows_choice.ask_for_check(workspace, folder, name)
        return see(workspace)

    def see_version(workspace: Workspace) -> list[Any]:
        rows_choice.choose(workspace, rows_choice.VERSION + versions_panel.required(workspace).id)
        return see(workspace)

    def choose(workspace: Workspace, value: str | None) -> list[Any]:
        rows_of.keep(workspace, value)
        return rows_panel.show(rows, workspace, rows_choice.folder_of(workspace))

    def load(workspace: Workspace) -> list[Any]:
        version = versions_panel.required(workspace)
        form.load(workspace, (version.folder / "spec.yaml").read_text(encoding="utf-8"))
        return [*parts.everything.show(workspace), *steps.go(workspace, "sources")]

    page.on(rows_of.component.input, choose, [rows_of.component], rows_panel.refresh_outputs(rows), error)
    all_cards = [parts.checked, parts.built.cards]
    health_panel.wire_cards(page, form, all_cards, health_panel.See(see_check, seeing), error)
    page.on(parts.versions.see.click, see_version, [], seeing, error)
    page.on(parts.versions.load.click, load, [], [*parts.everything.outputs, *steps.outputs], error)


def _wire_making(page: Page, parts: Parts, steps: Steps) -> None:
    """Connect what makes rows, and have its rows used as a source."""
    expansion, synthesis, everything = parts.expansion, parts.synthesis, parts.everything
    expansion_panel.wire(page, expansion)
    synthesis_panel.wire(page, synthesis)

    def use(workspace: Workspace, items: list[Item]) -> list[Any]:
        own_rows.add_sources(workspace, parts.sources.listed, items)
        return [*everything.show(workspace), *steps.go(workspace, "sources")]

    def use_expansion(workspace: Workspace, text: str) -> list[Any]:
        return use(workspace, expansion_panel.source_of(page.settings, workspace, text))

    def use_synthesis(workspace: Workspace) -> list[Any]:
        return use(workspace, synthesis_panel.source_of(synthesis, workspace))

    outputs = [*everything.outputs, *steps.outputs]
    page.on(expansion.use.click, use_expansion, [expansion.yaml], outputs, expansion.error)
    page.on(synthesis.use.click, use_synthesis, [], outputs, synthesis.error)


def _wire_steps(page: Page, steps: Steps, error: gr.HTML) -> None:
    """Open the step that was open last, and keep which one is."""

    def opener(name: str) -> Callable[[Workspace, str], Sequence[Any]]:
        def keep(workspace: Workspace, opened: str) -> Sequence[Any]:
            # The browser selects the first step while it draws the page; that is nobody's choice.
            if not opened:
                return [SKIP]
            save_draft(workspace, TAB, step=name)
            return [name]

        return keep

    def open_last(workspace: Workspace) -> list[Any]:
        step = read_draft(workspace, TAB).get("step", "sources")
        return [gr.Tabs(selected=step), step]

    page.load(open_last, steps.outputs)
    for name, part in steps.parts.items():
        page.on(part.select, opener(name), [steps.opened], [steps.opened], error, quiet=True, js=CHOSEN % name)


def _wire_prepared(page: Page, parts: Parts, steps: Steps) -> None:
    """Show what was prepared elsewhere, such as on the Start tab."""
    known = gr.Textbox(visible=False)

    def prepared(workspace: Workspace) -> str:
        return str(read_draft(workspace, TAB).get("prepared", 0))

    def follow(workspace: Workspace, seen: str) -> list[Any]:
        now, step = prepared(workspace), read_draft(workspace, TAB).get("step", "sources")
        if now == seen:
            return [SKIP for _ in [*parts.everything.outputs, *steps.outputs, known]]
        return [*parts.everything.show(workspace), gr.Tabs(selected=step), step, now]

    page.load(lambda workspace: [prepared(workspace)], [known])
    page.poll(TAB, follow, [known], [*parts.everything.outputs, *steps.outputs, known])


def write_snake_rows(workspace: Workspace) -> Iterator[str]:
    """Have the teachers play; meanwhile, how far they are."""
    done = [0.0]
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(pipeline.write_rows, workspace, progress=lambda fraction, _: done.append(fraction))
        while not playing.done():
            yield TEACHERS_PLAY.format(done[-1])
            wait([playing], timeout=0.5)
        playing.result()


def snake_rows_are_there(workspace: Workspace) -> bool:
    """Whether the teachers have played already; the spec is written last."""
    return (workspace.root / SNAKE_FOLDER / SNAKE_SPEC.name).is_file()
