"""Rows that belong together stay together, every tag is in both parts, and the draw depends on names alone."""

from __future__ import annotations

import numpy as np
import pytest

from datasets_src.hashing import key_of
from datasets_src.split import Groups, find_groups, split_groups
from datasets_src.table import ANY_PART, EVAL, NO_TEXT, TRAIN
from jobs.errors import BadInput


def groups_of(openings: list[str], given: list[str | None] | None = None, clusters: list[int] | None = None) -> Groups:
    names = sorted({name for name in given or [] if name is not None})
    numbers = [names.index(name) if name is not None else NO_TEXT for name in given or [None] * len(openings)]
    keys = np.array([key_of(text) for text in openings], dtype=np.uint64)
    return find_groups(keys, np.array(numbers, dtype=np.int32), names, np.array(clusters) if clusters else None)


def same(groups: Groups, *rows: int) -> bool:
    return len({int(groups.of_row[row]) for row in rows}) == 1


def test_rows_with_the_same_opening_are_one_group() -> None:
    groups = groups_of(["a", "b", "a"])
    assert groups.count == 2
    assert same(groups, 0, 2) and not same(groups, 0, 1)


def test_groups_join_by_way_of_others() -> None:
    groups = groups_of(["a", "b", "b", "c"], ["x", "x", None, "y"], [0, 1, 2, 0])
    assert same(groups, 0, 1, 2, 3)
    assert groups.name(0) == "x"


def test_a_near_duplicate_cluster_joins_rows_with_different_openings() -> None:
    groups = groups_of(["a", "b", "c"], clusters=[5, 5, 7])
    assert same(groups, 0, 1) and not same(groups, 0, 2)


def test_a_group_without_a_given_name_is_named_by_its_prompt() -> None:
    groups = groups_of(["a"])
    assert groups.name(0) == f"prompt-{key_of('a'):016x}"


def no_parts(rows: int) -> np.ndarray:
    return np.full(rows, ANY_PART, dtype=np.uint8)


def no_tags(rows: int) -> np.ndarray:
    return np.full(rows, NO_TEXT, dtype=np.int32)


def test_about_the_wanted_share_is_drawn_and_another_seed_draws_others() -> None:
    groups = groups_of([str(number) for number in range(2000)])
    first, second = (split_groups(groups, no_tags(2000), 0.2, seed, no_parts(2000)).in_eval for seed in (0, 1))
    assert 340 < first.sum() < 460
    assert 50 < (first & second).sum() < 120


def test_rows_added_later_move_no_group() -> None:
    few, many = (groups_of([str(number) for number in range(count)]) for count in (100, 300))
    drawn = [split_groups(each, no_tags(len(each.of_row)), 0.3, 0, no_parts(len(each.of_row))) for each in (few, many)]
    before = {few.name(group) for group in np.flatnonzero(drawn[0].in_eval)}
    after = {many.name(group) for group in np.flatnonzero(drawn[1].in_eval)}
    assert before == after & {few.name(group) for group in range(few.count)}


def test_every_tag_with_two_groups_is_in_both_parts() -> None:
    groups = groups_of([str(number) for number in range(100)])
    tags = np.array([0] * 96 + [1] * 2 + [2] * 2, dtype=np.int32)
    for seed in range(20):
        split = split_groups(groups, tags, 0.05, seed, no_parts(100))
        in_eval = split.in_eval[groups.of_row]
        for tag in (0, 1, 2):
            assert 0 < in_eval[tags == tag].sum() < (tags == tag).sum()
        assert split.one_sided_tags == []


def test_a_tag_with_a_single_group_is_named() -> None:
    groups = groups_of([*(str(number) for number in range(20)), "only"])
    tags = np.array([0] * 20 + [1], dtype=np.int32)
    assert split_groups(groups, tags, 0.3, 0, no_parts(21)).one_sided_tags == [1]


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(BadInput, match="only 1 group"):
        split_groups(groups_of(["a", "a"]), no_tags(2), 0.1, 0, no_parts(2))


def test_no_evaluation_is_drawn_where_none_is_wanted() -> None:
    assert not split_groups(groups_of(["a", "b"]), no_tags(2), 0, 0, no_parts(2)).in_eval.any()


def test_given_parts_are_respected_and_the_rest_is_drawn() -> None:
    groups = groups_of([str(number) for number in range(300)])
    parts = np.array([EVAL] * 10 + [TRAIN] * 90 + [ANY_PART] * 200, dtype=np.uint8)
    in_eval = split_groups(groups, no_tags(300), 0.2, 0, parts).in_eval[groups.of_row]
    assert in_eval[:10].all() and not in_eval[10:100].any()
    assert 20 < in_eval[100:].sum() < 60


def test_rows_that_share_a_group_with_a_given_evaluation_row_follow_it() -> None:
    groups = groups_of(["a", "a", "b", "c"])
    in_eval = split_groups(groups, no_tags(4), 0, 0, np.array([EVAL, ANY_PART, ANY_PART, ANY_PART], dtype=np.uint8))
    assert in_eval.in_eval[groups.of_row].tolist() == [True, True, False, False]
