"""How long a training should take, by an earlier one of its kind on this machine. Light enough for the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from datasets_src.browse import Rows
from datasets_src.store import DatasetVersion, open_version
from jobs.directory import JobDirectory
from jobs.errors import UserError
from jobs.workspace import Workspace
from trainer.memory.records import read_records
from trainer.plan import total_steps
from trainer.spec import TrainSpec


@dataclass(frozen=True)
class Expected:
    """About how many seconds, and the title of the earlier run whose speed that is."""

    seconds: float
    earlier: str


def expected_time(spec: TrainSpec, workspace: Workspace, device: str) -> Expected | None:
    """What the speed of an earlier run on `device` gives; None where there is no such run, or no such dataset.

    Time goes with the characters of the rows that are gone through. Of the earlier runs that had the same model,
    objective and adapter, one on the same dataset tells most, and then the newest.
    """
    characters = _gone_through(spec, workspace)
    earlier = sorted(_earlier(spec, workspace, device), key=lambda run: _name(run[1].data) != _name(spec.data))
    for job, its_spec in earlier:
        figures: dict[str, Any] = (job.manifest or {}).get("figures", {})
        its_characters = _gone_through(its_spec, workspace, figures.get("steps"))
        if characters and its_characters and figures.get("training_seconds"):
            return Expected(figures["training_seconds"] * characters / its_characters, job.header["title"])
    return None


def _earlier(spec: TrainSpec, workspace: Workspace, device: str) -> Iterator[tuple[JobDirectory, TrainSpec]]:
    """Trainings of the same kind that ended in one go on this machine, newest first."""
    here = {record.job for record in read_records(workspace) if record.card == device}
    for job in workspace.list_jobs("train"):
        alike = job.id in here and job.header["spec"].get("model") == spec.model
        if not alike or (job.manifest or {}).get("attempts") != 1:
            continue
        try:
            its_spec = TrainSpec.parse(job.header["spec"])
        except UserError:
            continue  # written by another version of Hearth, with other options
        if _kind(its_spec) == _kind(spec):
            yield job, its_spec


def _kind(spec: TrainSpec) -> tuple[str, ...]:
    return spec.method.objective, spec.method.adapter


def _name(data: str) -> str:
    return data.partition("@")[0]


def _gone_through(spec: TrainSpec, workspace: Workspace, steps: int | None = None) -> float | None:
    """Characters of all rows of a run, repeated ones included; None where they can't be told beforehand."""
    optimisation = spec.optimisation
    if spec.method.objective == "continued" or optimisation.batching == "packing":
        return None  # a step is of packs
    try:
        version = open_version(workspace, spec.data)
    except UserError:
        return None  # said where it is chosen
    if not version.train_rows:
        return None
    rows = (steps or total_steps(spec, version.train_rows)) * optimisation.effective_batch
    return min(rows, version.train_rows * optimisation.epochs) * _characters(version)


def _characters(version: DatasetVersion) -> float:
    """Of a training row, in the mean."""
    import polars as pl

    index = Rows(version.folder).index
    return float(index.filter(index["part"].cast(pl.String) == "train")["characters"].mean() or 0)
