"""What all specs share: frozen, unknown keys refused, every problem in one message, options written once.

The form, the command line, the YAML file and the option tables in the documentation are all derived from the fields
that `option` declares.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.errors import BadInput, Missing

Depth = Literal["essential", "common", "everything"]


def option(default: Any = ..., *, label: str, help: str, depth: Depth = "common", **bounds: Any) -> Any:
    """One option of a spec: its default, its label and help on the page, how deep in the form it stands, its bounds.

    `bounds` are pydantic's own (`ge`, `le`, `gt`, `min_length`, …). A `default` that is callable is a factory.
    """
    extra: dict[str, Any] = {"depth": depth}
    if callable(default) and default is not ...:
        return Field(default_factory=default, title=label, description=help, json_schema_extra=extra, **bounds)
    return Field(default, title=label, description=help, json_schema_extra=extra, **bounds)


class Spec(BaseModel):
    """A description of one piece of work, the same in the form, the command line, YAML and the job's directory."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def parse(cls, values: Any, where: str = "the spec") -> Self:
        """Validate `values` whole. Raises BadInput that lists every problem, not just the first."""
        if not isinstance(values, dict):
            raise BadInput(
                f"{where} holds {type(values).__name__}, not options.",
                "A spec is a mapping from option names to values.",
                "Write lines such as `name: my-data`; the README shows whole examples.",
            )
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = _explanations(cls, error)
            count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
            raise BadInput(
                f"{where} has {count}:\n" + "\n".join(f"  - {line}" for line in problems),
                f"{cls.__name__} can't be built from it.",
                "Mend the lines above; nothing was started or written.",
            ) from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a YAML (or JSON) file. Raises Missing when it isn't there, BadInput when it can't be used."""
        return cls.parse(read_yaml(path), where=str(path))

    def to_yaml(self, *, only_changed: bool = False) -> str:
        """The spec as YAML; `only_changed` leaves out what has its default."""
        values = json.loads(self.model_dump_json(exclude_defaults=only_changed))
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. Raises Missing or BadInput with the line where reading stopped."""
    if not path.is_file():
        raise Missing(f"There is no file {path}.", "The spec is read from it.", "Check the path and its spelling.")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not text.", f"It is not UTF-8 ({error}).", "Save it as UTF-8.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error)
        raise BadInput(f"{path}{line} is not YAML.", str(reason), "Check indentation and quotes there.") from error


def _explanations(cls: type[BaseModel], error: ValidationError) -> list[str]:
    """The problems in words, one line for each option: where several forms are allowed, what each of them asks for."""
    by_option: dict[str, list[str]] = {}
    given: dict[str, str] = {}
    for problem in error.errors():
        place = ".".join(str(part) for part in _option_path(cls, problem["loc"]))
        by_option.setdefault(place, []).append(_reason(cls, problem))
        value = problem.get("input")
        if problem["type"] not in ("missing", "extra_forbidden") and not isinstance(value, dict | list | BaseModel):
            given[place] = f" (given: {value!r})"
    return [
        f"{place}: {', or '.join(dict.fromkeys(reasons))}{given.get(place, '')}" if place else ", ".join(reasons)
        for place, reasons in by_option.items()
    ]


def _option_path(cls: type[BaseModel], location: tuple[Any, ...]) -> list[Any]:
    """The part of pydantic's location that names options and list positions, not the forms that a value may have."""
    path: list[Any] = []
    for part in location:
        known = isinstance(part, int) or part in _field_names(cls, tuple(path))
        if not known and path and not _holds_options(cls, tuple(path)):
            break
        path.append(part)
    return path


def _holds_options(cls: type[BaseModel], path: tuple[Any, ...]) -> bool:
    """Whether what stands at `path` is a group of options rather than a value."""
    current: type[BaseModel] = cls
    for part in path:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part)
        inner = _inner_model(field.annotation) if field is not None else None
        if inner is None:
            return False
        current = inner
    return True


def _reason(cls: type[BaseModel], problem: Any) -> str:
    """One problem without its place."""
    if problem["type"] == "extra_forbidden":
        names = _field_names(cls, problem["loc"][:-1])
        near = difflib.get_close_matches(str(problem["loc"][-1]), names, n=1)
        return f"unknown option ({f'did you mean {near[0]}?' if near else 'known: ' + ', '.join(sorted(names))})"
    if problem["type"] == "missing":
        return "is required"
    if problem["type"] == "too_short":
        return f"needs at least {problem['ctx']['min_length']}"
    if problem["type"] == "dict_type":
        return "takes lines such as `name: value`"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{message[0].lower()}{message[1:]}"


def _field_names(cls: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """Names of the options at `path` below `cls`; the model's own where the path leads into no other model."""
    current = cls
    for part in path:
        field = current.model_fields.get(part) if isinstance(part, str) else None
        if field is not None:
            current = _inner_model(field.annotation) or current
    return list(current.model_fields)


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None
