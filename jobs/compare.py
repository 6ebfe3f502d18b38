"""What differs between two jobs: their specs, the values they really used, and the figures they ended with."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.curves import curves
from jobs.directory import JobDirectory


@dataclass(frozen=True)
class Difference:
    """A value by its dotted name, in the first job and in the second; None where one has none."""

    path: str
    first: Any
    second: Any


@dataclass(frozen=True)
class Comparison:
    """`spec` and `resolved` hold only what differs; `figures` all that either job ended (or stands) with."""

    spec: list[Difference]
    resolved: list[Difference]
    figures: list[Difference]


@dataclass(frozen=True)
class Clone:
    """What it takes to do a job again, its own to change."""

    kind: str
    title: str
    spec: dict[str, Any]


def clone(job: JobDirectory) -> Clone:
    """A job's spec as values for a form or YAML, with its title."""
    header = job.header
    return Clone(header["kind"], header["title"], copy.deepcopy(header["spec"]))


def compare(first: JobDirectory, second: JobDirectory) -> Comparison:
    """Two jobs of any kind, side by side."""
    return Comparison(
        spec=differences(first.header["spec"], second.header["spec"]),
        resolved=differences(_used(first), _used(second)),
        figures=side_by_side(figures(first), figures(second)),
    )


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """The values that differ, by dotted name, in the order of `first`. A list is one value."""
    return [each for each in side_by_side(_flat(first), _flat(second)) if each.first != each.second]


def side_by_side(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """All values of either, by name."""
    return [Difference(name, first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])]


def figures(job: JobDirectory) -> dict[str, Any]:
    """The plain figures of the manifest; of an unfinished job the last value of each of its metrics."""
    if job.manifest is None:
        found = curves(job)
        return {name: points[-1].value for name, points in found.lines.items() if points}
    ended = _flat(job.manifest["figures"])
    return {name: value for name, value in ended.items() if isinstance(value, int | float | str) and name != "message"}


def _used(job: JobDirectory) -> dict[str, Any]:
    return {name: entry["value"] for name, entry in (job.resolved or {}).items()}


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[f"{before}{name}"] = list(value) if isinstance(value, tuple) else value
    return flat
