"""What a recipe is: rows that its own code writes, then jobs one after the other, each made from those before it.

Each folder in recipes/ holds a `recipe.py` with a `RECIPE`; `python cli.py demo NAME` runs it from nothing to the end.
A folder may hold more of them: `snake/recipe_methods.py` is `snake-methods`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.directory import JobDirectory
from jobs.errors import Missing
from jobs.spec import Spec
from jobs.workspace import Workspace

FOLDER = Path(__file__).parent
Progress = Callable[[float, str], None]


@dataclass
class Run:
    """A recipe that is under way: its workspace, the size of its data, and the jobs that ended well by their key."""

    workspace: Workspace
    rows: int
    jobs: dict[str, JobDirectory] = field(default_factory=dict)

    def figures(self, key: str) -> dict[str, Any]:
        """What the job of that step said at its end."""
        manifest = self.jobs[key].manifest
        return dict(manifest["figures"]) if manifest else {}


@dataclass(frozen=True)
class Step:
    """One job: `key` names it for later steps and in the JSON, `name` is shown. `spec` is asked when its turn comes.

    `before`: what else has to be done first, such as logging the chats that the job learns from.
    """

    key: str
    name: str
    kind: str
    title: str
    spec: Callable[[Run], Spec]
    before: Callable[[Run], None] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a recipe came to, as lines to read and as figures beside those of its jobs."""

    lines: list[str]
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """`about` says in a sentence what it shows. `write_rows` writes the raw rows into the workspace's uploads; `rows`
    is its measure of size, said in `size`."""

    name: str
    title: str
    about: str
    rows: int
    size: str
    rows_name: str
    write_rows: Callable[[Run, Progress], None]
    steps: tuple[Step, ...]
    outcome: Callable[[Run], Outcome]

    def place(self, workspace: Workspace) -> Path:
        """Where its rows lie."""
        return workspace.uploads / self.name


def recipe_names() -> list[str]:
    """The recipes that there are."""
    return sorted(_files())


def _files() -> dict[str, str]:
    """The module of each recipe by its name."""
    paths = FOLDER.glob("*/recipe*.py")
    return {
        path.parent.name + path.stem.removeprefix("recipe").replace("_", "-"): f"recipes.{path.parent.name}.{path.stem}"
        for path in paths
    }


def load_recipe(name: str) -> Recipe:
    """Raises Missing for a name that no folder has."""
    module = _files().get(name)
    if module is None:
        raise Missing(
            f"There is no recipe '{name}'.",
            f"There are: {', '.join(recipe_names())}.",
            "Give one of these: python cli.py demo snake",
        )
    recipe: Recipe = importlib.import_module(module).RECIPE
    return recipe
