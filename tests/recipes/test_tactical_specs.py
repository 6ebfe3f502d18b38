"""The recipe's specs can be used as they stand; votes are counted; the simulator's advice is logged with ratings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from datasets_src.interactions import InteractionFilter, Interactions
from datasets_src.interactions.read import read_interactions
from evaluation.judge.spec import JudgingSpec
from evaluation.spec import EvaluateSpec
from evaluation.store import ItemScore
from evaluation.verdict import Settings
from jobs.errors import BadInput
from jobs.workspace import Workspace
from recipes.recipe import load_recipe
from recipes.tactical import pipeline
from recipes.tactical.ensemble import compare, ensemble_scores, ensemble_spec, in_words, members_of
from recipes.tactical.feedback import log_fights
from recipes.tactical.results import json_validity, outcome_lines
from recipes.tactical.state import DOMAINS
from serving.loop.spec import LoopSpec
from serving.spec import ServeSpec
from trainer.spec import TrainSpec

FOLDER = Path(pipeline.__file__).parent
SPECIALISTS = [pipeline.specialist_name(domain) for domain in DOMAINS]


@pytest.mark.parametrize("name", ["evaluate", "bases", "consistency", "ensemble"])
def test_every_evaluation_can_be_used_as_it_stands(name: str) -> None:
    assert EvaluateSpec.load(FOLDER / f"{name}.yaml").task == "recipes.tactical.task"


def test_the_judge_the_server_and_the_specialists_can_be_used_as_they_stand() -> None:
    assert "relevance" in JudgingSpec.load(FOLDER / "judge.yaml").judge.criteria
    served = ServeSpec.load(FOLDER / "serve.yaml")
    assert {name for name, _ in served.named_models()} == {"general", *(domain.lower() for domain in DOMAINS)}
    assert served.router is not None and {rule.to for rule in served.router.rules} == {d.lower() for d in DOMAINS}
    assert [pipeline.specialist_spec(domain).data for domain in DOMAINS] == [f"tactical-{d.lower()}" for d in DOMAINS]
    assert {pipeline.specialist_spec(domain).model for domain in DOMAINS} == {"embedded"}


def test_the_loops_training_and_evaluations_can_be_used_as_they_stand() -> None:
    plan = LoopSpec.load(FOLDER / "loop.yaml")
    assert plan.promote == "by hand" and plan.when.min_new == 200
    assert TrainSpec.parse({**plan.train, "data": "rows"}).max_length == 256
    for options in (plan.new_options, plan.regression.options, plan.general_options):
        assert EvaluateSpec.parse({**options, "models": ["embedded"], "data": "rows"}).batch_size == 32


def test_the_recipe_is_found_and_the_specialists_are_five_trainings_and_one_verdict() -> None:
    assert [step.key for step in load_recipe("tactical").steps] == ["data", "train", "evaluate"]
    kinds = [step.kind for step in load_recipe("tactical-specialists").steps]
    assert kinds == ["data.build", "train"] * 5 + ["evaluate"]


def answer(move: str, confidence: float) -> str:
    return json.dumps({"recommendation": move, "confidence": confidence})


def row(model: str, text: str, right: bool, number: int = 0, tag: str = "WVR") -> ItemScore:
    return ItemScore(
        model, "model", f"item {number}", f"group {number}", tag, "?", "!", text, {"accuracy": float(right)}
    )


def votes(general: str, specialist: str, others: str) -> list[ItemScore]:
    """Answers of all members to a close fight; right is the move `gun`."""
    texts = {"Adviser": general, **dict.fromkeys(SPECIALISTS, others), "WVR specialist": specialist}
    return [row(model, text, '"gun"' in text) for model, text in texts.items()]


@pytest.mark.parametrize(
    ("general", "specialist", "others", "won"),
    [
        (answer("gun", 0.9), answer("gun", 0.9), answer("fire", 0.9), 1.0),
        # The domain's specialist outweighs the others, but not one that is far surer of itself.
        (answer("fire", 0.7), answer("gun", 0.9), "nothing", 1.0),
        (answer("gun", 0.9), answer("fire", 0.5), "nothing", 1.0),
        (answer("gun", 0.1), answer("fire", 0.9), answer("fire", 0.9), 0.0),
        # One vote is less than the quorum.
        ("nothing", answer("gun", 0.9), "nothing", 0.0),
    ],
)
def test_votes_are_weighted_by_domain_and_confidence(general: str, specialist: str, others: str, won: float) -> None:
    rows = votes(general, specialist, others)
    assert ensemble_scores(rows, members_of([each.model for each in rows]), ensemble_spec()) == {"item 0": won}


def test_an_ensemble_without_one_of_its_members_is_refused() -> None:
    with pytest.raises(BadInput, match="no answers of wvr"):
        members_of(["Adviser", *(name for name in SPECIALISTS if name != "WVR specialist")])


def one_specialist_is_wrong_in_turn(items: int) -> Sequence[ItemScore]:
    """Every member is wrong on a seventh of the items, each on its own; together they are always right."""
    models = ["Adviser", *SPECIALISTS]
    return [
        row(model, answer("fire" if number % 7 == place else "gun", 0.9), number % 7 != place, number, tag="any")
        for number in range(items)
        for place, model in enumerate(models)
    ]


def test_the_ensemble_is_compared_with_its_best_member_in_words() -> None:
    spec = ensemble_spec().model_copy(update={"members": dict.fromkeys(ensemble_spec().members, 1.0)})
    verdict = compare(one_specialist_is_wrong_in_turn(140), spec, Settings(0.95, 0.03, 0))
    assert verdict.candidate_mean == 1.0 and verdict.reference_mean == pytest.approx(6 / 7)
    assert verdict.outcome == "better"
    assert "100.0% against 85.7% of its best member" in in_words(verdict)


def test_advice_to_the_simulator_is_logged_with_rating_and_correction(workspace: Workspace) -> None:
    def always_fires(prompts: list[list[dict[str, Any]]]) -> list[str]:
        return ['{"recommendation": "fire"}' for _ in prompts]

    logged = log_fights(workspace, always_fires, "general", fights=5, turns=3, seed=0)
    kept = list(Interactions(workspace).find())
    assert len(kept) == logged > 5
    assert {each.rating for each in kept} == {1} and {each.tag for each in kept} <= set(DOMAINS)
    assert all(json.loads(each.edit or "")["recommendation"] for each in kept)
    rows = list(read_interactions(workspace, InteractionFilter(min_rating=4)))
    assert len(rows) == logged, "a corrected answer is learned from, in its corrected form"


def standing(name: str, mean: float, kind: str = "model") -> dict[str, Any]:
    return {"name": name, "kind": kind, "mean": mean, "low": mean - 0.1, "high": mean + 0.1}


def test_everything_that_judges_the_model_is_printed() -> None:
    names = ["accuracy", "json_valid", "json_fields", "delta_closeness", "doctrine"]
    verdict = {"candidate": "Adviser", "reference": "base", "sentence": "better by 60 points", "test": "exact McNemar"}
    measures = [
        {
            "metric": name,
            "items": 50,
            "standings": [standing("base", 0.1), standing("Adviser", 0.7)],
            "verdicts": [{**verdict, "effect": 1.2, "effect_name": "Cohen's h"}],
        }
        for name in names
    ]
    measures[0]["standings"].append(standing("random move", 0.2, "reference"))
    slices = [{"tag": "BVR", "items": 9, "standings": measures[0]["standings"]}]
    models = [{"name": "base", "untrained": True}, {"name": "Adviser", "untrained": False}]
    figures = {"models": models, "measures": measures, "slices": slices}
    text = "\n".join(outcome_lines(figures))
    for part in ("better by 60 points", "exact McNemar", "breaks no law", "move, BVR (9)", "70.0% (60%–80%)", "random"):
        assert part in text
    assert "base is untrained" in text and "Adviser is untrained" not in text
    assert json_validity(figures) == 0.7
