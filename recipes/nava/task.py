"""How well a model knows Nava: its programs are run by the checker, its explanations searched for what they must name.

A program is right when it walks as the wanted one does on every map (where the wish names a square alone: when it ends
there). An explanation scores the share of its facts that it names. Rows with other tags, such as those of
expansions.yaml, ask for programs.
"""

from __future__ import annotations

from typing import Any

from evaluation.tasks import Row, TaskItem, items_from_conversations
from jobs.errors import BadInput
from recipes.nava.checker import Goal, does_the_same
from recipes.nava.generate import EXPLANATION
from recipes.nava.prompt import program_in
from recipes.nava.words import named_share

NAME = "Nava"
DESCRIPTION = (
    "Programs that walk as the instruction says, run by the checker on five maps (1 or 0), and explanations (the share "
    "of the facts that they name)."
)
METRIC = "right"
LENIENT_METRIC = "lenient"


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 (the signature is the same for all)
    """One item per row. Raises BadInput for an explanation without facts, or an audience nobody knows."""
    found = items_from_conversations(rows)
    for item in found:
        if item.tag == EXPLANATION and not item.extra.get("facts"):
            raise BadInput(
                f"The item '{item.id}' is to be explained, but says not what an explanation has to name.",
                "An explanation is scored by the facts in its column `facts`.",
                "Use rows written by `python -m recipes.nava.generate`, or give the column.",
            )
    return found


def score(answer: str, item: TaskItem) -> dict[str, float]:
    """`right`: the whole answer is taken as the program; `lenient`: the program in it, wherever it stands; `audience`:
    the answer suits who asked (a comment for beginners and none for experts; an explanation that names all facts)."""
    if item.tag == EXPLANATION:
        share = named_share(answer, item.extra["facts"])
        return {"right": share, "lenient": share, "audience": float(share == 1.0)}
    goal: Goal = item.extra.get("goal", "path")
    return {
        "right": float(does_the_same(answer, item.reference, goal)),
        "lenient": float(does_the_same(program_in(answer), item.reference, goal)),
        "audience": _suits(answer, item.extra),
    }


def _suits(answer: str, extra: dict[str, Any]) -> float:
    """Programs for nobody in particular suit everybody."""
    commented = any(line.lstrip().startswith("#") for line in answer.splitlines())
    return float(extra.get("audience") in (None, "beginner" if commented else "expert"))
