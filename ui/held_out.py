"""The part of a dataset's rows that is kept for evaluation: of few rows a larger one, as many as a verdict needs."""

from __future__ import annotations

from collections.abc import Sequence

from datasets_src.advice import FEWEST_TO_JUDGE_BY
from datasets_src.spec import DatasetSpec
from datasets_src.store import list_versions
from jobs.workspace import Workspace
from ui.dataset_draft import TAB, base_values
from ui.drafts import read_draft
from ui.form import enter_quietly
from ui.sources import look_at
from ui.spec_list import Item

PART = "eval_fraction"
USUAL_PART = float(DatasetSpec.model_fields[PART].default)
LARGEST_PART = 0.35
FROM_ROWS = "number of rows"
# evaluation.verdict.FEWEST asks for up to 50; what is drawn may be a few less than its part.
ENOUGH_TO_JUDGE_BY = 60


def hold_out_enough(workspace: Workspace, items: Sequence[Item]) -> None:
    """Enter the part for these sources, unless somebody entered one, or a version was built: by another part rows that
    one version was trained on would be what the next is judged by.
    """
    draft, rows = read_draft(workspace, TAB), rows_known(workspace, items)
    entered = draft.get("form", {})
    by_hand = PART in entered and draft.get("origins", {}).get(PART) != FROM_ROWS
    name = str({**base_values(workspace), **entered}["name"])
    if rows is None or by_hand or list_versions(workspace, name):
        return
    part = part_of(rows)
    if part != float(entered.get(PART, USUAL_PART)):
        enter_quietly(workspace, TAB, {PART: part}, FROM_ROWS)


def part_of(rows: int) -> float:
    """The part to keep of so many rows; the usual one where even the largest would be too few to judge by."""
    if rows * LARGEST_PART < FEWEST_TO_JUDGE_BY:
        return USUAL_PART
    return round(min(LARGEST_PART, max(USUAL_PART, ENOUGH_TO_JUDGE_BY / rows)), 2)


def rows_known(workspace: Workspace, items: Sequence[Item]) -> int | None:
    """How many rows can be used, of many as far as they were looked at; None where only the check reads them."""
    found = [look_at(workspace, item).inspection for item in items]
    return None if None in found else sum(each.rows - each.bad for each in found if each is not None)
