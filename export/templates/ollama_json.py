"""JSON as the Go templates of this folder print it: where it equals Python's, a conversation with tools is covered.

Go's encoder writes <, > and & as \\u003c, \\u003e and \\u0026, sorts the keys of maps and puts no blank after a comma
or colon; Jinja's `tojson` as model authors use it does none of this. The templates write tools and the outermost level
of arguments piece by piece, with blanks, and leave values to Go's encoder. Ollama also reads a tool into a structure
of its own and forgets the order of its keys, and reads every number as a 64-bit float.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# Escaped by Go, or (the control characters) escaped otherwise by some of its versions.
_ESCAPED = re.compile("[<>&\u2028\u2029\x00-\x08\x0b\x0c\x0e-\x1f]")
_EXACT_INTEGER = 2**53


def jinja(value: Any) -> str:
    """As chat templates print it (`tojson`)."""
    return json.dumps(value, ensure_ascii=False)


def same_arguments(arguments: Any) -> bool:
    """Whether the arguments of a call come out of the Go templates as they come out of Jinja."""
    if not isinstance(arguments, dict) or list(arguments) != sorted(arguments):
        return False
    return all(_plain(name) and same_value(value) for name, value in arguments.items())


def same_value(value: Any) -> bool:
    """Whether Go's own encoder prints `value` as Jinja does."""
    if isinstance(value, str):
        return _plain(value)
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return abs(value) < _EXACT_INTEGER
    if isinstance(value, float):
        return not value.is_integer() and not re.search("e|inf|nan", repr(value))
    if isinstance(value, list):
        return not value or (len(value) == 1 and same_value(value[0]))
    return isinstance(value, dict) and not value


def same_tool(tool: Any) -> bool:
    """Whether a tool comes out of the Go templates as it comes out of Jinja."""
    written = _as_go(tool)
    return written is not None and jinja(tool) == jinja(written) and all(map(_plain, _texts(tool)))


def _plain(text: str) -> bool:
    return not _ESCAPED.search(text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from (name, *_texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _as_go(tool: Any) -> dict[str, Any] | None:
    """What the templates write of a tool, in their order; None for one that has other parts."""
    match tool:
        case {
            "function": {
                "name": str(name),
                "description": str(description),
                "parameters": {"type": str(kind), "properties": dict(properties)},
            }
        } if all(_simple(value) for value in properties.values()):
            required = tool["function"]["parameters"].get("required") or []
        case _:
            return None
    written = {inner: _present(properties[inner], ("type", "description", "enum")) for inner in sorted(properties)}
    if not isinstance(required, list) or not all(isinstance(inner, str) for inner in required):
        return None
    parameters = {"type": kind, "properties": written, **({"required": required} if required else {})}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _simple(value: Any) -> bool:
    """Whether it describes one value of one type, with at most a description and the texts to choose from."""
    if not isinstance(value, dict) or not value.get("type") or not isinstance(value.get("enum", []), list):
        return False
    return all(isinstance(text, str) for text in (value["type"], value.get("description", ""), *value.get("enum", [])))


def _present(values: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Those of `keys` that are there and not empty: Go can't tell an empty one from a missing one."""
    return {key: values[key] for key in keys if values.get(key)}
