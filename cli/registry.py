"""Commands about registered models: add, list, show, promote, rollback, retire, tag, history, remove, vllm."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.shared import JsonOption, WorkspaceOption, open_workspace, show
from jobs.annotations import split_tags
from jobs.errors import BadInput
from serving.registry.records import Change, Evidence, Stage, Version, parse_named
from serving.registry.store import Registry

registry_app = typer.Typer(
    no_args_is_help=True, help="Tuned models with their versions: what is in use, where it came from, how good it is."
)
VersionArgument = Annotated[str, typer.Argument(help="NAME@NUMBER; without @NUMBER the one in production.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it stays in the history.")]


@registry_app.command("add")
def registry_add(
    name: str,
    model: Annotated[str, typer.Argument(help="job:ID, adapter:FOLDER, a .gguf file, ollama:NAME, embedded, …")],
    tags: Annotated[str, typer.Option(help="Words, with commas between them.")] = "",
    note: str = "",
    base_licence: Annotated[str | None, typer.Option(help="Where the base's card doesn't state it.")] = None,
    data_licence: str | None = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a model as the next version of NAME, as a candidate."""
    version = _open(workspace).register(
        name, model, tags=split_tags(tags), note=note, base_licence=base_licence, data_licence=data_licence
    )
    show(asdict(version), as_json, f"{version.label} is registered as a candidate: {version.ref}")


@registry_app.command("list")
def registry_list(
    name: Annotated[str | None, typer.Argument()] = None,
    tag: str | None = None,
    stage: Annotated[str | None, typer.Option(help="candidate, production or retired.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """All versions, or those of a name, a tag, a stage."""
    wanted: Stage | None = stage  # type: ignore[assignment]  # find refuses others
    found = _open(workspace).find(name=name, tag=tag, stage=wanted)
    lines = [_line(version) for version in found]
    show([asdict(version) for version in found], as_json, "\n".join(lines) or "Nothing fits.")


@registry_app.command("show")
def registry_show(version: VersionArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """One version: its lineage, what evaluations say of it, and whether its files are still the same."""
    registry = _open(workspace)
    found = registry.resolve(version)
    found = registry.refresh(found.name, found.number)
    state = registry.check(found)
    show(
        {**asdict(found), "check": asdict(state)}, as_json, "\n".join([*_described(found), f"Files: {state.sentence}"])
    )


@registry_app.command("promote")
def registry_promote(
    version: VersionArgument, reason: ReasonOption, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Put a version into production; the one before is retired in the same step. NAME:candidate takes the newest."""
    registry = _open(workspace)
    found = registry.resolve(version)
    _tell_production(registry, registry.promote(found.name, found.number, reason), as_json)


@registry_app.command("rollback")
def registry_rollback(
    name: str, reason: ReasonOption, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Put the version back that was in production before."""
    registry = _open(workspace)
    _tell_production(registry, registry.roll_back(name, reason), as_json)


@registry_app.command("retire")
def registry_retire(
    version: VersionArgument, reason: ReasonOption, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Take a version out of use; of the one in production nothing takes the place."""
    registry = _open(workspace)
    found = registry.resolve(version)
    done = registry.retire(found.name, found.number, reason)
    show(asdict(done), as_json, f"{done.label} is retired.")


@registry_app.command("tag")
def registry_tag(
    version: VersionArgument,
    add: Annotated[str, typer.Option(help="Words, with commas between them.")] = "",
    remove: Annotated[str, typer.Option(help="Words, with commas between them.")] = "",
    note: Annotated[str | None, typer.Option(help="Replaces the note.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add and remove tags, and write a note."""
    registry = _open(workspace)
    found = registry.resolve(version)
    done = registry.tag(found.name, found.number, add=split_tags(add), remove=split_tags(remove))
    if note is not None:
        done = registry.note(found.name, found.number, note)
    show(asdict(done), as_json, "\n".join(_described(done)))


@registry_app.command("history")
def registry_history(name: str, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """What was done to the versions of a name, and why."""
    changes = _open(workspace).history(name)
    show([asdict(change) for change in changes], as_json, "\n".join(_told(change) for change in changes))


@registry_app.command("remove")
def registry_remove(
    version: Annotated[str, typer.Argument(help="NAME@NUMBER.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a version that is not in production; its files stay."""
    registry = _open(workspace)
    if parse_named(version).number is None:
        raise BadInput(f"'{version}' names no single version.", "What is removed is named whole.", "Give NAME@NUMBER.")
    found = registry.resolve(version)
    if not yes and not typer.confirm(f"Forget {found.label} ({found.ref})?", err=True):
        raise BadInput(f"{found.label} was not removed.", "It wasn't confirmed.", "Answer y, or give --yes.")
    registry.delete(found.name, found.number)
    show({"removed": found.label}, as_json, f"{found.label} is removed from the registry; its files are still there.")


@registry_app.command("vllm")
def registry_vllm(
    versions: Annotated[list[str], typer.Argument(help="NAME or NAME@NUMBER, several; adapters of one base.")],
    to: Annotated[Path, typer.Option(help="The folder to write.")],
    host: Annotated[str, typer.Option(help="Where the router will find the server.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a folder that serves adapters of one base with vLLM on another machine: command and compose file."""
    from serving.registry.vllm import vllm_launch

    launch = vllm_launch(_open(workspace), versions, to, host=host, port=port)
    lines = [f"Written to {launch.folder}:", f"  {launch.command}", "A router names the models so:"]
    show(asdict(launch), as_json, "\n".join([*lines, *(f"  {line}" for line in launch.endpoints)]))


def _open(workspace: Path | None) -> Registry:
    return Registry(open_workspace(workspace))


def _tell_production(registry: Registry, version: Version, as_json: bool) -> None:
    last = registry.history(version.name)[-1]
    before = f"; {version.name}@{last.before} was before" if last.before is not None else ""
    show(asdict(version), as_json, f"{version.label} is in production now{before}.")


def _line(version: Version) -> str:
    mark = "*" if version.stage == "production" else " "
    tags = f"  #{' #'.join(version.tags)}" if version.tags else ""
    return f"{mark} {version.label:<32} {version.stage:<11} {_moment(version.created)}  {version.ref}{tags}"


def _described(version: Version) -> list[str]:
    lineage: dict[str, Any] = {name: value for name, value in asdict(version.lineage).items() if name != "spec"}
    known = [f"  {name:<8} {value}" for name, value in lineage.items() if value]
    licences = f"base {version.licences.base or 'not stated'}, data {version.licences.data or 'not stated'}"
    measured = [_measured(each) for each in version.evidence if each.main]
    return [
        _line(version),
        *([f"  {version.note}"] if version.note else []),
        "Lineage:" if known else "Lineage: not known",
        *known,
        f"Licences: {licences}",
        "Evaluations:" if measured else "Evaluations: none",
        *measured,
    ]


def _measured(evidence: Evidence) -> str:
    figure = f"{100 * evidence.mean:.1f}%" if evidence.unit == "points" else f"{evidence.mean:.3g}"
    against = f"; against {evidence.against}: {evidence.sentence}" if evidence.against else ""
    return f"  {evidence.task} on {evidence.data}: {evidence.metric} {figure}{against} ({evidence.job})"


def _told(change: Change) -> str:
    moved = (
        ""
        if change.before == change.after
        else f"  production {_told_number(change.before)} → {_told_number(change.after)}"
    )
    return f"{_moment(change.time)}  {change.action:<9} {change.name}@{change.number}{moved}  {change.reason}"


def _told_number(number: int | None) -> str:
    return "none" if number is None else f"@{number}"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
