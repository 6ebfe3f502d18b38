"""Commands about rows: look at a source, check and build a dataset, show, compare and hand out its versions."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.shared import (
    ANY_OPTION,
    DetachOption,
    JsonOption,
    WorkspaceOption,
    console,
    open_workspace,
    run_job,
    show,
)
from jobs.arguments import spec_values
from jobs.errors import BadInput
from jobs.workspace import Workspace

data_app = typer.Typer(no_args_is_help=True, help="Look at rows, make more, build datasets, show and hand them out.")
LONGEST_SAMPLE = 300
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@data_app.command("inspect")
def data_inspect(
    source: Annotated[str, typer.Argument(help="A file, a Hub id (owner/name), dataset:name or job:ID.")],
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """What a source holds: its format and why, columns, problems with row numbers, sample rows."""
    from datasets_src.checks import CHECKS
    from datasets_src.inspect import inspect_source
    from datasets_src.readers import READERS
    from datasets_src.spec import HUB, SourceSpec

    if not Path(source).exists() and HUB_ID.fullmatch(source) and Path(source).suffix.lower() not in READERS:
        source = HUB + source
    found = inspect_source(SourceSpec.parse({"path": source}), open_workspace(workspace))
    titles = {check.name: check.title for check in CHECKS}
    lines = [
        f"{source}: {found.title or 'no known format'} ({found.evidence})",
        f"columns: {', '.join(found.columns)}",
        f"rows: {found.rows}, of which {found.bad} can't be used",
        *(str(problem) for problem in found.problems),
        *(f"{name}: {number:,} rows ({titles[name]})" for name, number in found.found.items()),
        *(json.dumps(row, ensure_ascii=False)[:LONGEST_SAMPLE] for row in found.samples[:3]),
    ]
    show(found.as_json(), as_json, "\n".join(line for line in lines if line))


@data_app.command("build")
def data_build(
    spec: Path, workspace: WorkspaceOption = None, as_json: JsonOption = False, detach: DetachOption = False
) -> None:
    """Build a dataset version from a DatasetSpec."""
    _run_dataset_job("data.build", spec, open_workspace(workspace), as_json, detach)


@data_app.command("check")
def data_check(
    spec: Path, workspace: WorkspaceOption = None, as_json: JsonOption = False, detach: DetachOption = False
) -> None:
    """Do everything but build: what each health check finds in the rows of a DatasetSpec."""
    _run_dataset_job("data.check", spec, open_workspace(workspace), as_json, detach)


def _run_dataset_job(kind: str, spec: Path, workspace: Workspace, as_json: bool, detach: bool) -> None:
    from datasets_src.spec import DatasetSpec

    parsed = DatasetSpec.load(spec).with_absolute_paths(spec.resolve().parent)
    run_job(workspace, kind, parsed.model_dump(mode="json"), parsed.name, as_json, detach)


@data_app.command("show")
def data_show(
    name: str,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    rows: Annotated[int, typer.Option(min=0, help="Show this many rows instead of the card.")] = 0,
    start: Annotated[int, typer.Option("--from", min=1, help="The first row to show.")] = 1,
    part: Annotated[str, typer.Option(help="train, eval or left_out.")] = "train",
    text: Annotated[str, typer.Option(help="Only rows that hold this text.")] = "",
    check: Annotated[str, typer.Option(help="Only rows that this health check found.")] = "",
) -> None:
    """A dataset's card, or its rows: NAME for the latest version, or NAME@VERSION."""
    from datasets_src.browse import Filter, Rows
    from datasets_src.store import open_version

    version = open_version(open_workspace(workspace), name)
    if not rows:
        show({"id": version.id, "path": str(version.folder), "report": version.report}, as_json, version.card)
        return
    page = Rows(version.folder).page(Filter(_one_of(part), text=text, check=check), start - 1, rows)
    lines = [
        f"{place}: {json.dumps(row, ensure_ascii=False)}" for place, row in zip(page.places, page.rows, strict=True)
    ]
    show(asdict(page), as_json, "\n".join([*lines, f"{page.total:,} rows{' or more' if page.more else ''}"]))


def _one_of(part: str) -> Literal["train", "eval", "left_out"]:
    match part:
        case "train" | "eval" | "left_out":
            return part
        case _:
            raise BadInput(f"There is no part '{part}'.", "Rows are in train, eval or left_out.", "Name one of these.")


