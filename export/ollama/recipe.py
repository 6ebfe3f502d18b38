"""Reading the Modelfile beside a GGUF back into what Ollama's create call takes: a person may have changed it.

Read as Ollama's parser/parser.go does: a quoted value goes on over lines until its quotes end; a command's name may be
in any case; lines that begin with # say nothing. In the create call parameters have types, which the text has not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.ollama.client import ModelParts
from jobs.errors import BadInput

_WHOLE = {
    "num_ctx", "num_predict", "num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread", "seed", "top_k",
    "repeat_last_n", "draft_num_predict",
}  # fmt: skip
_FRACTIONS = ("temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty")
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
_SWITCHES = ("use_mmap", "use_mlock", "numa", "low_vram", "penalize_newline")
_LISTS = ("stop",)
_KNOWN = ("FROM", "TEMPLATE", "SYSTEM", "PARAMETER", "LICENSE")


@dataclass(frozen=True)
class Command:
    """One command of a Modelfile; `line` counts from 1. A parameter's name stands in `argument`."""

    line: int
    name: str
    argument: str
    value: str


@dataclass(frozen=True)
class Recipe:
    """What a Modelfile says. `weights` is FROM as it is written there."""

    weights: str
    parts: ModelParts


def recipe_beside(weights: Path) -> Path | None:
    """The Modelfile in the folder of `weights` that is for it; None where there is none."""
    for path in sorted(weights.parent.glob("Modelfile*")):
        if path.is_file() and Path(read_recipe(path).weights).name == weights.name:
            return path
    return None


def read_recipe(path: Path) -> Recipe:
    """Raises BadInput that names the line for a Modelfile that can't be used."""
    weights, texts = "", {}
    parameters: dict[str, Any] = {}
    for command in read_commands(path):
        if command.name == "FROM":
            weights = command.value
        elif command.name == "PARAMETER":
            _add_parameter(parameters, path, command)
        else:
            texts[command.name.lower()] = command.value
    if not weights:
        raise BadInput(f"{path} names no file.", "A Modelfile has a line that begins with FROM.", "Export it again.")
    return Recipe(weights, ModelParts(parameters=parameters or None, **texts))


def read_commands(path: Path) -> Iterator[Command]:
    """The commands in order. Raises BadInput for one that is not known, or whose quotes don't end."""
    try:
        # Only \n ends a line here, and none is changed: values keep theirs.
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not text.", f"It is not UTF-8 ({error}).", "Save it as UTF-8.") from error
    number = 0
    while number < len(lines):
        line, begun = lines[number], number + 1
        number += 1
        if not line.strip() or line.startswith("#"):
            continue
        name, _, value = line.strip().partition(" ")
        if name.upper() not in _KNOWN:
            raise _bad_line(path, begun, f"'{name[:40]}' is none of {', '.join(_KNOWN)}")
        argument = ""
        if name.upper() == "PARAMETER":
            argument, _, value = value.strip().partition(" ")
        while (read := _unquoted(value.strip())) is None:
            if number == len(lines):
                raise _bad_line(path, begun, "the quotes that begin there never end")
            value, number = f"{value}\n{lines[number]}", number + 1
        yield Command(begun, name.upper(), argument.lower(), read)


def _unquoted(text: str) -> str | None:
    """The value without its quotes; None while they have not ended."""
    for quotes in ('"""', '"'):
        if text.startswith(quotes):
            whole = len(text) >= 2 * len(quotes) and text.endswith(quotes)
            return text[len(quotes) : -len(quotes)] if whole else None
    return text


def _add_parameter(parameters: dict[str, Any], path: Path, command: Command) -> None:
    name, value = command.argument, command.value
    try:
        if name in _LISTS:
            parameters.setdefault(name, []).append(value)
        elif name in _WHOLE:
            parameters[name] = int(value)
        elif name in _FRACTIONS:
            parameters[name] = float(value)
        elif name in _SWITCHES:
            parameters[name] = _TRUTHS[value.lower()]
        else:
            raise _bad_line(path, command.line, f"'{name}' is no parameter that Ollama knows")
    except (ValueError, KeyError) as error:
        raise _bad_line(path, command.line, f"'{value[:40]}' is no value for {name}") from error


def _bad_line(path: Path, line: int, why: str) -> BadInput:
    return BadInput(
        f"{path.name}, line {line}, can't be used.", f"There, {why}.", "Correct it, or export the file again."
    )
