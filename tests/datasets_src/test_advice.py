"""Advice follows from the figures, and what an evaluation can show agrees with the exact test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from datasets_src.advice import Advice, Statistics, TokenLengths, advise, smallest_difference

USUAL = Statistics("conversation", rows=1500, groups=1400, eval_rows=400, eval_groups=400)
LENGTHS = TokenLengths(p50=120, p95=300, p99=480, longest=510)


def about(topic: str, known: Statistics = USUAL, **changes: Any) -> Advice:
    """The one piece of advice on a topic."""
    found = [advice for advice in advise(replace(known, **changes)) if advice.topic == topic]
    assert len(found) == 1
    return found[0]


def topics(**changes: Any) -> set[str]:
    return {advice.topic for advice in advise(replace(USUAL, **changes))}


@pytest.mark.parametrize(("p99", "length"), [(1, 256), (256, 256), (257, 512), (2049, 4096), (100_000, 131_072)])
def test_the_context_length_is_the_smallest_that_holds_99_percent(p99: int, length: int) -> None:
    assert about("context_length", tokens=replace(LENGTHS, p99=p99, longest=p99)).value == length


def test_the_context_length_says_whether_it_holds_all() -> None:
    assert "every row whole" in about("context_length", tokens=LENGTHS).sentence
    some = about("context_length", tokens=replace(LENGTHS, longest=9000))
    assert "at least 99 % of the rows whole (the longest has 9,000 tokens)" in some.sentence
    beyond = about("context_length", tokens=replace(LENGTHS, p99=200_000, longest=300_000))
    assert beyond.warning
    assert "split such rows" in beyond.sentence


def test_without_a_tokenizer_no_context_length_is_made_up() -> None:
    assert about("context_length").value is None
    assert "Choose a model" in about("context_length").sentence


@pytest.mark.parametrize(
    ("kind", "rows", "epochs"),
    [
        *(("conversation", 299, 3), ("conversation", 1999, 3), ("conversation", 2000, 2), ("conversation", 20_000, 1)),
        *(("preference", 299, 3), ("preference", 300, 2), ("unpaired", 2000, 1), ("text", 1999, 3)),
    ],
)
def test_fewer_rows_take_more_epochs(kind: Any, rows: int, epochs: int) -> None:
    advice = about("epochs", kind=kind, rows=rows)
    assert advice.value == epochs
    assert advice.sentence.startswith(f"{epochs} pass")


def test_the_epochs_say_how_many_tokens_they_train_on() -> None:
    assert "about 120 thousand tokens" in about("epochs", trained_tokens=80.0).sentence
    assert "tokens" not in about("epochs").sentence


@pytest.mark.parametrize(("kind", "rate"), [("preference", 5e-6), ("text", 5e-5)])
def test_the_learning_rate_goes_by_what_is_trained(kind: Any, rate: float) -> None:
    advice = about("learning_rate", kind=kind, rows=1500)
    assert advice.value == rate
    assert advice.sentence.startswith(f"{rate:.0e}".replace("e-0", "e-"))


def test_where_the_learning_rate_goes_by_the_models_size_the_advice_leaves_it_to_that() -> None:
    advice, of_many = (about("learning_rate", kind="conversation", rows=rows) for rows in (1500, 50_000))
    assert advice.value == of_many.value == "auto"
    assert "half of it" in of_many.sentence and "half of it" not in advice.sentence


def test_the_model_is_instruct_but_for_much_raw_text() -> None:
    assert about("model").value == "instruct"
    assert "too few to teach a base model" in about("model", rows=200).sentence
    assert "a base model can work too" in about("model", rows=50_000).sentence
    assert about("model", kind="preference").value == "instruct"
    assert about("model", kind="text", rows=5000, trained_tokens=400.0).value == "base"
    assert about("model", kind="text", rows=50, trained_tokens=400.0).value == "instruct"
    assert about("model", kind="text").value is None


def test_too_little_to_learn_from_is_a_warning() -> None:
    assert "rows" not in topics()
    assert about("rows", rows=49, groups=49).warning
    assert "Only 49 different rows" in about("rows", rows=49, groups=49).sentence
    assert "from only 12 groups" in about("rows", groups=12).sentence


def test_too_little_to_judge_by_is_a_warning() -> None:
    assert about("evaluation", eval_rows=0, eval_groups=0).warning
    assert "too few for a verdict" in about("evaluation", eval_rows=5, eval_groups=5).sentence
    assert "too few for a verdict" in about("evaluation", eval_rows=19, eval_groups=19).sentence
    fewest = about("evaluation", eval_rows=20, eval_groups=20).sentence
    assert "39.2 points" in fewest
    assert "if one model is the better one wherever their results differ" in fewest
    assert "differ on 30% of the rows" in about("evaluation").sentence
    few = about("evaluation", eval_rows=30, eval_groups=30)
    assert (few.warning, few.value) == (True, 28.5)
    assert "about 28.5 points" in few.sentence
    assert not about("evaluation").warning
    # 400 answers to 30 prompts are worth about 30.
    assert about("evaluation", eval_groups=30).value == 28.5
    assert "400 evaluation rows in 30 groups" in about("evaluation", eval_groups=30).sentence


def test_what_spoils_training_is_named_and_what_is_harmless_is_not() -> None:
    assert (
        topics(cut_share=0.0, context_length=512)
        == topics()
        == {*("context_length", "epochs", "learning_rate", "model", "evaluation")}
    )
    assert about("cut_answers", cut_share=0.05, context_length=512).warning
    assert not about("cut_answers", cut_share=0.005, context_length=512).warning
    assert "5.0% of the rows are cut at 512" in about("cut_answers", cut_share=0.05, context_length=512).sentence
    assert "25% of the rows are nearly the same" in about("duplicates", near_duplicates=0.25).sentence
    assert "30% of the rows read were exact duplicates" in about("duplicates", duplicates=0.3).sentence
    assert "more than 90.0% of the rows" in about("answers", best_agreement=0.9).sentence
    assert "answers" not in topics(best_agreement=0.99)


def exact_power(rows: int, difference: float, disagreement: float) -> float:
    """How often McNemar's exact test finds a difference significant at 5 %, summed over all outcomes."""
    import numpy as np
    from scipy.stats import binom

    differing = max(disagreement, difference)
    better = (differing + difference) / 2 / differing
    power = 0.0
    for changed in range(rows + 1):
        gains = np.arange(changed + 1)
        tail = np.minimum(binom.cdf(gains, changed, 0.5), binom.sf(gains - 1, changed, 0.5))
        found = binom.pmf(gains, changed, better)[2 * tail <= 0.05].sum()
        power += binom.pmf(changed, rows, differing) * found
    return float(power)


@pytest.mark.parametrize("disagreement", [0.2, 0.3, 0.5])
@pytest.mark.parametrize("rows", [8, 15, 30, 100, 300])
def test_the_smallest_difference_is_shown_by_the_exact_test_four_times_in_five(rows: int, disagreement: float) -> None:
    difference = smallest_difference(rows, disagreement)
    assert difference is not None
    assert 0.78 < exact_power(rows, difference, disagreement) < 0.88


def test_the_smallest_difference_agrees_with_a_published_example() -> None:
    # Connor's formula for 45 % against 5 % of differing pairs needs 22.01 pairs; 1/d adds 2.5.
    shown = smallest_difference(25, disagreement=0.5)
    assert shown is not None
    assert shown < 0.4 < (smallest_difference(24, disagreement=0.5) or 0.0)
