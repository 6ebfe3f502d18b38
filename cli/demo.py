"""The command that runs a whole recipe."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.shared import DetachOption, JsonOption, WorkspaceOption, console, open_workspace, report, show
from jobs import launcher
from jobs.directory import State
from jobs.follow import follow
from models.hardware import probe


def demo(
    name: Annotated[str, typer.Argument(help="snake, or another recipe.")] = "snake",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    rows: Annotated[int | None, typer.Option(min=50, help="Size of its data, as its README measures it.")] = None,
    detach: DetachOption = False,
) -> None:
    """A recipe from nothing to its verdict on the embedded model; snake: four teachers → training → verdict → GGUF."""
    from recipes.job import as_json as all_figures
    from recipes.job import told
    from recipes.recipe import load_recipe
    from recipes.spec import RecipeSpec

    recipe, place = load_recipe(name), open_workspace(workspace)
    hardware = probe(place.root)
    console.print(f"[bold]Hearth demo: {recipe.title}[/bold] · {hardware.describe()}\nWorkspace: {place.root}\n")
    spec = RecipeSpec(name=name, rows=rows).model_dump(mode="json")
    job = launcher.start(place, "recipe", spec, title=recipe.title, resource=hardware.resource)
    if detach or follow(job, console).state is not State.SUCCEEDED:
        report(job, as_json)
        return
    show(all_figures(job), as_json, "\n".join(told(job)))
