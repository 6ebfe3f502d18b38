"""A spec's values as a command line gives them: a YAML file, and over it any option by its dotted name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from jobs.errors import BadInput
from jobs.spec import read_yaml


def spec_values(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """What `[SPEC.yaml] [--dotted.name value …]` says, the options put over the file, and where it was said."""
    path = Path(arguments[0]) if arguments and not arguments[0].startswith("--") else None
    values = read_yaml(path) if path else {}
    if not isinstance(values, dict):
        raise BadInput(f"{path} holds no options.", "A spec is a mapping.", "Write lines such as `data: snake`.")
    return _merged(values, _dotted(arguments[1:] if path else arguments)), str(path or "the command line")


def _dotted(arguments: list[str]) -> dict[str, Any]:
    """`--method.rank 8` and the like as nested values; each value is read as YAML, so numbers become numbers."""
    values: dict[str, Any] = {}
    pairs = iter(arguments)
    for name in pairs:
        value = next(pairs, None)
        if not name.startswith("--") or value is None:
            raise BadInput(f"'{name}' can't be read.", "Options come in pairs.", "Write them as --method.rank 16.")
        place = values
        *groups, last = name.removeprefix("--").replace("-", "_").split(".")
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = yaml.safe_load(value)
    return values


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` put over it, group by group."""
    merged = dict(base)
    for name, value in changes.items():
        inner = merged.get(name)
        merged[name] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged
