"""The job of kind "pairs": candidates are written, scored and paired, and the pairs built into a dataset.

It leaves candidates.jsonl (answers as they came), replies.jsonl and judge.json (of a judge), and under the workspace's
uploads folder <name>/pairs.jsonl (and marked.jsonl), the sources of the dataset versions that it builds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from evaluation.judge.trust import NOT_CHECKED
from evaluation.pairs.candidates import Answered, prompts_of, write_candidates
from evaluation.pairs.choosing import Harvest, Row
from evaluation.pairs.scored import harvest_by_judge, harvest_by_task
from evaluation.pairs.spec import PairsSpec
from evaluation.pairs.voted import harvest_votes
from evaluation.tasks import load_task
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.files import write_text

CANDIDATES = "candidates.jsonl"


def run(context: JobContext) -> dict[str, Any]:
    """Leaves the files above; returns figures that name the dataset. Raises BadInput when there is no pair to build."""
    spec = PairsSpec.parse(context.spec, where="the pairs spec")
    figures: dict[str, Any] = {}
    if spec.scored_by == "votes":
        context.progress(None, "reading votes")
        harvest = harvest_votes(spec, context.workspace)
    else:
        task = load_task(spec.task) if spec.task is not None else None
        answered = write_candidates(context, spec, prompts_of(context, spec, task), context.path / CANDIDATES)
        context.artifact(context.path / CANDIDATES)
        figures = _counts(answered)
        if task is not None:
            harvest = harvest_by_task(context, spec, task, answered)
        else:
            harvest = harvest_by_judge(context, spec, answered)
    _require_pairs(spec, harvest, figures)
    context.progress(1.0, "building the dataset")
    return _built(context, spec, harvest, figures)


def _counts(answered: Sequence[Answered]) -> dict[str, Any]:
    return {
        "prompts": len(answered),
        "candidates": sum(len(each.candidates) + each.blank + each.repeated + each.cut for each in answered),
        "blank": sum(each.blank for each in answered),
        "repeated": sum(each.repeated for each in answered),
        "cut": sum(each.cut for each in answered),
    }


def _require_pairs(spec: PairsSpec, harvest: Harvest, figures: dict[str, Any]) -> None:
    if harvest.pairs:
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in harvest.dropped.items() if count) or "nothing found"
    if figures.get("cut"):
        reasons += f", {figures['cut']} answers cut short at {spec.max_new_tokens} tokens (`max_new_tokens`)"
    fixes = {
        "votes": "Vote on more answers, or correct some; a narrower filter (`where`) may have left all out.",
        "task": "Sample more candidates or at a higher temperature, or start from a model that is sometimes right.",
        "judge": "Sample more candidates or at a higher temperature, or choose a judge that flips less.",
    }
    raise BadInput("There is no pair to learn from.", f"Left out were: {reasons}.", fixes[spec.scored_by])


@dataclass(frozen=True)
class _Build:
    id: str
    train_rows: int
    eval_rows: int


def _built(context: JobContext, spec: PairsSpec, harvest: Harvest, figures: dict[str, Any]) -> dict[str, Any]:
    pairs = _build(context, spec, spec.name, "pairs.jsonl", harvest.pairs)
    dropped = {reason: count for reason, count in harvest.dropped.items() if count}
    message = f"{len(harvest.pairs)} pairs, built as {pairs.id}"
    figures |= {
        "pairs": len(harvest.pairs),
        "ties_dropped": harvest.dropped["ties"],
        "flips_dropped": harvest.dropped["flips"],
        "dropped": dropped,
        "dataset": pairs.id,
        "train_rows": pairs.train_rows,
        "eval_rows": pairs.eval_rows,
    }
    if spec.singles:
        marked = _build(context, spec, f"{spec.name}-marked", "marked.jsonl", harvest.marked)
        figures |= {"marked": len(harvest.marked), "marked_dataset": marked.id}
        message += f"; {len(harvest.marked)} marked answers, built as {marked.id}"
    if not _checked(harvest):
        message += f" (the judge was {NOT_CHECKED})"
    if dropped:
        context.log("Left out: " + ", ".join(f"{count} {reason}" for reason, count in dropped.items()) + ".")
    context.log(f"{message}.")
    return {**figures, "message": message}


def _checked(harvest: Harvest) -> bool:
    return all(row["pair"].get("checked", True) for row in harvest.pairs)


def _build(context: JobContext, spec: PairsSpec, name: str, file: str, rows: Sequence[Row]) -> _Build:
    """Write rows among the uploads and build them; rows of one group stay in one part."""
    path: Path = context.workspace.uploads / spec.name / file
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    recipe = {
        "name": name,
        "sources": [{"path": str(path)}],
        "eval_fraction": spec.eval_fraction,
        # Candidates of one prompt are alike by design.
        "near_duplicates": None,
        "on_bad_rows": "skip",
        "seed": _split_seed(spec),
    }
    version = build(DatasetSpec.parse(recipe), context.workspace, check_stop=context.check_stop)
    left_out = len(rows) - version.train_rows - version.eval_rows
    if left_out:
        context.log(f"{left_out} rows of {file} were left out of {version.id}; its report says why.")
    return _Build(version.id, version.train_rows, version.eval_rows)


def _split_seed(spec: PairsSpec) -> int:
    """A seed that differs from what was split before.

    A split draws a group by its name and the seed: with the seed that split the prompts' own dataset, all that fell
    into its training part would fall into the training part again, and hardly a pair would be held out.
    """
    return int(hashlib.sha256(f"{spec.data or spec.scored_by} {spec.seed}".encode()).hexdigest()[:12], 16)