@data_app.command("compare")
def data_compare(first: str, second: str, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """What differs between two versions: NAME@VERSION NAME@VERSION."""
    from datasets_src.compare import compare
    from datasets_src.store import open_version

    place = open_workspace(workspace)
    found = compare(open_version(place, first), open_version(place, second))
    names = ("same", "added", "removed", "changed", "moved")
    lines = [f"{found.first} → {found.second}", *(f"{name}: {getattr(found, name):,} rows" for name in names)]
    show(found.as_json(), as_json, "\n".join(lines))


@data_app.command("save")
def data_save(
    name: str,
    folder: Path,
    file_format: Annotated[str, typer.Option("--format", help="jsonl or parquet.")] = "jsonl",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a version's rows and its card into a folder, as JSONL or Parquet."""
    from datasets_src.hand_out import hand_out
    from datasets_src.store import open_version

    if file_format not in ("jsonl", "parquet"):
        raise BadInput(f"There is no format '{file_format}'.", "Known are jsonl and parquet.", "Name one of these.")
    version = open_version(open_workspace(workspace), name)
    files = hand_out(version, folder, "parquet" if file_format == "parquet" else "jsonl")
    show({"id": version.id, "files": files}, as_json, "\n".join(map(str, files)))


@data_app.command("push")
def data_push(
    name: str,
    repository: Annotated[str, typer.Argument(help="owner/name on the Hugging Face Hub.")],
    public: Annotated[bool, typer.Option("--public", help="Let everybody see it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Upload a version to the Hub as a dataset, after asking."""
    from datasets_src.hand_out import push
    from datasets_src.store import open_version

    place = open_workspace(workspace)
    version = open_version(place, name)
    rows = version.train_rows + version.eval_rows
    seen = "everybody" if public else "you alone"
    if not yes:
        typer.confirm(f"Upload {version.id} ({rows:,} rows) to {repository}, for {seen} to see?", abort=True, err=True)
    address = push(version, repository, private=not public, folder=place.cache / "push" / version.version)
    show({"id": version.id, "address": address}, as_json, address)


@data_app.command("expand")
def data_expand(
    spec: Annotated[Path, typer.Argument(help="An ExpansionSpec as YAML.")],
    out: Annotated[Path | None, typer.Option(help="Write the rows here as JSONL.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The rows that a template makes. (A DatasetSpec takes the YAML file itself as a source.)"""
    from datasets_src.expansion import ExpansionSpec, expand
    from jobs.files import write_text

    expansion = expand(ExpansionSpec.load(spec))
    rows = list(expansion)
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    if out is not None:
        write_text(out, text + "\n")
    refusals: list[Any] = [asdict(refusal) for refusal in expansion.refusals]
    for refusal in expansion.refusals:
        console.print(f"{refusal.count:,} refused: {refusal.what} ({refusal.reason})")
    value = {"rows": len(rows), "refused": refusals, "path": out, "samples": rows[:5]}
    show(value, as_json, f"{len(rows):,} rows → {out}" if out else text)


@data_app.command("synthesise", context_settings=ANY_OPTION)
def data_synthesise(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say how many calls and tokens it takes.")] = False,
    sample: Annotated[int, typer.Option(min=0, help="Only make this many rows and print them.")] = 0,
) -> None:
    """Have teacher models write rows: SPEC.yaml and any option by its dotted name. The job's rows are a source."""
    from datasets_src.synthesis import preview
    from datasets_src.synthesis.spec import SynthesisSpec

    values, where = spec_values(context.args)
    base = Path(where).resolve().parent if Path(where).is_file() else Path.cwd()
    spec = SynthesisSpec.parse(values, where).with_absolute_paths(base)
    if estimate:
        found = asdict(preview.estimate(spec, base))
        show(found, as_json, str(preview.estimate(spec, base)))
    elif sample:
        made = preview.sample(spec, sample, base)
        show(asdict(made), as_json, "\n".join(json.dumps(row, ensure_ascii=False) for row in made.rows))
    else:
        run_job(open_workspace(workspace), "data.synthesise", spec.model_dump(mode="json"), spec.name, as_json, detach)
