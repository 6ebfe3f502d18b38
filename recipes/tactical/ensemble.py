"""Whether several advisers together advise better than the best of them, from the answers of a finished evaluation.

    python -m recipes.tactical.ensemble job:ID --workspace DIR

The votes are counted as the server's router counts them: the same spec (serve.yaml's ensemble `council`), the same
code, on answers that were given already. The best member is the best on these very questions, which favours it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation.store import FILE, ItemScore, load_scores
from evaluation.verdict import Measure, ModelScores, Settings, Verdict, compare_models
from jobs.errors import BadInput, UserError
from jobs.spec import read_yaml
from jobs.workspace import Workspace
from recipes.tactical.pipeline import specialist_name
from recipes.tactical.state import DOMAINS
from recipes.tactical.task import METRIC
from serving.engines.engine import Part
from serving.router.ballots import Ballot, count_votes, read_ballot
from serving.router.ensemble_spec import EnsembleSpec
from serving.router.guarded import WholeAnswer

SERVE_FILE = Path(__file__).with_name("serve.yaml")
NAME = "council"
GENERAL = "general"


def ensemble_spec() -> EnsembleSpec:
    """The ensemble that serve.yaml describes."""
    found = read_yaml(SERVE_FILE)["router"]["ensembles"]
    return EnsembleSpec.parse(next(each for each in found if each["name"] == NAME), where=str(SERVE_FILE))


def members_of(models: Sequence[str]) -> dict[str, str]:
    """The member that each model of an evaluation is: specialists by their names, the first other one `general`.

    Raises BadInput when one is missing.
    """
    known = {specialist_name(domain): domain.lower() for domain in DOMAINS}
    others = [model for model in models if model not in known]
    members = {model: known[model] for model in models if model in known} | dict.fromkeys(others[:1], GENERAL)
    missing = sorted({GENERAL, *known.values()} - set(members.values()))
    if missing:
        raise BadInput(
            f"The evaluation has no answers of {', '.join(missing)}.",
            f"The ensemble {NAME} asks all of its members; it has answers of {', '.join(models)}.",
            "Give the evaluation that python cli.py demo tactical-specialists ends with.",
        )
    return members


def ensemble_scores(rows: Sequence[ItemScore], members: Mapping[str, str], spec: EnsembleSpec) -> dict[str, float]:
    """For each item the main score of the answer that wins the vote; 0 where too few voted."""
    answers: dict[str, dict[str, ItemScore]] = {}
    for row in rows:
        if row.model in members:
            answers.setdefault(row.item, {})[members[row.model]] = row
    return {item: _won(given, spec) for item, given in answers.items()}


def _won(given: Mapping[str, ItemScore], spec: EnsembleSpec) -> float:
    weights = spec.asked(next(iter(given.values())).tag)
    ballots = [_ballot(spec, member, given[member]) for member in weights]
    winner = count_votes(weights, ballots).winner
    enough = sum(ballot.vote is not None for ballot in ballots) >= spec.quorum
    return given[winner.model].scores[METRIC] if winner is not None and enough else 0.0


def _ballot(spec: EnsembleSpec, member: str, row: ItemScore) -> Ballot:
    return read_ballot(spec, member, WholeAnswer(row.answer or "", Part(), ()))


def compare(rows: Sequence[ItemScore], spec: EnsembleSpec, settings: Settings) -> Verdict:
    """The ensemble against the member with the highest mean score on the same items."""
    models = list(dict.fromkeys(row.model for row in rows if row.kind == "model"))
    together = ensemble_scores(rows, members_of(models), spec)
    alone = {model: {row.item: row.scores[METRIC] for row in rows if row.model == model} for model in models}
    best = max(models, key=lambda model: sum(alone[model].values()))
    groups = {row.item: row.group for row in rows if row.model == best}
    order = list(together)
    (verdict,) = compare_models(
        Measure(METRIC, True, "points"),
        ModelScores(best, METRIC, [alone[best][item] for item in order]),
        [ModelScores(NAME, METRIC, [together[item] for item in order])],
        [groups[item] for item in order],
        settings,
    )
    return verdict


def in_words(verdict: Verdict) -> str:
    """Whether the ensemble beats its best member, as text."""
    means = f"{verdict.candidate_mean:.1%} against {verdict.reference_mean:.1%} of its best member, {verdict.reference}"
    return f"The ensemble {verdict.candidate} has {means}, on {verdict.items} moments: {verdict.sentence}"


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="The ensemble against its best member.")
    parser.add_argument("evaluation", help="job:ID of a finished evaluation of the adviser and all specialists")
    parser.add_argument("--workspace", type=Path, default=Workspace.default().root)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    options = parser.parse_args()
    try:
        job = Workspace(options.workspace).job(options.evaluation.removeprefix("job:"))
        verdict = compare(load_scores(job.path / FILE), ensemble_spec(), Settings(0.95, 0.03, 0))
    except UserError as error:
        parser.exit(2, f"{error}\n")
    figures: dict[str, Any] = asdict(verdict)
    print(json.dumps(figures, indent=1) if options.json else in_words(verdict))


if __name__ == "__main__":
    main()
