"""What a form needs to know of a spec's options, read off the pydantic fields; and values on their way in and out.

A component's value is called raw here: what a person sees and a browser sends. Knows nothing of gradio.
"""

from __future__ import annotations

import re
import types
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from jobs.spec import Depth, Spec

Shape = Literal["flag", "choice", "choices", "whole", "number", "text", "words", "pairs", "options", "rows"]
Raw = dict[str, Any]
_NOTHING = object()
# Between two pairs: a new line, or a comma with another pair after it. Other commas belong to a text.
# Empty lines of a table to write into, which the keyboard reaches.
SPARE_LINES = 2
PAIRS = re.compile(r"\n|,(?=[^,:\n]*:)")


@dataclass(frozen=True)
class FormField:
    """One option as a form shows it. `path` is its dotted name; `group` the label of the nested spec it is in.

    `optional`: an empty field means None. `words`: the texts allowed beside numbers or lists, such as `auto`.
    `columns`: for a list of specs, the fields of each. `within`: the path of the nested spec that the field belongs to,
    where that may be None as a whole: it is while this field, if required, is empty.
    """

    path: str
    label: str
    help: str
    depth: Depth
    group: str
    shape: Shape
    optional: bool
    choices: tuple[str, ...]
    words: tuple[str, ...]
    default: Any
    columns: tuple[FormField, ...] = ()
    within: str = ""

    @property
    def required(self) -> bool:
        """Whether the spec can't do without an entry."""
        return self.default is None and not self.optional

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


def form_fields(spec: type[Spec], prefix: str = "", group: str = "") -> list[FormField]:
    """The options of `spec` in the order they are declared; those of nested specs carry the group's label."""
    fields = []
    for name, field in spec.model_fields.items():
        parts = [part for part in _alternatives(field.annotation) if part is not type(None)]
        nested = parts[0]
        if isinstance(nested, type) and issubclass(nested, Spec):
            inner = form_fields(nested, f"{prefix}{name}.", field.title or name)
            inner = _with_defaults_of(inner, f"{prefix}{name}.", _default(field))
            may_lack = type(None) in _alternatives(field.annotation)
            fields += [_optional(each, f"{prefix}{name}") for each in inner] if may_lack else inner
        else:
            fields.append(_form_field(f"{prefix}{name}", field, group))
    return fields


def _with_defaults_of(fields: list[FormField], prefix: str, given: Any) -> list[FormField]:
    """The fields of a nested spec with its values where it is used, if these are others than its own defaults."""
    if not isinstance(given, Spec):
        return fields
    values = given.model_dump(mode="json")
    return [replace(each, default=_at(values, each.path.removeprefix(prefix), each.default)) for each in fields]


def _optional(field: FormField, within: str) -> FormField:
    """A field of a nested spec that may be None: what can be left out as a whole is never essential."""
    return replace(field, within=within, depth="common" if field.depth == "essential" else field.depth)


def _form_field(path: str, field: FieldInfo, group: str) -> FormField:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    parts = _alternatives(field.annotation)
    optional = type(None) in parts
    parts = [part for part in parts if part is not type(None)]
    words = tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))
    values = [part for part in parts if get_origin(part) is not Literal]
    only_words: tuple[Shape, tuple[str, ...], tuple[FormField, ...]] = ("choice", words, ())
    shape, choices, columns = _shape(values[0]) if values else only_words
    return FormField(
        path=path,
        label=field.title or path,
        help=_with_bounds(field),
        depth=extra.get("depth", "common"),  # type: ignore[arg-type]
        group=group,
        shape="text" if shape in ("whole", "number") and words else shape,
        optional=optional,
        choices=choices,
        words=words if values else (),
        default=_default(field),
        columns=columns,
    )


def _alternatives(annotation: Any) -> list[Any]:
    union = get_origin(annotation) in (Union, types.UnionType)
    return list(get_args(annotation)) if union else [annotation]


def _shape(value: Any) -> tuple[Shape, tuple[str, ...], tuple[FormField, ...]]:
    """The shape of an annotation without None and words; its choices; its columns."""
    plain: dict[Any, Shape] = {bool: "flag", int: "whole", float: "number", str: "text", date: "text"}
    if value in plain:
        return plain[value], (), ()
    if get_origin(value) is dict:
        return "options" if get_args(value)[1] is Any else "pairs", (), ()
    inner = get_args(value)[0]
    if get_origin(inner) is Literal:
        return "choices", tuple(str(choice) for choice in get_args(inner)), ()
    if isinstance(inner, type) and issubclass(inner, Spec):
        return "rows", (), tuple(form_fields(inner))
    return "words", (), ()


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True)
    return None if value is PydanticUndefined else value


def _with_bounds(field: FieldInfo) -> str:
    """The help, with the numbers it must lie between."""
    low = next((f"at least {b.ge:g}" for b in field.metadata if getattr(b, "ge", None) is not None), None)
    low = low or next((f"more than {b.gt:g}" for b in field.metadata if getattr(b, "gt", None) is not None), None)
    high = next((b.le for b in field.metadata if getattr(b, "le", None) is not None), None)
    below = next((b.lt for b in field.metadata if getattr(b, "lt", None) is not None), None)
    top = (
        f"at most {high:,}" if high is not None and high < 1e9 else f"less than {below:,}" if below is not None else ""
    )
    bounds = " and ".join(part for part in (low, top) if part)
    text = field.description or ""
    return f"{text} ({bounds})".strip() if bounds else text


