"""Metrics of answers with a form: JSON, a pattern, calls of tools. What they need stands in the item's `extra`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jobs.errors import BadInput

if TYPE_CHECKING:
    from evaluation.tasks import TaskItem

LONGEST_SEARCHED = 20_000
FENCE = re.compile(r"```[\w+-]*[ \t]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
NOTHING = object()


def needed(item: TaskItem, field: str, metric: str, what: str) -> Any:
    """The item's `extra[field]`. Raises BadInput when it isn't there."""
    if item.extra.get(field) is None:
        raise BadInput(
            f"The item '{item.id}' has no '{field}'.",
            f"The metric {metric} reads {what} from it.",
            f"Give every row of the dataset a column '{field}', set it in the task's items function (extra), "
            f"or leave out {metric}.",
        )
    return item.extra[field]


def json_valid(answer: str, item: TaskItem) -> float:
    """1 when the answer is JSON (a code fence around it is allowed) that follows the schema `extra["schema"]`."""
    import jsonschema

    schema = _decoded(needed(item, "schema", "json_valid", "the JSON schema"))
    validator = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise BadInput(
            f"The item '{item.id}' has a schema that is no JSON schema.", error.message, "Mend it in the dataset."
        ) from error
    value = json_in(answer)
    return float(value is not NOTHING and validator(schema).is_valid(value))


def json_fields(answer: str, item: TaskItem) -> float:
    """The share of the expected JSON's values that the answer has in the same place; the expected JSON is the item's
    reference. 0 when the answer is no JSON. Values that were not asked for don't count."""
    expected = _expected_json(item)
    value = json_in(answer)
    wanted, given = dict(_leaves(expected)), {} if value is NOTHING else dict(_leaves(value))
    right = sum(place in given and _same(given[place], leaf) for place, leaf in wanted.items())
    return right / len(wanted)


def _same(first: Any, second: Any) -> bool:
    """Equal as JSON: true is not 1."""
    return isinstance(first, bool) == isinstance(second, bool) and bool(first == second)


def _expected_json(item: TaskItem) -> Any:
    try:
        return json.loads(item.reference)
    except ValueError as error:
        raise BadInput(
            f"The expected answer of the item '{item.id}' is not JSON.",
            f"The metric json_fields compares with it ({error}).",
            "Mend the row, or leave out json_fields.",
        ) from error


def json_in(answer: str) -> Any:
    """The JSON value that an answer is, whole or in its first code fence; NOTHING where it is none."""
    fenced = FENCE.search(answer)
    for text in (answer, fenced.group(1) if fenced else ""):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            continue
    return NOTHING


def _decoded(value: Any) -> Any:
    """Columns of objects come from some sources as JSON text; text that is none stays what it is."""
    parsed = json_in(value) if isinstance(value, str) else value
    return value if parsed is NOTHING else parsed


def _leaves(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value that holds no others, with the way to it; an empty object or list counts as one."""
    names = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not names:
        yield place, value
    for name in names:
        yield from _leaves(value[name], (*place, name))


def regex(answer: str, item: TaskItem) -> float:
    r"""1 when `extra["regex"]` is found in the answer (its first 20,000 characters); write `\A…\Z` for all of it."""
    pattern = needed(item, "regex", "regex", "the pattern")
    try:
        return float(re.search(pattern, answer[:LONGEST_SEARCHED]) is not None)
    except re.error as error:
        raise BadInput(
            f"The item '{item.id}' has a pattern that is no regular expression: {pattern!r}.",
            str(error),
            "Mend it in the dataset.",
        ) from error


def tool_call(answer: str, item: TaskItem) -> float:
    """1 when the answer makes exactly the calls `extra["tool_calls"]`, in any order: same names, same arguments."""
    return float(sorted(_wanted_calls(item, "tool_call")) == sorted(calls_in(answer)))


def tool_name(answer: str, item: TaskItem) -> float:
    """1 when the answer calls exactly the tools of `extra["tool_calls"]`, whatever the arguments."""
    wanted = sorted(name for name, _ in _wanted_calls(item, "tool_name"))
    return float(wanted == sorted(name for name, _ in calls_in(answer)))


def _wanted_calls(item: TaskItem, metric: str) -> list[tuple[str, str]]:
    expected = _decoded(needed(item, "tool_calls", metric, "the expected calls"))
    calls = [_call(each) for each in expected] if isinstance(expected, list) else [None]
    if None in calls:
        raise BadInput(
            f"The expected calls of the item '{item.id}' are not calls: {expected!r}.",
            f'The metric {metric} reads a list of {{"name": …, "arguments": {{…}}}}.',
            "Mend the row.",
        )
    return [call for call in calls if call is not None]


def calls_in(answer: str) -> list[tuple[str, str]]:
    """The calls that an answer makes, each as its name and its arguments in one way of writing.

    Read are `<tool_call>{…}</tool_call>` (Hermes, Qwen), and an answer that is a JSON object or a list of them with
    `name` and `arguments` or `parameters` (Llama, Mistral), also after `[TOOL_CALLS]` or in a code fence.
    """
    texts = CALL.findall(answer) or [answer.strip().removeprefix("[TOOL_CALLS]")]
    values = [json_in(text) for text in texts]
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [call for call in map(_call, flat) if call]


def _call(value: Any) -> tuple[str, str] | None:
    """Name and arguments of `{"name", "arguments"}`, also inside `{"function": …}`; None for anything else."""
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        parsed = json_in(arguments)
        arguments = arguments if parsed is NOTHING else parsed
    return value["name"], json.dumps(arguments, sort_keys=True, ensure_ascii=False)
