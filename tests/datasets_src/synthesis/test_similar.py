"""Nearly equal texts: the quick search finds exactly what comparing everything with everything finds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_src.synthesis.similar import SimilarTexts, rouge_l

WORDS = st.lists(st.sampled_from(["a", "is", "why", "sky", "blue", "forest", "wonderful"]), max_size=9)


def plain_rouge_l(one: list[str], other: list[str]) -> float:
    """By the book: the table of common subsequences."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for row, word in enumerate(one):
        for column, against in enumerate(other):
            same = table[row][column] + 1
            table[row + 1][column + 1] = (
                same if word == against else max(table[row][column + 1], table[row + 1][column])
            )
    return 2 * table[-1][-1] / (len(one) + len(other)) if one and other else 0.0


@given(WORDS, WORDS)
def test_rouge_l_is_that_of_the_book(one: list[str], other: list[str]) -> None:
    assert rouge_l(" ".join(one), " ".join(other)) == plain_rouge_l(one, other)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=8), WORDS, st.sampled_from([0.3, 0.5, 0.7, 0.9, 1.0]))
def test_the_index_misses_nothing_and_invents_nothing(texts: list[list[str]], new: list[str], least: float) -> None:
    index = SimilarTexts(least)
    for text in texts:
        index.add(" ".join(text))
    assert index.has_similar(" ".join(new)) == any(plain_rouge_l(new, text) >= least for text in texts)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Why is the sky blue?", "Why is the big sky blue?", True),
        ("Why is the sky blue?", "why, is the SKY blue", True),
        ("Why is the sky blue?", "Blue the sky is: why?", False),
        ("天空为什么是蓝色的", "天空为什么是灰色的", True),
        ("天空为什么是蓝色的", "请写一首关于秋天的诗", False),
    ],
)
def test_texts_are_alike_by_words_in_order_whatever_the_script(one: str, other: str, alike: bool) -> None:
    index = SimilarTexts(0.7)
    index.add(one)
    assert index.has_similar(other) == alike


def test_few_texts_are_compared_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets_src.synthesis import similar

    chance = random.Random(0)
    usual = ["the", "of", "a", "in", "is", "to", "and", "for", "that", "with"]
    rare = [f"word{n:04d}" for n in range(3000)]
    texts = [" ".join(chance.choices(usual, k=12) + chance.choices(rare, k=6)) for _ in range(1500)]
    compared = 0
    original = similar.rouge_l_of_words

    def counted(one: list[str], other: list[str]) -> float:
        nonlocal compared
        compared += 1
        return original(one, other)

    monkeypatch.setattr(similar, "rouge_l_of_words", counted)
    index = SimilarTexts(0.7)
    for text in texts:
        assert not index.has_similar(text)
        index.add(text)
    assert compared < len(texts), "of more than a million pairs"