def to_raw(field: FormField, value: Any) -> Any:
    """A spec's value as the form shows it."""
    match field.shape:
        case "choices":
            return list(value or [])
        case "rows":
            shown = [[to_raw(column, row.get(column.path)) for column in field.columns] for row in value or []]
            return [*shown, *[["" for _ in field.columns]] * SPARE_LINES]
        case "pairs":
            lines = [f"{key}: {text}" for key, text in (value or {}).items()]
            return ("\n" if any("," in line for line in lines) else ", ").join(lines)
        case "options":
            written = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
            return written.strip() if value else ""
        case "words":
            return value if isinstance(value, str) else ", ".join(value or [])
        case "text":
            return "" if value is None else _short(value) if isinstance(value, float) else str(value)
        case "choice":
            return "" if value is None and field.optional else value
        case _:
            return value


def from_raw(field: FormField, raw: Any) -> Any:
    """What a person entered, as the spec takes it. What can't be read stays as it is, for the spec to refuse."""
    match field.shape:
        case "rows":
            return [_row(field, row) for row in raw or [] if any(cell not in (None, "") for cell in row)]
        case "pairs":
            pairs = [part.partition(":") for part in PAIRS.split(str(raw or "")) if part.strip()]
            return {key.strip(): text.strip() for key, _, text in pairs}
        case "options":
            return _options(str(raw or ""))
        case "words":
            return _words(field, str(raw or ""))
        case "text":
            return _text(field, raw)
        case "whole" if isinstance(raw, float) and raw.is_integer():
            return int(raw)
        case "whole" | "number" if isinstance(raw, str):
            return _number(raw) if raw.strip() else None
        case "choices":
            return list(raw or [])
        case "choice":
            return None if raw == "" and field.optional else raw
        case _:
            return raw


def means_the_same(field: FormField, first: Any, second: Any) -> bool:
    """Whether two raw values say the same, such as `2e-4` and `0.0002`, or an empty table with and without a line."""
    return first == second or bool(from_raw(field, first) == from_raw(field, second))


def _short(number: float) -> str:
    """A number as short as it can be said exactly."""
    text = f"{number:g}"
    return text if float(text) == number else repr(number)


def _row(field: FormField, row: list[Any]) -> Raw:
    """One line of a table; empty cells take the default."""
    cells = zip(field.columns, row, strict=False)
    return {column.path: from_raw(column, cell) for column, cell in cells if cell not in (None, "")}


def _options(text: str) -> Any:
    """A mapping written as YAML, on lines of its own or, in a table's cell, side by side."""
    for written in (text, f"{{{text}}}"):
        try:
            value = yaml.safe_load(written)
        except yaml.YAMLError:
            continue
        if isinstance(value, dict) and ":" in text:  # YAML reads {rank 8} as a name without a value
            return value
    return text if text.strip() else {}


def _words(field: FormField, text: str) -> Any:
    parts = [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
    return parts[0] if len(parts) == 1 and parts[0] in field.words else parts


def _text(field: FormField, raw: Any) -> Any:
    """A text; where numbers are allowed beside words, a number if it reads as one."""
    text = "" if raw is None else str(raw)
    if field.optional and not text.strip():
        return None
    return text if not field.words or text.strip() in field.words else _number(text)


def _number(text: str) -> Any:
    try:
        return float(text) if set(text) & set(".eE") else int(text)
    except ValueError:
        return text


def raw_of_values(fields: list[FormField], values: Raw) -> Raw:
    """Nested values, such as a YAML file's, as raw values by dotted path; defaults where they say nothing."""
    return {field.path: to_raw(field, _at(values, field.path, field.default)) for field in fields}


def raw_given(fields: list[FormField], values: Raw) -> Raw:
    """The raw values of those options alone that nested `values` name."""
    found = {field.path: (field, _at(values, field.path, _NOTHING)) for field in fields}
    return {path: to_raw(field, value) for path, (field, value) in found.items() if value is not _NOTHING}


def raw_of_spec(fields: list[FormField], spec: Spec) -> Raw:
    return raw_of_values(fields, spec.model_dump(mode="json"))


def values_of_raw(fields: list[FormField], raw: Raw) -> Raw:
    """Raw values by dotted path as the nested mapping that `Spec.parse` takes. Paths that `raw` lacks are left out."""
    values: Raw = {}
    lacking = {field.within for field in fields if field.within and field.required and not raw.get(field.path)}
    for field in fields:
        if field.path not in raw:
            continue
        path, value = field.path, from_raw(field, raw[field.path])
        if field.within in lacking:
            path, value = field.within, None
        elif value is None and field.required:
            continue  # nothing entered: the spec says that it is required
        *groups, name = path.split(".")
        place = values
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = value
    return values


def _at(values: Raw, path: str, default: Any) -> Any:
    place: Any = values
    for part in path.split("."):
        if not isinstance(place, dict) or part not in place:
            return default
        place = place[part]
    return place
