"""Where each step of the path, and each kind of job, is on the other tabs; and getting there prepared."""

from __future__ import annotations

from jobs.errors import BadInput
from jobs.workspace import Workspace
from ui import dataset_draft
from ui.parts import open_part
from ui.start_goals import chosen_goal
from ui.start_path import Key, look

# Kind of job to tab and part of it. On the Datasets tab parts are steps.
PLACES: dict[str, tuple[str, str]] = {
    "data.build": ("datasets", "build"),
    "data.check": ("datasets", "check"),
    "data.synthesise": ("datasets", "make"),
    "model.download": ("models", "choose"),
    "train": ("training", "train"),
    "evaluate": ("evaluation", "verdict"),
    "chat": ("evaluation", "chat"),
    "judge": ("evaluation", "judge"),
    "pairs": ("evaluation", "judge"),
    "export": ("export", "files"),
    "ollama": ("export", "ollama"),
    "hub": ("export", "hub"),
    "serve": ("serving", "serve"),
    "loop": ("serving", "loop"),
    "loop.watch": ("serving", "loop"),
    "recipe": ("start", ""),
}


def open_step(workspace: Workspace, key: Key) -> str:
    """Prepare the tab of a step, and return its name."""
    if key == "rows":
        return _open_rows(workspace)
    kind = {"model": "model.download", "train": "train", "judge": "evaluate"}.get(key) or _kind_of_use(workspace)
    return open_kind(workspace, kind)


def _open_rows(workspace: Workspace) -> str:
    """Where the goal begins; where rows are being made, or were, that."""
    made, goal = look(workspace), chosen_goal(workspace)
    if made.making is not None:
        return open_kind(workspace, str(made.making.header["kind"]))
    if made.version is not None:
        dataset_draft.prepare(workspace, dataset_draft.chosen_source(workspace), "versions")
    elif goal is not None:
        dataset_draft.prepare(workspace, goal.source, goal.step)
    return dataset_draft.TAB


def _kind_of_use(workspace: Workspace) -> str:
    """First the files, then Ollama."""
    made = look(workspace)
    exported = made.export is not None and made.export.manifest is not None
    return "ollama" if made.ollama is not None or exported else "export"


def open_job(workspace: Workspace, job_id: str) -> str:
    """Prepare the tab that shows a job, and return its name. Raises Missing for one that is gone."""
    return open_kind(workspace, str(workspace.job(job_id).header["kind"]))


def open_kind(workspace: Workspace, kind: str) -> str:
    """Prepare the tab that shows jobs of a kind, and return its name."""
    if kind not in PLACES:
        raise BadInput(
            f"Jobs of the kind '{kind}' have no tab.", "They are shown in the terminal.", f"jobs show {kind}"
        )
    tab, part = PLACES[kind]
    if tab == dataset_draft.TAB:
        dataset_draft.prepare(workspace, dataset_draft.chosen_source(workspace), part)
    elif part:
        open_part(workspace, tab, part)
    return tab
