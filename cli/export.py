"""`export` makes files of a trained model; `exports` lists and deletes earlier ones, and skips a running check."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.shared import ANY_OPTION, DetachOption, JsonOption, WorkspaceOption, open_workspace, run_job, show
from jobs.arguments import spec_values
from jobs.errors import BadInput

exports_app = typer.Typer(
    no_args_is_help=True, help="Exports made before: list, remove, push to the Hub; skip a running check."
)


def export(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="A training job's id, or an ExportSpec as YAML.")],
    to: Annotated[str | None, typer.Option(help="adapter, merged, gguf, vllm, …; several with commas.")] = None,
    quant: Annotated[str | None, typer.Option(help="f16, q8_0, q4_k_m, …; several with commas.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Make files for Ollama and others from a training job, and prove that they behave as the model did.

    Any other option by its name, such as --name player or --checks '[answers]'; docs/options.md lists them all.
    """
    from export.spec import ExportSpec

    place = open_workspace(workspace)
    from_file = job.endswith((".yaml", ".yml"))
    values, where = spec_values([job, *context.args] if from_file else ["--job", job, *context.args])
    for name, text in (("to", to), ("quantisations", quant)):
        if text:
            values[name] = [part.strip() for part in text.split(",")]
    parsed = ExportSpec.parse(values, where)
    trained = place.job(parsed.job)
    spec = {**parsed.model_dump(mode="json"), "job": trained.id}
    run_job(place, "export", spec, parsed.name or trained.header["title"], as_json, detach)


@exports_app.command("list")
def list_all(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Every export with its files and the room that it takes."""
    from export.stored import stored_exports

    found = stored_exports(open_workspace(workspace))
    lines = [
        f"{each.id}  {each.size_bytes / 1e9:7.2f} GB  {each.state:<9} {each.title}: {', '.join(each.files)}"
        for each in found
    ]
    show({"exports": [asdict(each) for each in found]}, as_json, "\n".join(lines) or "Nothing exported yet.")


@exports_app.command()
def remove(
    export_id: Annotated[str, typer.Argument(help="As `list` shows it; its beginning is enough.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete an export's files for good. The training that it was made of stays."""
    from export.stored import delete_export

    place = open_workspace(workspace)
    job = place.job(export_id)
    if not yes and not typer.confirm(f"Delete {job.id} and all its files?", err=True):
        raise BadInput(f"{job.id} was not deleted.", "It wasn't confirmed.", "Answer y, or give --yes.")
    freed = delete_export(place, job.id)
    show({"removed": job.id, "bytes": freed}, as_json, f"Removed {job.id}: {freed / 1e9:.2f} GB free again.")


@exports_app.command(context_settings=ANY_OPTION)
def push(
    context: typer.Context,
    export_id: Annotated[str, typer.Argument(help="A finished export, or a HubSpec as YAML.")],
    repository: Annotated[str | None, typer.Argument(help="owner/name on the Hub; stands in the YAML.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Upload an export to the Hugging Face Hub with its model card, after asking. --files '[gguf]' for some of it."""
    from export.hub import HubSpec, find_export

    place = open_workspace(workspace)
    named = ["--export", export_id, *(["--repository", repository] if repository else [])]
    from_file = export_id.endswith((".yaml", ".yml"))
    values, where = spec_values([export_id, *context.args] if from_file else [*named, *context.args])
    parsed = HubSpec.parse({**values, "confirmation": values.get("repository")}, where)
    export_job = find_export(place, parsed.export)
    if not yes and not typer.confirm(f"Upload {export_job.id} to {parsed.repository}?", err=True):
        raise BadInput("Nothing was uploaded.", "It wasn't confirmed.", "Answer y, or give --yes.")
    spec = {**parsed.model_dump(mode="json"), "export": export_job.id}
    run_job(place, "hub", spec, parsed.repository, as_json, detach)


@exports_app.command()
def skip(
    export_id: Annotated[str, typer.Argument(help="A running export.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave out the rest of the check that a running export is at; the files are then said to be unverified in it."""
    from export.stages import request_skip

    job = open_workspace(workspace).job(export_id)
    if job.header["kind"] != "export" or not job.status().state.active:
        raise BadInput(f"{job.id} is no running export.", "Only a running check can be skipped.", "See `jobs list`.")
    request_skip(job)
    show({"asked": job.id}, as_json, f"Asked {job.id} to skip its present check.")
