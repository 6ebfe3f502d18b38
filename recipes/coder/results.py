"""What came of each step: how the models stand, and the verdict on every step, from the scores of one evaluation."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from evaluation.store import FILE, ItemScore, load_scores
from evaluation.verdict import Measure, ModelScores, Settings, Verdict, compare_models

SETTINGS = Settings(confidence=0.95, smallest_gap=0.03, seed=0)


def step_verdicts(evaluation: Path, figures: dict[str, Any]) -> list[Verdict]:
    """Each model against the one before it, on the same items. `evaluation`: the job's folder, `figures` its own.

    Each is a question of its own, asked once, so the p-values stand as they are.
    """
    rows = load_scores(evaluation / FILE)
    columns = [_scores(rows, model) for model in figures["models"]]
    groups = [row.group for row in rows if row.model == columns[0].model]
    measure = Measure(figures["task"]["metric"], True, "points")
    return [compare_models(measure, before, [after], groups, SETTINGS)[0] for before, after in pairwise(columns)]


def _scores(rows: list[ItemScore], model: dict[str, Any]) -> ModelScores:
    """The model's scores by the metric that the evaluation took for it."""
    own = [row.scores[model["metric"]] for row in rows if row.model == model["name"]]
    return ModelScores(model["name"], model["metric"], own)


def campaign_line(name: str, figures: dict[str, Any]) -> str:
    """What one campaign made and refused."""
    domains = ", ".join(f"{domain} {made['rows']}" for domain, made in figures["domains"].items())
    refused = ", ".join(f"{count} for {reason}" for reason, count in figures["refused"].items()) or "none"
    return f"  {name:<8} {figures['rows']:>4} rows kept ({domains}); refused: {refused}"


def outcome_lines(verdicts: list[Verdict], figures: dict[str, Any]) -> list[str]:
    """Standings of all models, in all and by domain, and a verdict for each step."""
    measure = figures["measures"][0]
    names = [standing["name"] for standing in measure["standings"]]
    parts = [("all", measure["items"], measure["standings"])]
    parts += [(part["tag"], part["items"], part["standings"]) for part in figures["slices"]]
    return [
        "Functions that pass their tests, on exercises that nobody was asked before",
        f"  {'':<10}{'rows':>6}" + "".join(f"{name[:22]:>24}" for name in names),
        *(_line(*part) for part in parts),
        f"  {names[0]} is untrained, so a function of any name, anywhere in its answer, counts.",
        "",
        "Each step against the one before",
        *(f"  {verdict.candidate} after {verdict.reference}: {verdict.sentence}" for verdict in verdicts),
    ]


def _line(label: str, items: int, standings: list[dict[str, Any]]) -> str:
    return f"  {label:<10}{items:>6}" + "".join(f"{standing['mean']:>24.1%}" for standing in standings)
