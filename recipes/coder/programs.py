"""Programs in answers: found, read, and run with their tests, in evaluation's sandbox and nowhere else."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from evaluation.metrics.code import Limits, runs

FENCE = re.compile(r"```[\w+-]*[ \t]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
SECONDS = 5.0
NAME = "f"


def program_of(answer: str) -> str:
    """The program that an answer is: its first code fence, else the whole of it."""
    fenced = FENCE.search(answer)
    return fenced.group(1) if fenced else answer


def can_be_read(program: str) -> bool:
    """Whether it is Python with a function in it. It is read, not run."""
    return _last_function(program) is not None


def passes(answer: str, tests: str) -> bool:
    """Whether the answer's function passes its tests (assert …). Raises Missing where nothing can be run safely."""
    program = program_of(answer)
    return can_be_read(program) and _passes(program, tests)


def passes_by_any_name(answer: str, tests: str) -> bool:
    """The same for an answer with words around its function, or another name for it."""
    program = _from_def(program_of(answer))
    name = _last_function(program)
    return name is not None and _passes(f"{program}\n\n{NAME} = {name}", tests)


@lru_cache(maxsize=4096)
def _passes(program: str, tests: str) -> bool:
    return runs(f"{program}\n\n{tests}", Limits(seconds=SECONDS))


def _last_function(program: str) -> str | None:
    """The name of the last function that a program defines at its top level; None where there is none."""
    try:
        body = ast.parse(program).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names = [part.name for part in body if isinstance(part, ast.FunctionDef)]
    return names[-1] if names else None


def _from_def(text: str) -> str:
    """From the first line of a function up to the last line that still makes a program."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("def ")]
    if not starts:
        return text
    ends = range(len(lines), starts[0], -1)
    kept = ("\n".join(lines[starts[0] : end]) for end in ends)
    return next((program for program in kept if _last_function(program)), text)
