"""How well a model writes the exercises' functions: one is right when it passes its tests, run in the sandbox."""

from __future__ import annotations

from dataclasses import replace

from evaluation.tasks import Row, TaskItem, items_from_conversations
from recipes.coder.exercises import exercise_of
from recipes.coder.programs import can_be_read, passes, passes_by_any_name, program_of

NAME = "Coder"
DESCRIPTION = "A small Python function as it is asked for. Right is one that passes its tests."
METRIC = "passes"
LENIENT_METRIC = "lenient"


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 (the signature is the same for all)
    """One item per row with its tests: those in its column `tests`, else the exercise's. Raises BadInput without."""
    return [_with_tests(item) for item in items_from_conversations(rows)]


def _with_tests(item: TaskItem) -> TaskItem:
    if item.extra.get("tests"):
        return item
    tests = exercise_of(str(item.messages[-1]["content"])).tests
    return replace(item, extra={**item.extra, "tests": tests})


def score(answer: str, item: TaskItem) -> dict[str, float]:
    """`passes`: the function f passes the tests; `lenient`: so does the last function in the answer, whatever its name
    and whatever is said around it; `reads`: the answer is Python with a function in it."""
    tests = str(item.extra["tests"])
    right = passes(answer, tests)
    return {
        "passes": float(right),
        "lenient": float(right or passes_by_any_name(answer, tests)),
        "reads": float(can_be_read(program_of(answer))),
    }
