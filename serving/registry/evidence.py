"""What evaluations say of a model: every finished one of the workspace that measured it, with its verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from serving.registry.lineage import full_reference
from serving.registry.records import Evidence, Lineage


def evidence_of(ref: str, lineage: Lineage, workspace: Workspace) -> tuple[Evidence, ...]:
    """Measured of the model itself and, for a file that was exported, of the training behind it; newest first.

    `ref` is a reference in full.
    """
    wanted = {ref, f"job:{lineage.job}"} if lineage.export and lineage.job else {ref}
    return tuple(each for job in workspace.list_jobs("evaluate") for each in _of_job(job, wanted, workspace))


def merged(kept: tuple[Evidence, ...], found: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """What was found now, and what was kept of evaluations that were deleted since; newest first."""
    still_there = {each.job for each in found}
    every = [*found, *(each for each in kept if each.job not in still_there)]
    return tuple(sorted(every, key=lambda each: each.time, reverse=True))


def _of_job(job: JobDirectory, wanted: set[str], workspace: Workspace) -> Iterator[Evidence]:
    manifest = job.manifest
    if manifest is None:
        return
    figures = manifest["figures"]
    names = {str(model["name"]): str(model["ref"]) for model in figures.get("models", [])}
    measured = {name: text for name, text in names.items() if _in_full(text, workspace) in wanted}
    if not measured:
        return
    shared = {
        "job": job.id,
        "time": float(manifest["finished"]),
        "task": str(figures["task"]["name"]),
        "data": str((job.resolved or {}).get("data", {}).get("value", "")),
    }
    for measure in figures["measures"]:
        yield from _of_measure(measure, measured, shared)


def _of_measure(measure: dict[str, Any], measured: dict[str, str], shared: dict[str, Any]) -> Iterator[Evidence]:
    verdicts = {verdict["candidate"]: verdict for verdict in measure["verdicts"]}
    for standing in measure["standings"]:
        name = standing["name"]
        if standing["kind"] != "model" or name not in measured:
            continue
        verdict = verdicts.get(name, {})
        yield Evidence(
            **shared,
            metric=measure["metric"],
            main=bool(measure["main"]),
            unit=measure["unit"],
            measured=measured[name],
            mean=standing["mean"],
            low=standing["low"],
            high=standing["high"],
            against=verdict.get("reference"),
            outcome=verdict.get("outcome"),
            sentence=verdict.get("sentence"),
        )


def _in_full(text: str, workspace: Workspace) -> str | None:
    try:
        return full_reference(text, workspace)
    except (Missing, BadInput):  # its job was deleted, or its folder moved: it names no model any more
        return None
