"""Estimate and truth: one line for each run, kept in the workspace, and the correction that a probe gives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from jobs.files import read_json_lines
from jobs.workspace import Workspace
from trainer.memory.estimate import MemoryEstimate

FILE_NAME = "memory_records.jsonl"


@dataclass(frozen=True)
class MemoryRecord:
    """What was estimated for a run and what it took, in bytes; None for what was not measured.

    `settings` are the options and the setting that memory depends on; `estimated` the parts by name, and `total`.
    """

    job: str
    model: str
    card: str
    settings: dict[str, Any]
    estimated: dict[str, int]
    probed: int | None
    peak: int | None
    time: float

    @property
    def error(self) -> float | None:
        """How far the estimate was off the peak: 0.1 is 10 % too much, below 0 too little."""
        return self.estimated["total"] / self.peak - 1 if self.peak else None


def record_run(
    workspace: Workspace,
    *,
    job: str,
    model: str,
    card: str,
    settings: dict[str, Any],
    estimated: MemoryEstimate,
    probed: int | None,
    peak: int | None,
) -> MemoryRecord:
    """Note a run's memory at the end of the workspace's records."""
    record = MemoryRecord(job, model, card, settings, estimated.as_json(), probed, peak, time.time())
    path = records_path(workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")
    return record


def read_records(workspace: Workspace) -> list[MemoryRecord]:
    """All records, oldest first; lines cut short by a kill, or of another version, are passed over."""
    return list(_records(records_path(workspace)))


def records_path(workspace: Workspace) -> Path:
    """Where they are."""
    return workspace.root / FILE_NAME


def _records(path: Path) -> Iterator[MemoryRecord]:
    names = {field.name for field in fields(MemoryRecord)}
    for line in read_json_lines(path):
        if isinstance(line, dict) and set(line) == names:
            yield MemoryRecord(**line)


def corrected(estimated: MemoryEstimate, measured: int) -> MemoryEstimate:
    """The estimate after a probe measured `measured` bytes at its peak.

    What is exactly known (weights, adapter, gradients, optimiser) stays. The difference goes to what is not: shared
    out among activations, logits and overhead by their size; more than these hold is taken from the weights.
    """
    known = estimated.weights.bytes + estimated.adapter.bytes + estimated.gradients.bytes + estimated.optimiser.bytes
    unknown = estimated.total - known
    rest = max(0, measured - known)
    share = rest / unknown if unknown else 0.0
    activations = round(estimated.activations.bytes * share)
    logits = round(estimated.logits.bytes * share)
    overhead = max(0, rest - activations - logits)
    weights = estimated.weights.bytes - max(0, known - measured)
    return replace(
        estimated,
        weights=replace(estimated.weights, bytes=weights),
        activations=replace(estimated.activations, bytes=activations, reason="as the probe measured"),
        logits=replace(estimated.logits, bytes=logits),
        overhead=replace(estimated.overhead, bytes=overhead),
    )
