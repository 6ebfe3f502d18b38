"""Which kinds of rows an objective can learn from, and what it makes of them. Light enough for the page."""

from __future__ import annotations

from datasets_src.rows import Kind
from datasets_src.store import DatasetVersion
from jobs.errors import BadInput
from trainer.options import Objective

# Which kinds of rows an objective can learn from.
KINDS: dict[Objective, tuple[Kind, ...]] = {
    "sft": ("conversation", "preference", "unpaired", "text"),
    "continued": ("text", "conversation"),
    "dpo": ("preference",),
    "orpo": ("preference",),
    "kto": ("unpaired", "preference"),
}
# What supervised training makes of rows that are no plain conversations.
WHAT_IS_LEARNED: dict[str, str] = {
    "preference": "preference pairs: the chosen answers are learned, the rejected ones are not used.",
    "unpaired": "answers marked good or bad: the good ones are learned, the bad ones are not used.",
    "text": "plain text: every token of it is learned.",
}


def require_kind(objective: Objective, version: DatasetVersion) -> None:
    """Raise BadInput when the dataset's rows are of a kind that the objective can't learn from."""
    if version.kind in KINDS[objective]:
        return
    able = [name for name, kinds in KINDS.items() if version.kind in kinds]
    raise BadInput(
        f"{objective} can't learn from {version.id}.",
        f"Its rows are of the kind {version.kind}; {objective} needs {' or '.join(KINDS[objective])}.",
        f"Choose another dataset, or one of: {', '.join(able)} (method.objective).",
    )
