"""Cohen's kappa against known values and statsmodels, and its interval."""

from __future__ import annotations

import random

import pytest

from evaluation.judge.agreement import cohens_kappa, measure_agreement


def labels(table: list[list[int]]) -> tuple[list[str], list[str]]:
    """Two people's labels with this table of counts."""
    cells = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [str(i) for i, _ in cells], [str(j) for _, j in cells]


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[45, 15], [25, 15]], 0.1304348),
        ([[25, 35], [5, 35]], 0.2592593),
        # By hand: 89 of 100 agree, 0.8·0.8 + 0.1·0.05 + 0.1·0.15 = 0.66 by chance.
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.23 / 0.34),
        ([[7, 0], [0, 3]], 1.0),
        ([[0, 5], [5, 0]], -1.0),
    ],
)
def test_kappa_equals_values_from_textbooks_and_by_hand(table: list[list[int]], kappa: float) -> None:
    assert cohens_kappa(*labels(table)) == pytest.approx(kappa, abs=1e-6)


def test_kappa_equals_that_of_statsmodels() -> None:
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    draw = random.Random(1)
    table = [[draw.randrange(1, 30) for _ in range(4)] for _ in range(4)]
    assert cohens_kappa(*labels(table)) == pytest.approx(inter_rater.cohens_kappa(table, return_results=False))


def test_where_both_always_say_the_same_one_word_kappa_is_not_defined() -> None:
    assert cohens_kappa(["a", "a"], ["a", "a"]) is None
    assert cohens_kappa([], []) is None
    found = measure_agreement(["a", "a"], ["a", "a"], [1, 2])
    assert (found.kappa, found.low, found.agreed) == (None, None, 1.0)


def test_labels_by_chance_agree_by_chance_and_the_interval_says_so() -> None:
    draw = random.Random(2)
    first, second = ([draw.choice("ab") for _ in range(300)] for _ in range(2))
    found = measure_agreement(first, second, range(300))
    assert found.low is not None and found.high is not None and found.kappa is not None
    assert found.low < 0 < found.high and abs(found.kappa) < 0.15
    # The large-sample standard error of kappa for such labels is about 1/sqrt(n).
    assert (found.high - found.low) / 2 == pytest.approx(1.96 / 300**0.5, rel=0.1)


def test_votes_of_one_conversation_count_as_one_when_the_interval_is_drawn() -> None:
    first, second = labels([[20, 5], [10, 15]])
    apart = measure_agreement(first, second, range(50))
    # The same evidence five times over, in the same 50 conversations: no more is known.
    repeated = measure_agreement(first * 5, second * 5, [*range(50)] * 5)
    assert repeated.kappa == pytest.approx(apart.kappa)
    assert (repeated.low, repeated.high) == pytest.approx((apart.low, apart.high))
    assert measure_agreement(first, second, ["one"] * 50).low is None
