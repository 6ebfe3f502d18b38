"""Whose rows the Rows step shows: those of a check or of a dataset version, the newest unless another is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets_src.browse import Filter, Part
from datasets_src.store import list_versions
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from ui import picks
from ui.dataset_draft import TAB
from ui.rows_state import ask_for, facts_of
from ui.words import count, when

KEY = "rows_of"
CHECK, VERSION = "check:", "version:"


def options(workspace: Workspace) -> list[picks.Option]:
    """Finished checks and dataset versions, the newest first."""
    found: list[tuple[float, picks.Option]] = []
    for job in workspace.list_jobs("data.check"):
        if job.manifest:
            made = float(job.header["created"])
            found.append((made, (f"Check of {job.header['title']} · {when(made)}", CHECK + job.id)))
    for version in list_versions(workspace):
        rows = count(version.train_rows + version.eval_rows, "row")
        found.append((version.built, (f"{version.id} · {rows} · {when(version.built)}", VERSION + version.id)))
    return [option for _, option in sorted(found, reverse=True)]


def lay_out() -> picks.Pick:
    """Draw the list here."""
    return picks.lay_out(
        TAB, KEY, options, "Rows of", "A check (before anything is built), or a dataset that was built."
    )


def folder_of(workspace: Workspace) -> Path | None:
    """The folder of the rows that are shown; None while there are none."""
    value = picks.Pick(TAB, KEY, options, None, None).value(workspace)
    if value is None:
        return None
    if value.startswith(CHECK):
        return rows_of_check(workspace.jobs / value.removeprefix(CHECK))
    name, _, version = value.removeprefix(VERSION).partition("@")
    return workspace.datasets / name / version


def rows_of_check(job: Path) -> Path:
    """Where a check leaves its rows."""
    return job / "rows"


def choose(workspace: Workspace, value: str) -> None:
    """Show these rows, a value of `options`."""
    picks.Pick(TAB, KEY, options, None, None).keep(workspace, value)


def choose_job(workspace: Workspace, job: JobDirectory) -> Path | None:
    """Show the rows that a check or a build made; their folder."""
    manifest: dict[str, Any] = job.manifest or {}
    built = manifest.get("figures", {}).get("dataset")
    choose(workspace, VERSION + built if built else CHECK + job.id)
    return folder_of(workspace)


def ask_for_check(workspace: Workspace, folder: Path, name: str) -> None:
    """Show the rows that a health check found, in the part that has most of them."""
    found = facts_of(folder).found
    part: Part = max(found, key=lambda each: found[each].get(name, 0))
    ask_for(workspace, Filter(part=part, check=name))
