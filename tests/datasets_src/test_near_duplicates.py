"""Near-duplicates: what is planted is found, what is not similar enough is left alone, and work stays linear."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.near_duplicates import planted_rows, similarity
from datasets_src.near_duplicates import SLOTS, Clusters, band_sizes, candidates, confirmed_clusters, signatures

PROJECT = Path(__file__).resolve().parents[2]


def clusters(texts: Sequence[str], threshold: float = 0.8) -> Clusters:
    return confirmed_clusters(signatures(texts), texts.__getitem__, threshold)


def partition(texts: Sequence[str]) -> set[frozenset[str]]:
    """The texts of each cluster."""
    members: dict[int, set[str]] = {}
    for text, cluster in zip(texts, clusters(texts).cluster, strict=True):
        members.setdefault(int(cluster), set()).add(text)
    return {frozenset(texts) for texts in members.values()}


def words(count: int, generator: random.Random) -> list[str]:
    return [f"word{generator.randrange(10**9)}" for _ in range(count)]


def exchanged(base: Sequence[str], rows: int, each: int) -> list[str]:
    """Rows of the same words but for `each` of them, which are exchanged at places drawn at random."""
    generator = random.Random(12)
    texts = []
    for _ in range(rows):
        changed = list(base)
        for place in generator.sample(range(len(base)), each):
            changed[place] = words(1, generator)[0]
        texts.append(" ".join(changed))
    return texts


class Shelf:
    """Gives out texts and counts how many."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.read = 0

    def text_of(self, row: int) -> str:
        self.read += 1
        return self.texts[row]


def test_planted_pairs_just_above_the_threshold_are_found_and_those_below_are_not() -> None:
    planted = planted_rows(8000, seed=4)
    found = clusters(planted.texts)
    joined = [found.cluster[one] == found.cluster[other] for one, other in planted.near]
    assert len(joined) == 400
    assert np.mean(joined) >= 0.97
    assert not any(found.cluster[one] == found.cluster[other] for one, other in planted.not_quite)


def test_the_similarity_told_is_the_exact_one_and_never_below_the_threshold() -> None:
    planted = planted_rows(3000, seed=5)
    found = clusters(planted.texts)
    later = np.flatnonzero(found.partner >= 0)
    assert len(later) > 100
    for row in later:
        exact = similarity(planted.texts[row], planted.texts[found.partner[row]])
        assert found.similarity[row] == pytest.approx(exact)
        assert exact >= 0.8


def test_a_pair_exactly_at_the_threshold_counts() -> None:
    # 11 words are 9 shingles; another last word leaves 8 of 10.
    begin = "one two three four five six seven eight nine ten"
    assert similarity(f"{begin} eleven", f"{begin} twelve") == 0.8
    assert partition([f"{begin} eleven", f"{begin} twelve"]) == {frozenset({f"{begin} eleven", f"{begin} twelve"})}


def test_the_first_row_of_a_cluster_has_no_partner_and_the_others_name_an_earlier_row_they_match() -> None:
    generator = random.Random(1)
    row = words(60, generator)
    other = " ".join(words(40, generator))
    texts = [other, " ".join(row), " ".join([*row[:-1], "end"]), "nothing like it at all", " ".join([*row, "more"])]
    found = clusters(texts)
    assert found.cluster.tolist() == [0, 1, 1, 3, 1]
    assert found.partner.tolist()[:4] == [-1, -1, 1, -1]
    assert found.partner[4] in (1, 2)
    assert found.similarity[[0, 1, 3]].tolist() == [0, 0, 0]


def test_a_row_names_the_earlier_row_it_matches_even_where_it_is_more_like_a_later_one() -> None:
    row = words(60, random.Random(13))
    near = [*row[:-4], *words(4, random.Random(14))]
    nearer = [*near[1:], "more"]
    texts = [" ".join(each) for each in (row, near, nearer)]
    assert 0.8 < similarity(texts[0], texts[1]) < similarity(texts[1], texts[2])
    found = clusters(texts)
    assert found.partner.tolist()[:2] == [-1, 0]
    assert found.similarity[1] == pytest.approx(similarity(texts[0], texts[1]))


def test_rows_are_joined_by_way_of_others() -> None:
    row = words(60, random.Random(2))
    middle = [*row[:-5], *words(5, random.Random(3))]
    far = [*words(5, random.Random(4)), *middle[5:]]
    texts = [" ".join(each) for each in (far, row, middle)]
    assert similarity(texts[0], texts[1]) < 0.8
    assert clusters(texts).cluster.tolist() == [0, 0, 0]


def test_the_order_of_the_rows_does_not_matter() -> None:
    texts = planted_rows(2000, seed=6).texts
    # Rows of one template, most of them nearly similar enough: too many for comparing all pairs.
    texts += exchanged(words(80, random.Random(3)), rows=2000, each=2)
    shuffled = random.Random(7).sample(texts, len(texts))
    expected = partition(texts)
    assert partition(shuffled) == expected
    assert 100 < max(map(len, expected)) < 2000


