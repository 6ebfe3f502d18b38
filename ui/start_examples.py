"""Whole examples on the Start tab: each recipe with a button that runs it from nothing to its verdict."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

import gradio as gr

from jobs import launcher
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.workspace import Workspace
from recipes.recipe import Recipe, load_recipe, recipe_names
from recipes.spec import RecipeSpec
from ui import job_panel
from ui.clicks import Click, acting_html, on_click
from ui.page import Page
from ui.start_goals import TAB

ABOUT = (
    "Each runs by itself from its rows to its verdict, on the model that comes with Hearth: about ten minutes on two "
    "processor cores, without a download. What it makes is on the other tabs."
)
NOTHING = "No example has run yet. Press one to run it; it goes on when this page is closed."


def lay_out(page: Page) -> None:
    """Draw the part and wire it."""
    with gr.Accordion("Whole examples", open=False, elem_id="examples-part"):
        gr.Markdown(ABOUT)
        listed = acting_html(examples_html(), elem_id="examples")
        panel = job_panel.lay_out(TAB, "recipe", NOTHING, name="example")
        found = gr.HTML("", elem_id="example-found")
        job_panel.lay_out_details(panel)

    def run(workspace: Workspace, click: Click) -> list[Any]:
        require_idle(workspace)
        spec = RecipeSpec(name=click.about)
        return job_panel.start(panel, workspace, spec.model_dump(mode="json"), load_recipe(spec.name).title)

    on_click(page, listed, run, [], panel.outputs, panel.error)
    job_panel.wire(page, panel, result, [found])


def require_idle(workspace: Workspace) -> None:
    """Raises BadInput while an example runs: two would write the same files."""
    for job in workspace.list_jobs("recipe"):
        if launcher.observe(job).state.active:
            raise BadInput(
                f"{job.header['title']} is running.",
                "Examples write into the same folders, one after the other.",
                "Wait until it is done, or press Stop.",
            )


def result(_: Workspace, job: JobDirectory, status: Status) -> list[Any]:
    """What a finished example came to."""
    manifest = job.manifest
    if status.state is not State.SUCCEEDED or manifest is None:
        return [""]
    lines = "\n".join(str(line) for line in manifest["figures"]["lines"])
    return [f'<pre class="hearth-report-text" translate="no">{escape(lines)}</pre>']


@cache
def examples_html() -> str:
    """A button for each recipe, with what it shows; Snake first, which is the example everywhere else."""
    names = sorted(recipe_names(), key=lambda name: (not name.startswith("snake"), name))
    cards = "".join(_card(name, load_recipe(name)) for name in names)
    return f'<div class="hearth-start"><div class="goals">{cards}</div></div>'


def _card(name: str, recipe: Recipe) -> str:
    return (
        f'<button type="button" class="hearth-act goal" data-do="run" data-about="{escape(name)}">'
        f"<b>{escape(recipe.title)}</b><span>{escape(recipe.about)}</span></button>"
    )
