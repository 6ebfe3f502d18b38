"""The answers of a finished evaluation, side by side: the reference's and each candidate's to the same questions."""

from __future__ import annotations

import random
from dataclasses import dataclass

from evaluation.judge.pairwise import Pair
from evaluation.judge.spec import JudgingSpec
from evaluation.store import FILE, ItemScore, load_scores
from jobs.context import JobContext
from jobs.errors import BadInput, Missing


@dataclass(frozen=True)
class Match:
    """One candidate's answers beside the reference's, on the same questions."""

    reference: str
    candidate: str
    rows: list[tuple[ItemScore, ItemScore]]

    def pairs(self) -> list[Pair]:
        """A is the reference, B the candidate."""
        return [
            Pair(first.prompt, first.answer or "", second.answer or "", first.group, first.reference)
            for first, second in self.rows
        ]


def read_matches(context: JobContext, spec: JudgingSpec) -> list[Match]:
    """The evaluation's models against its reference, on questions that all answered, at most max_items of them.

    Raises Missing when there are no answers, BadInput when there is nothing to compare them with.
    """
    by_model = _answers(context, spec)
    names = list(by_model)
    reference = spec.reference or names[0]
    if reference not in by_model:
        raise BadInput(
            f"The evaluation has no model '{reference}'.", f"Its models are {', '.join(names)}.", "Name one of them."
        )
    if len(names) < 2:
        raise BadInput(
            f"Only {names[0]} answered in this evaluation.",
            "A judge compares the answers of two models or more.",
            "Evaluate both models together, then judge that evaluation.",
        )
    shared = [item for item in by_model[reference] if all(item in by_model[name] for name in names)]
    if spec.max_items is not None and spec.max_items < len(shared):
        shared = [
            shared[at] for at in sorted(random.Random(spec.judge.seed).sample(range(len(shared)), spec.max_items))
        ]
    context.resolve("items", len(shared), "questions that every model of the evaluation answered")
    return [
        Match(reference, name, [(by_model[reference][item], by_model[name][item]) for item in shared])
        for name in names
        if name != reference
    ]


def _answers(context: JobContext, spec: JudgingSpec) -> dict[str, dict[str, ItemScore]]:
    """The answers of each model by question."""
    job = context.workspace.job(str(spec.evaluation).removeprefix("job:"))
    if job.header["kind"] != "evaluate" or not (job.path / FILE).is_file():
        raise Missing(
            f"{job.id} has no answers to judge.",
            f"It is a job of kind {job.header['kind']}, {job.status().state}.",
            "Name a finished job of kind evaluate whose task asks for answers.",
        )
    context.resolve("evaluation", job.id, "the spec")
    by_model: dict[str, dict[str, ItemScore]] = {}
    for row in load_scores(job.path / FILE):
        if row.kind == "model" and row.answer is not None:
            by_model.setdefault(row.model, {})[row.item] = row
    if not by_model:
        raise Missing(f"{job.id} has no answers to judge.", "Its task asks for none.", "Name another evaluation.")
    return by_model
