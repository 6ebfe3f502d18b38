"""Hearth from a terminal: everything the page does. Progress and messages go to stderr, the result to stdout.

Exit status: 0 done, 1 the job failed, 2 bad input or something missing, 130 stopped.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console

from jobs import launcher
from jobs.arguments import spec_values
from jobs.directory import JobDirectory, State
from jobs.errors import BadInput, Missing, UserError, disk_full
from jobs.follow import follow
from jobs.kinds import KINDS
from jobs.workspace import Workspace

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, help=__doc__
)
data_app = typer.Typer(no_args_is_help=True, help="Look at files, build datasets, show them.")
jobs_app = typer.Typer(no_args_is_help=True, help="See, stop and resume what runs or ran.")
app.add_typer(data_app, name="data")
app.add_typer(jobs_app, name="jobs")

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", help="Folder for datasets and jobs. Default: HEARTH_WORKSPACE, else ./workspace."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Start the job and return at once.")]
ANY_OPTION = {"allow_extra_args": True, "ignore_unknown_options": True}

console = Console(stderr=True, highlight=False)


def _workspace(folder: Path | None) -> Workspace:
    return Workspace(folder) if folder else Workspace.default()


def _print(value: Any, as_json: bool, text: str) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str) if as_json else text)


def _run(workspace: Workspace, kind: str, spec: dict[str, Any], title: str, as_json: bool, detach: bool) -> None:
    """Start a job, follow it unless detached, print its result, exit with its status."""
    from models.hardware import probe

    job = launcher.start(workspace, kind, spec, title=title, resource=probe(workspace.root).resource)
    console.print(f"{KINDS[kind].label}: job {job.id}")
    if not detach:
        follow(job, console)
    _report(job, as_json)


def _report(job: JobDirectory, as_json: bool) -> None:
    """Print how a job stands; exit 1, 2 or 130 when it did not end well."""
    status = launcher.observe(job)
    figures = (job.manifest or {}).get("figures", {})
    summary = {
        "job": job.id,
        "state": status.state,
        "message": status.message,
        "path": str(job.path),
        "figures": figures,
    }
    if status.state is State.FAILED:
        summary |= {"error": status.error, "hint": status.hint}
        console.print(f"[red]Failed:[/red] {status.error}\n  do:  {status.hint}\n  log: {job.log_path}")
    shown = [f"  {name}: {value}" for name, value in figures.items() if not isinstance(value, dict | list)]
    _print(summary, as_json, "\n".join([f"{job.id}: {status.message or status.state}", *shown, str(job.path)]))
    if status.state is State.STOPPED:
        raise typer.Exit(130)
    if status.state in (State.FAILED, State.LOST):
        raise typer.Exit(2 if status.error_kind in (BadInput.kind, Missing.kind) else 1)


@app.command()
def demo(
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    rows: Annotated[int, typer.Option(min=50, help="Snake rows per teacher.")] = 1500,
) -> None:
    """The whole path on the embedded model: Snake rows from four teachers → training → verdict → GGUF → check."""
    from recipes.snake.demo import Demo

    result = Demo(_workspace(workspace), rows, console).run()
    _print(result.as_json(), as_json, result.as_text())
    raise typer.Exit(result.exit_status)


@data_app.command("inspect")
def data_inspect(file: Path, as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """What a file holds: its format and why, columns, problems with row numbers, sample rows."""
    del workspace
    from datasets_src.inspect import inspect_file

    found = inspect_file(file)
    samples = "\n".join(json.dumps(row["messages"], ensure_ascii=False)[:300] for row in found.samples[:3])
    lines = [
        f"{file}: {found.title or 'no known format'} ({found.evidence})",
        f"columns: {', '.join(found.columns)}",
        f"rows: {found.rows}, of which {found.bad} can't be used",
        *(str(problem) for problem in found.problems),
        samples,
    ]
    _print(found.as_json(), as_json, "\n".join(line for line in lines if line))


@data_app.command("build")
def data_build(
    spec: Path, workspace: WorkspaceOption = None, as_json: JsonOption = False, detach: DetachOption = False
) -> None:
    """Build a dataset version from a DatasetSpec."""
    from datasets_src.spec import DatasetSpec

    parsed = DatasetSpec.load(spec).with_absolute_paths(spec.resolve().parent)
    _run(_workspace(workspace), "data.build", parsed.model_dump(mode="json"), parsed.name, as_json, detach)


@data_app.command("show")
def data_show(name: str, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """A dataset's report: NAME for the latest version, or NAME@VERSION."""
    from datasets_src.store import open_version

    version = open_version(_workspace(workspace), name)
    _print({"id": version.id, "path": str(version.folder), "report": version.report}, as_json, version.card)


