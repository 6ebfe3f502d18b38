"""Pairs out of people's votes and corrections; where people contradict each other, the majority counts."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from typing import Any

from datasets_src.interactions import THUMB_DOWN, THUMB_UP, Interactions, read_votes
from evaluation.pairs.choosing import Harvest, Row
from evaluation.pairs.spec import PairsSpec
from jobs.errors import Missing
from jobs.workspace import Workspace


def harvest_votes(spec: PairsSpec, workspace: Workspace) -> Harvest:
    """Pairs of votes for one of two answers and of corrections. Raises Missing when nothing was ever logged."""
    harvest = Harvest()
    _require_any(workspace)
    rows = [row.values for row in read_votes(workspace, spec.where)]
    store = Interactions(workspace)
    votes = {vote.id: vote for vote in store.find_votes(spec.where)}
    undecided = sum(vote.preferred in ("tie", "bad") for vote in votes.values())
    harvest.dropped["ties"] += 0 if spec.where.only_edited else undecided
    for row in _majority(rows, harvest):
        vote = votes.get(row.get("vote", 0))
        told: dict[str, Any] = {"by": "votes" if vote is not None else "edits"}
        if vote is not None:
            kept = ("id", "model_a", "model_b", "preferred", "blind", "sampling", "comment")
            told |= {name: value for name, value in asdict(vote).items() if name in kept and value is not None}
        harvest.pairs.append({**row, "pair": told})
    _mark(harvest, spec, store)
    return harvest


def _require_any(workspace: Workspace) -> None:
    if not Interactions(workspace).path.exists():
        raise Missing(
            "There are no votes and no corrections yet.",
            f"Pairs by votes are made of answers that people compared or corrected; none were in {workspace.root}.",
            "Compare two models under “Chat and vote” or in the arena on the Evaluation tab, or correct answers there.",
        )


def _majority(rows: list[Row], harvest: Harvest) -> list[Row]:
    """One row for each two answers to a prompt, as most votes have it; where as many say the opposite, none."""
    by_question: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        answers = sorted(json.dumps(row[side]) for side in ("chosen", "rejected"))
        by_question[json.dumps([row["prompt"], answers])].append(row)
    kept = []
    for alike in by_question.values():
        first = [row for row in alike if row["chosen"] == alike[0]["chosen"]]
        others = [row for row in alike if row["chosen"] != alike[0]["chosen"]]
        if len(first) == len(others):
            harvest.dropped["contradicting votes"] += 1
        else:
            kept.append(first[0] if len(first) > len(others) else others[0])
    return kept


def _mark(harvest: Harvest, spec: PairsSpec, store: Interactions) -> None:
    """The pairs' answers, both answers of a vote for neither, and answers with a thumb up or down."""
    harvest.mark_pairs()
    if spec.where.only_edited:
        return
    for vote in store.find_votes(spec.where):
        if vote.preferred == "bad":
            for answer in (vote.answer_a, vote.answer_b):
                harvest.mark({"prompt": vote.prompt, "pair": {"by": "votes", "id": vote.id}}, answer, False)
    for interaction in store.find(spec.where):
        if interaction.rating in (THUMB_UP, THUMB_DOWN) and interaction.edit is None and interaction.answer.strip():
            told = {"by": "ratings", "interaction": interaction.id, "model": interaction.model}
            row = {"prompt": interaction.prompt, "pair": told}
            harvest.mark(row, interaction.answer, interaction.rating == THUMB_UP)
