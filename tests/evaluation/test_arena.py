"""Ratings from votes: golden values, agreement with statsmodels, honest intervals, and what they can't say."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest

from datasets_src.interactions.records import Vote
from evaluation.arena.ratings import ratings
from evaluation.arena.standing import standing


def vote(first: str, second: str, preferred: Any, **rest: Any) -> Vote:
    given: dict[str, Any] = {"answer_a": "an answer", "answer_b": "an answer", "blind": True} | rest
    return Vote([{"role": "user", "content": "?"}], preferred=preferred, model_a=first, model_b=second, **given)


def votes(first: str, second: str, wins: int, losses: int, ties: int = 0) -> list[Vote]:
    """Votes with each model on the left about as often as on the right."""
    swap = {"a": "b", "b": "a", "tie": "tie"}
    results = ["a"] * wins + ["b"] * losses + ["tie"] * ties
    return [
        vote(first, second, result) if number % 2 else vote(second, first, swap[result])
        for number, result in enumerate(results)
    ]


GOLDEN = votes("A", "B", 30, 15, 5) + votes("B", "C", 25, 20, 5) + votes("A", "C", 35, 10, 5)


def drawn_votes(count: int, gap: float, seed: int, *, left: float = 0.0, length: float = 0.0) -> list[Vote]:
    """Votes of two models; logits: `gap` for the better one, `left` for the side, `length` for a longer answer."""
    generator = random.Random(seed)
    found = []
    for _ in range(count):
        better_left = generator.random() < 0.5
        letters = [generator.randint(20, 200), generator.randint(20, 200)]
        logit = (gap if better_left else -gap) + left + length * (letters[0] - letters[1]) / sum(letters)
        preferred = "a" if generator.random() < 1 / (1 + np.exp(-logit)) else "b"
        names = ("better", "worse") if better_left else ("worse", "better")
        found.append(vote(*names, preferred, answer_a="x" * letters[0], answer_b="x" * letters[1]))
    return found


def test_ratings_have_their_golden_values() -> None:
    found = standing(GOLDEN, confidence=0.95, seed=0)
    rated = {rating.model: rating.rating for rating in found.ratings}
    assert rated == pytest.approx({"A": 1098.592, "B": 975.304, "C": 926.104}, abs=5e-4)
    assert [rating.model for rating in found.ratings] == ["A", "B", "C"]
    assert (found.ratings[0].wins, found.ratings[0].losses, found.ratings[0].ties) == (65, 25, 10)


def test_ratings_equal_a_logistic_regression_of_statsmodels() -> None:
    import statsmodels.api as models

    generator = np.random.default_rng(3)
    wins = generator.integers(1, 30, (1, 5, 5)).astype(float)
    wins[0][np.diag_indices(5)] = 0
    rows = [(i, j, 1.0, wins[0, i, j]) for i in range(5) for j in range(5) if i != j]
    design = np.array([[(place == i) * 1.0 - (place == j) for place in range(1, 5)] for i, j, _, _ in rows])
    flipped = np.vstack([design, -design])
    outcome = np.repeat([1.0, 0.0], len(rows))
    weights = np.tile([row[3] for row in rows], 2)
    fitted = models.GLM(outcome, flipped, family=models.families.Binomial(), freq_weights=weights).fit()
    strengths = np.concatenate([[0], fitted.params])
    expected = 1000 + 400 / np.log(10) * (strengths - strengths.mean())
    assert ratings(wins, np.ones((5, 5)) - np.eye(5))[0] == pytest.approx(expected, abs=1e-4)


def test_both_bad_counts_half_to_each_as_a_tie_does() -> None:
    swapped = [vote("A", "B", "bad") if each.preferred == "tie" else each for each in votes("A", "B", 10, 5, 4)]
    ties = standing(votes("A", "B", 10, 5, 4), confidence=0.95, seed=0)
    found = standing(swapped, confidence=0.95, seed=0)
    assert found.ratings[0].rating == pytest.approx(ties.ratings[0].rating)
    assert (found.pairs[0].ties, found.pairs[0].both_bad) == (0, 4)
    assert found.pairs[0].share == pytest.approx(12 / 19)


def test_intervals_hold_the_true_lead_about_as_often_as_they_say() -> None:
    truth = 400 / np.log(10) * 0.8
    held = 0
    for seed in range(60):
        lead = standing(drawn_votes(80, 0.8, seed), confidence=0.9, seed=seed).between("worse", "better")
        assert lead is not None and lead.low is not None and lead.high is not None
        points = (lead.low, lead.high) if lead.leader == "better" else (-lead.high, -lead.low)
        held += points[0] <= truth <= points[1]
    assert 47 <= held <= 60


def test_votes_of_one_conversation_are_not_independent() -> None:
    alone = [vote("A", "B", "a" if number % 3 else "b") for number in range(90)]
    talks = [
        vote("A", "B", "a" if number % 3 else "b", conversation=f"talk {number}")
        for number in range(30)
        for _ in range(3)
    ]
    widths = []
    for each in (alone, talks):
        lead = standing(each, confidence=0.95, seed=0).lead
        assert lead is not None and lead.low is not None and lead.high is not None
        widths.append(lead.high - lead.low)
    assert widths[1] > 1.4 * widths[0]


def test_the_votes_said_to_be_missing_give_the_power_they_promise() -> None:
    start = standing(votes("A", "B", 24, 16), confidence=0.95, seed=0).lead
    assert start is not None and not start.settled and start.more_votes is not None
    # 60 % of n votes: n such that 0.405 logits are 2.8 standard errors of 1/sqrt(0.24 n): 199 in all.
    assert 40 + start.more_votes == pytest.approx(199, rel=0.1)
    assert "more votes between the two would settle it" in start.sentence
    generator = random.Random(1)
    settled = 0
    for seed in range(40):
        wins = sum(generator.random() < 0.6 for _ in range(199))
        lead = standing(votes("A", "B", wins, 199 - wins), confidence=0.95, seed=seed).lead
        assert lead is not None
        settled += lead.settled and lead.leader == "A"
    assert 25 <= settled <= 38


def test_a_settled_lead_is_told_as_settled_and_a_level_one_as_level() -> None:
    lead = standing(votes("A", "B", 80, 20), confidence=0.95, seed=0).lead
    assert lead is not None and lead.settled and lead.more_votes == 0
    assert lead.sentence.startswith("Settled: A is better than B by 241 points")
    level = standing(votes("A", "B", 20, 20), confidence=0.95, seed=0).lead
    assert level is not None and level.more_votes is None and "level" in level.sentence


def test_few_votes_give_no_interval() -> None:
    found = standing(votes("A", "B", 3, 1), confidence=0.95, seed=0)
    assert found.lead is not None and found.lead.low is None
    assert found.lead.sentence == "Too few votes to say whether A is better than B."


def test_models_that_never_met_are_not_compared() -> None:
    found = standing(votes("A", "B", 20, 10) + votes("C", "D", 5, 9), confidence=0.95, seed=0)
    assert found.components == [["A", "B"], ["D", "C"]]
    assert found.between("A", "C") is None and found.between("D", "C") is not None
    assert [rating.component for rating in found.ratings] == [0, 0, 1, 1]
    assert any("only within each: A, B; D, C" in note for note in found.notes)


def test_a_model_that_always_wins_gets_a_finite_rating_and_a_note() -> None:
    found = standing(votes("A", "B", 20, 0), confidence=0.95, seed=0)
    # 20.5 against 0.5.
    assert found.lead is not None and found.lead.points == pytest.approx(400 * np.log10(41), abs=0.01)
    assert any("one tie more" in note for note in found.notes)


def test_a_preference_for_the_left_side_is_found_and_said() -> None:
    biased = standing(drawn_votes(200, 0.3, 0, left=1.2), confidence=0.95, seed=0).order
    assert biased.shuffled and biased.p_value is not None and biased.p_value < 0.001
    assert "the left side is preferred" in biased.sentence
    fair = standing(drawn_votes(200, 0.3, 0), confidence=0.95, seed=0).order
    assert "no preference for a side" in fair.sentence
    fixed = standing([vote("A", "B", "a") for _ in range(30)], confidence=0.95, seed=0).order
    assert not fixed.shuffled and "can't be told from a better side" in fixed.sentence


def test_a_lead_that_is_due_to_length_shrinks_when_length_is_held_equal() -> None:
    generator = random.Random(4)
    talkative = []
    for number in range(400):
        letters = {"long": generator.randint(100, 300), "short": generator.randint(60, 180)}
        names = ("long", "short") if number % 2 else ("short", "long")
        first, second = (letters[name] for name in names)
        logit = 3.0 * (first - second) / (first + second)
        preferred = "a" if generator.random() < 1 / (1 + np.exp(-logit)) else "b"
        talkative.append(vote(*names, preferred, answer_a="x" * first, answer_b="x" * second))
    found = standing(talkative, confidence=0.95, seed=0)
    plain = {rating.model: rating.rating for rating in found.ratings}
    assert plain["long"] - plain["short"] > 80
    assert abs(found.length.ratings["long"] - found.length.ratings["short"]) < 60
    # Three logits times a third: an answer twice as long wins 73 % of the time.
    assert found.length.longer_wins == pytest.approx(0.73, abs=0.06)
    assert found.length.p_value is not None and found.length.p_value < 0.001


def test_lengths_that_never_vary_are_said_to_say_nothing() -> None:
    found = standing(votes("A", "B", 12, 9), confidence=0.95, seed=0)
    assert found.length.ratings == {} and "can't be told apart" in found.length.sentence


def test_a_longer_answer_that_always_wins_has_no_regression() -> None:
    separated = [vote("A", "B", "a", answer_a="x" * (50 + number % 7)) for number in range(20)]
    separated += [vote("B", "A", "b", answer_b="x" * (50 + number % 5)) for number in range(20)]
    assert standing(separated, confidence=0.95, seed=0).length.ratings == {}


def test_no_votes_and_votes_for_oneself_are_said() -> None:
    assert standing([], confidence=0.95, seed=0).notes == ["There are no votes yet."]
    found = standing([*votes("A", "B", 9, 8), vote("A", "A", "a", blind=False)], confidence=0.95, seed=0)
    assert found.votes == 17 and "1 votes between a model and itself are left out." in found.notes
    seen = standing([vote("A", "B", "a", blind=False), vote("A", "B", "b")], confidence=0.95, seed=0)
    assert "1 of 2 votes were given with the models' names in sight." in seen.notes


def test_a_standing_is_plain_json_and_the_same_for_the_same_seed() -> None:
    once, again = (standing(GOLDEN, confidence=0.95, seed=7).as_json() for _ in range(2))
    assert json.loads(json.dumps(once, allow_nan=False)) == once == again
