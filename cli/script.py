"""`python cli.py script JOB`: a training run as a stand-alone Python script, for plain TRL or Unsloth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.shared import JsonOption, WorkspaceOption, open_workspace, show
from jobs.errors import BadInput


def script(
    job: Annotated[str, typer.Argument(help="A training job's id; it needn't be finished.")],
    to: Annotated[Path | None, typer.Option(help="Folder to write. Default: script-JOB, here.")] = None,
    library: Annotated[
        str | None, typer.Option(help="trl (runs anywhere) or unsloth. Default: what the run was trained with.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a training run as a Python script that repeats it without Hearth, with its rows beside it."""
    from trainer.script import write_script

    if library not in (None, "trl", "unsloth"):
        raise BadInput(f"--library {library} is unknown.", "A script can use one of two.", "Choose trl or unsloth.")
    place = open_workspace(workspace)
    trained = place.job(job)
    folder = to or Path(f"script-{trained.id}")
    written = write_script(trained, place, folder, library)  # type: ignore[arg-type]
    show({"script": str(written), "folder": str(folder)}, as_json, f"Run it with: python {written}")
