"""`python cli.py rent`: the same training run as a SkyPilot task, for a rented GPU."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.shared import JsonOption, WorkspaceOption, open_workspace, show
from jobs.arguments import spec_values


def rent(
    context: typer.Context,
    gpu: Annotated[str | None, typer.Option(help="The card, as SkyPilot names it: L4, A100, H100:2.")] = None,
    gpu_gb: Annotated[
        float | None,
        typer.Option("--gpu-gb", min=0.1, help="GPU memory that the run needs; cards that hold it are tried."),
    ] = None,
    repository: Annotated[
        str | None, typer.Option(help="Where the rented machine gets Hearth from: a git address it can reach.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a SkyPilot task that trains SPEC.yaml on a rented GPU; any option by its dotted name, as for train."""
    from datasets_src.store import open_version
    from trainer.rented import skypilot_task
    from trainer.spec import TrainSpec

    spec = TrainSpec.parse(*spec_values(context.args))
    versions = [open_version(open_workspace(workspace), name) for name in (spec.data, *spec.saving.evaluate_on)]
    folders = {version.id: version.folder for version in versions}
    task = skypilot_task(spec, folders, gpu, gpu_gb, repository)
    show({"task": task, "datasets": list(folders)}, as_json, task)
