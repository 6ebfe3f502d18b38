"""Which files the page may name: those inside the workspace, and in demo mode no more than its own choices."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from evaluation.tasks import tasks_folder
from jobs.errors import BadInput
from jobs.workspace import Workspace
from ui.page import Settings

RECIPES = ("snake", "tactical", "coder", "nava", "assistant")
TASKS = ("exact_match", "perplexity", "general", *(f"recipes.{name}.task" for name in RECIPES))


def inside(workspace: Workspace, text: str) -> Path:
    """`text` as a path inside the workspace (relative ones start there). Raises BadInput for any other."""
    path = (workspace.root / text).resolve()
    if not path.is_relative_to(workspace.root):
        raise BadInput(
            f"{text} lies outside the workspace.",
            "The page reads files of the workspace only, so that nobody can reach others through it.",
            "Upload the file, or use the command line for files that lie elsewhere.",
        )
    return path


def keep_upload(workspace: Workspace, uploaded: Path) -> Path:
    """Copy an uploaded file to the workspace's uploads; the same name with other content gets a suffix."""
    name = re.sub(r"[^\w.-]+", "_", uploaded.name).strip("._") or "rows"
    target = workspace.uploads / name
    if target.exists() and _hash(target) != _hash(uploaded):
        target = target.with_stem(f"{target.stem}-{_hash(uploaded)[:6]}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copyfile(uploaded, target)
    return target


def check_model(settings: Settings, workspace: Workspace, text: str) -> None:
    """Raises BadInput for a model that this page may not load: folders elsewhere, unless at this very machine."""
    own = text == "embedded" or text.startswith("job:")
    if settings.demo and not own:
        raise BadInput(
            f"The model '{text}' can't be used in the demo.",
            "The demo trains the embedded model only, to stay small.",
            "Choose embedded, or run Hearth on your own machine.",
        )
    folder = text.removeprefix("adapter:")
    if not settings.local and not own and Path(folder).expanduser().exists():
        inside(workspace, folder)


def own_tasks(workspace: Workspace) -> list[str]:
    """The names of the task files in the workspace, which are not run to be listed."""
    return sorted(path.stem for path in tasks_folder(workspace).glob("*.py"))


def check_task(settings: Settings, workspace: Workspace, text: str) -> None:
    """Raises BadInput for a task that would run code from outside the workspace."""
    if text in TASKS or (not settings.demo and text in own_tasks(workspace)):
        return
    if settings.demo or not text.endswith(".py"):
        raise BadInput(
            f"The task '{text}' can't be used on the page.",
            f"It runs {', '.join(TASKS)}" + ("." if settings.demo else ", or a Python file inside the workspace."),
            "Choose one of these; the command line takes any module.",
        )
    inside(workspace, text)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
