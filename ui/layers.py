"""The layers that a form's values come from: defaults, what a tab begins with, a preset, and what was entered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from jobs.errors import BadInput
from jobs.spec import Spec
from ui.fields import FormField, Raw, means_the_same, raw_given, raw_of_values

YOURS = "yours"
FITTED = "made to fit"
FROM_YAML = "read from YAML"
FROM_RUN = "from an earlier run"


@dataclass(frozen=True)
class Layer:
    """Values (nested, as in YAML) that stand in a form before anything is entered, and the words for where from."""

    name: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Underlay:
    """What stands in a form where nothing is entered, by option; `origins`: where from, of what is no default."""

    raw: Raw
    origins: dict[str, str]


def lay_under(fields: Sequence[FormField], layers: Sequence[Layer]) -> Underlay:
    """The defaults, and over them the layers, the last one on top."""
    shown = list(fields)
    raw: Raw = raw_of_values(shown, {})
    origins: dict[str, str] = {}
    for layer in layers:
        given = raw_given(shown, layer.values)
        raw |= given
        origins |= dict.fromkeys(given, layer.name)
    return Underlay(raw, origins)


def changes(fields: Sequence[FormField], raw: Raw, before: Raw) -> Raw:
    """What of `raw` says anything else than `before` does."""
    known = [each for each in fields if each.path in raw]
    return {
        each.path: raw[each.path] for each in known if not means_the_same(each, raw[each.path], before.get(each.path))
    }


def changed_values(spec: Spec) -> dict[str, Any]:
    """What a spec says beside the defaults, as JSON knows it."""
    values: dict[str, Any] = json.loads(spec.model_dump_json(exclude_defaults=True))
    return values


def values_in(spec: type[Spec], text: str) -> dict[str, Any]:
    """A spec's values in a YAML text, the defaults among them. Raises BadInput with all its problems."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else "the text"
        reason = str(getattr(error, "problem", None) or error)
        raise BadInput(f"{line} is not YAML.", reason, "Check indentation and quotes there.") from error
    return spec.parse(values, "The YAML").model_dump(mode="json")
