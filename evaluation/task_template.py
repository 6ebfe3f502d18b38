"""Starting a task of one's own: a commented file that runs as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from jobs.errors import BadInput
from jobs.files import write_text

Kind = Literal["questions", "choice", "game"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TEMPLATES = Path(__file__).with_name("task_templates")


def new_task(path: Path, kind: Kind = "questions") -> Path:
    """Write the template of that kind to `path` and return it: questions about a dataset's rows, multiple choice with
    questions of its own, or a game. Raises BadInput for a path that is taken or can't be a Python file's."""
    if path.suffix != ".py" or not path.stem.replace("-", "_").isidentifier():
        raise BadInput(
            f"'{path.name}' can't be a task's file.",
            "A task is a Python file whose name is letters, digits, - and _, and doesn't begin with a digit.",
            "Choose a name such as my-task.",
        )
    if path.exists():
        raise BadInput(f"{path} exists already.", "Nothing is written over.", "Choose another name, or edit that file.")
    text = (TEMPLATES / f"{kind}.py").read_text(encoding="utf-8")
    write_text(path, text.replace("--task my-task", f"--task {path.stem}"))
    return path