@app.command(context_settings=ANY_OPTION)
def train(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Train: [SPEC.yaml] and any option by its dotted name, such as --model M --data D --method.rank 8."""
    from datasets_src.store import open_version
    from models.reference import require_usable
    from trainer.spec import TrainSpec

    parsed = TrainSpec.parse(*spec_values(context.args))
    require_usable(parsed.model, _workspace(workspace))
    open_version(_workspace(workspace), parsed.data)
    _run(_workspace(workspace), "train", parsed.model_dump(mode="json"), parsed.title, as_json, detach)


@app.command(context_settings=ANY_OPTION)
def evaluate(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Compare models on held-out rows: [SPEC.yaml] --models '[embedded, job:ID]' --data D --task T."""
    from datasets_src.store import open_version
    from evaluation.spec import EvaluateSpec
    from models.reference import require_usable

    parsed = EvaluateSpec.parse(*spec_values(context.args))
    open_version(_workspace(workspace), parsed.data)
    for model in parsed.models:
        require_usable(model, _workspace(workspace))
    title = f"{parsed.data.split('@')[0]}: {len(parsed.models)} models"
    _run(_workspace(workspace), "evaluate", parsed.model_dump(mode="json"), title, as_json, detach)


@app.command(context_settings=ANY_OPTION)
def export(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="A training job's id, or an ExportSpec as YAML.")],
    to: Annotated[str | None, typer.Option(help="adapter, merged, gguf; several with commas.")] = None,
    quant: Annotated[str | None, typer.Option(help="f16, q8_0, q4_k_m; several with commas.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Make files for Ollama and others from a training job, and check that they behave as the model did."""
    from export.spec import ExportSpec

    place = _workspace(workspace)
    from_file = job.endswith((".yaml", ".yml"))
    values, where = spec_values([job, *context.args] if from_file else ["--job", job, *context.args])
    for name, text in (("to", to), ("quantisations", quant)):
        if text:
            values[name] = [part.strip() for part in text.split(",")]
    parsed = ExportSpec.parse(values, where)
    trained = place.job(parsed.job)
    spec = {**parsed.model_dump(mode="json"), "job": trained.id}
    _run(place, "export", spec, trained.header["title"], as_json, detach)


@jobs_app.command("list")
def jobs_list(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """All jobs, newest first."""
    rows = []
    for job in _workspace(workspace).list_jobs():
        status = launcher.observe(job)
        kind = KINDS[job.header["kind"]].label
        rows.append(
            {
                "job": job.id,
                "kind": kind,
                "title": job.header["title"],
                "state": status.state,
                "message": status.message,
            }
        )
    lines = [f"{row['job']}  {row['state']:<10} {row['kind']}: {row['title']} · {row['message']}" for row in rows]
    _print(rows, as_json, "\n".join(lines) or "No job was started here yet. Try: python cli.py demo")


@jobs_app.command("show")
def jobs_show(job_id: str, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """One job: its spec, the values it resolved, its state and figures."""
    job = _workspace(workspace).job(job_id)
    known = {
        "job": job.id, **job.header, "status": launcher.observe(job).__dict__,
        "resolved": job.resolved, "changes": job.changes, "manifest": job.manifest,
    }  # fmt: skip
    plain = json.loads(json.dumps(known, default=str))
    _print(known, as_json, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


@jobs_app.command("logs")
def jobs_logs(job_id: str, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """The end of what a job's worker printed."""
    log = _workspace(workspace).job(job_id).log_tail()
    _print({"job": job_id, "log": log}, as_json, log)


@jobs_app.command("stop")
def jobs_stop(job_id: str, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Stop a job: it finishes its step and saves; after a minute it is ended."""
    job = _workspace(workspace).job(job_id)
    state = launcher.stop(job, wait_seconds=60)
    _print({"job": job.id, "state": state}, as_json, f"{job.id}: {state}")


@jobs_app.command("resume")
def jobs_resume(
    job_id: str, workspace: WorkspaceOption = None, as_json: JsonOption = False, detach: DetachOption = False
) -> None:
    """Go on with a stopped, failed or lost job from what it saved."""
    job = _workspace(workspace).job(job_id)
    launcher.resume(job)
    if not detach:
        follow(job, console)
    _report(job, as_json)


def main() -> None:
    """The boundary: what the user can mend becomes a message, anything else keeps its traceback."""
    try:
        app()
    except UserError as error:
        print(f"{error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, BadInput | Missing) else 1)
    except OSError as error:
        full = disk_full(error, "the workspace")
        if full is None:
            raise
        print(full, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