def test_signatures_are_the_same_in_another_process_and_in_batches_of_another_size() -> None:
    texts = [*planted_rows(700, seed=8).texts, "你好，世界！你好吗？", "Grüße aus Österreich und der Schweiz"]
    program = (
        "import sys, json; from datasets_src.near_duplicates import signatures;"
        "sys.stdout.write(signatures(json.load(sys.stdin)).tobytes().hex())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(texts),
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = signatures(texts)
    assert done.stdout == here.tobytes().hex()
    assert np.array_equal(here, np.concatenate([signatures([text]) for text in texts]))


def test_ten_thousand_rows_alike_are_one_cluster_and_each_is_read_about_once() -> None:
    shelf = Shelf(exchanged(words(80, random.Random(9)), rows=10_000, each=1))
    found = confirmed_clusters(signatures(shelf.texts), shelf.text_of, 0.8)
    assert set(found.cluster.tolist()) == {0}
    assert shelf.read < 2.5 * len(shelf.texts)


def test_rows_of_one_template_are_told_apart_with_little_reading_and_copies_among_them_are_found() -> None:
    generator = random.Random(10)
    template = " ".join(words(60, generator))
    texts = [f"{template} {' '.join(words(12, generator))}" for _ in range(4000)]
    assert 0.7 < similarity(texts[0], texts[1]) < 0.75
    texts += [" ".join([*text.split()[:-4], *words(4, generator)]) for text in texts[:200]]
    assert 0.85 < similarity(texts[0], texts[4000]) < 0.9
    shelf = Shelf(texts)
    found = confirmed_clusters(signatures(texts), shelf.text_of, 0.8)
    assert np.mean(found.cluster[4000:] == np.arange(200)) >= 0.97
    assert (found.partner >= 0).sum() <= 200
    assert shelf.read < 12 * len(texts)


def test_the_number_of_candidates_stays_within_a_multiple_of_the_rows() -> None:
    signed = np.tile(signatures(["one and the same row of ten words, a thousand times"]), (5000, 1))
    for found in candidates(signed, 0.8):
        assert len(found.pairs) < len(signed)


def test_in_a_bucket_of_several_families_every_row_is_compared_with_its_own() -> None:
    generator = np.random.default_rng(15)
    bands = band_sizes(0.8)
    families = generator.integers(1, 256, (5, SLOTS), np.uint8)
    families[:, : bands.slots] = 7
    family = np.arange(100) % 5
    signed = families[family]
    # Nothing but the first band brings any two together: every other one has a slot in which all rows differ.
    places = bands.slots * np.arange(1, bands.count)
    signed[:, places] = np.arange(100, dtype=np.uint8)[:, None]
    pairs = np.concatenate([found.pairs for found in candidates(signed, 0.8)])
    assert (family[pairs[:, 0]] == family[pairs[:, 1]]).all()
    assert len(pairs) == 95
    assert len(np.unique(pairs)) == 100


@pytest.mark.parametrize("threshold", [0.5, 0.65, 0.8, 0.9, 1.0])
def test_bands_bring_pairs_at_the_threshold_together(threshold: float) -> None:
    bands = band_sizes(threshold)
    assert bands.count * bands.slots <= SLOTS
    assert 1 - (1 - threshold**bands.slots) ** bands.count >= 0.99


def test_at_threshold_one_only_the_same_shingles_count() -> None:
    row = " ".join(words(50, random.Random(11)))
    assert clusters([row, row.upper(), f"{row} more"], threshold=1.0).cluster.tolist() == [0, 0, 2]


def test_case_punctuation_and_line_breaks_make_no_difference() -> None:
    texts = ["Name three hues.\nRed, green and blue!", "name three hues: red green and BLUE", "Name three cities."]
    assert clusters(texts).cluster.tolist() == [0, 0, 2]


def test_short_texts_match_only_as_a_whole_and_texts_without_words_never() -> None:
    texts = ["Yes.", "yes", "Yes, sir", "yes sir!", "", "", "...", "?!", "sir yes"]
    assert clusters(texts).cluster.tolist() == [0, 0, 2, 2, 4, 5, 6, 7, 8]


def test_texts_without_words_have_empty_signatures_and_are_never_read() -> None:
    shelf = Shelf(["", "...", "", " - "])
    signed = signatures(shelf.texts)
    assert not signed.any()
    assert confirmed_clusters(signed, shelf.text_of, 0.8).partner.tolist() == [-1, -1, -1, -1]
    assert shelf.read == 0


def test_chinese_is_compared_character_by_character() -> None:
    poem = "床前明月光，疑是地上霜。举头望明月，低头思故乡。这首诗是唐代诗人李白写的，流传很广。"
    texts = [poem, poem.replace("，", " ").replace("很广", "甚广"), "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。"]
    found = clusters(texts)
    assert found.cluster.tolist() == [0, 0, 2]
    # 36 characters are 34 shingles; the last character but one is in two of them.
    assert found.similarity[1] == pytest.approx(32 / 36)


def test_no_rows_and_one_row_are_no_trouble() -> None:
    assert clusters([]).cluster.tolist() == []
    assert clusters(["only one row is here"]).cluster.tolist() == [0]


def test_whoever_is_told_the_progress_may_stop_it() -> None:
    class Enough(Exception):
        pass

    shares = []

    def stop_half_way(share: float) -> None:
        shares.append(share)
        if share > 0.5:
            raise Enough

    texts = planted_rows(500).texts
    with pytest.raises(Enough):
        confirmed_clusters(signatures(texts), texts.__getitem__, 0.8, stop_half_way)
    assert shares == sorted(shares)
    assert shares[-1] < 0.6
