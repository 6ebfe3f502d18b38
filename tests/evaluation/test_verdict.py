"""Verdicts in words: what is claimed, and what is not."""

from __future__ import annotations

import random

import pytest

from evaluation.verdict import FEWEST, Measure, ModelScores, Settings, Verdict, compare_models, told_p_value

SETTINGS = Settings(confidence=0.95, smallest_gap=0.03, seed=0)
POINTS = Measure("accuracy", True, "points")


def scores(model: str, right: int, count: int) -> ModelScores:
    return ModelScores(model, "accuracy", [1.0] * right + [0.0] * (count - right))


def verdict(reference: ModelScores, candidate: ModelScores, measure: Measure = POINTS) -> Verdict:
    return compare_models(measure, reference, [candidate], range(len(reference.scores)), SETTINGS)[0]


def test_a_clear_gain_is_told_as_better_by_points() -> None:
    found = verdict(scores("base", 20, 200), scores("tuned", 150, 200))
    assert found.outcome == "better"
    assert found.sentence.startswith("better by 65.0 points (95% CI ")
    assert found.sentence.endswith("p < 0.001)")
    assert found.effect_name == "Cohen's h"


def test_a_clear_loss_is_told_as_worse_with_positive_figures() -> None:
    found = verdict(scores("base", 150, 200), scores("tuned", 100, 200))
    assert found.outcome == "worse"
    assert found.sentence.startswith("worse by 25.0 points (95% CI 18.8 to 30.9, p < 0.001)")
    assert found.difference == pytest.approx(-0.25)


def test_a_small_difference_says_how_many_more_items_would_settle_it() -> None:
    reference = ModelScores("base", "accuracy", [1.0, 0.0] * 50)
    candidate = ModelScores("tuned", "accuracy", [0.0, 1.0] * 10 + [1.0, 0.0] * 40)
    found = verdict(reference, candidate)
    assert found.outcome == "no difference shown"
    assert found.more_items is not None and found.more_items > 0
    assert found.sentence.startswith("no difference shown; about 1,700 more items would settle a 3-point gap")


def test_equal_answers_are_told_as_the_same() -> None:
    found = verdict(scores("base", 30, 60), scores("tuned", 30, 60))
    assert found.sentence == "no difference shown; the same score on all 60 items"


def test_few_items_are_too_few_for_a_verdict() -> None:
    found = verdict(scores("base", 0, 12), scores("tuned", 12, 12))
    assert found.outcome == "too few items"
    assert found.sentence.startswith(
        "too few items for a verdict: only 12, it takes 20 (difference 100.0 points, 95% CI "
    )


def test_scores_with_tails_need_more_items_than_right_or_wrong() -> None:
    right = verdict(scores("base", 2, 20), scores("tuned", 20, 20))
    partly = verdict(
        ModelScores("base", "f1", [number / 100 for number in range(20)]),
        ModelScores("tuned", "f1", [0.5 + number / 100 for number in range(20)]),
    )
    assert (right.outcome, partly.outcome) == ("better", "too few items")


def test_groups_of_unequal_size_are_counted_at_their_worth() -> None:
    reference, candidate = scores("base", 0, 90), scores("tuned", 90, 90)
    groups = [0] * 50 + list(range(1, 41))
    found = compare_models(POINTS, reference, [candidate], groups, SETTINGS)[0]
    assert found.outcome == "too few items"
    assert "41 groups of unequal size are worth 3" in found.sentence


def test_one_group_is_too_few() -> None:
    found = compare_models(POINTS, scores("base", 0, 5), [scores("tuned", 5, 5)], ["same"] * 5, SETTINGS)[0]
    assert found.outcome == "too few items"
    assert found.sentence.startswith("too few items for a verdict")


def test_lower_perplexity_is_better() -> None:
    generator = random.Random(0)
    before = [generator.gauss(2.0, 0.3) for _ in range(80)]
    after = [loss - generator.gauss(0.5, 0.1) for loss in before]
    measure = Measure.of("nll", False, before + after)
    found = verdict(ModelScores("base", "nll", before), ModelScores("tuned", "nll", after), measure)
    assert found.outcome == "better"
    assert found.sentence.startswith("better: perplexity lower by 39.")
    worse = verdict(ModelScores("tuned", "nll", after), ModelScores("base", "nll", before), measure)
    assert worse.outcome == "worse" and "perplexity higher by" in worse.sentence


def test_several_candidates_share_the_error_rate() -> None:
    reference = scores("base", 50, 100)
    candidate = ModelScores("tuned", "accuracy", [1.0] * 57 + [0.0] * 43)
    alone = compare_models(POINTS, reference, [candidate], range(100), SETTINGS)[0]
    family = compare_models(POINTS, reference, [candidate] * 5, range(100), SETTINGS)
    assert alone.outcome == "better" and alone.p_adjusted == pytest.approx(alone.p_value)
    assert family[0].p_adjusted == pytest.approx(5 * alone.p_value)
    assert family[0].outcome == "no difference shown"


def test_scores_outside_zero_to_one_keep_their_own_unit() -> None:
    measure = Measure.of("apples", True, [0.0, 12.0])
    reference = ModelScores("base", "apples", [float(number % 5) for number in range(60)])
    candidate = ModelScores("tuned", "apples", [float(number % 5 + 2 + number % 2) for number in range(60)])
    assert verdict(reference, candidate, measure).sentence.startswith("better by 2.5 (95% CI 2.4 to 2.6, p < 0.001)")


@pytest.mark.parametrize(("value", "told"), [(0.0004, "p < 0.001"), (0.0123, "p = 0.012"), (0.74, "p = 0.74")])
def test_p_values_are_told_in_few_digits(value: float, told: str) -> None:
    assert told_p_value(value) == told


def test_the_advice_of_a_dataset_asks_for_what_a_verdict_needs() -> None:
    from datasets_src.advice import FEWEST_LONG_ONES, FEWEST_TO_JUDGE_BY

    assert (FEWEST["binary"], FEWEST["open"]) == (FEWEST_TO_JUDGE_BY, FEWEST_LONG_ONES)
