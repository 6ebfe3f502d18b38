"""Groups never leak, the split is stable and stratified, and the draws repeat."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from datasets_src.rows import PreparedRow, prepare
from datasets_src.split import group_names, sample, seeded_fraction, shuffled, split_groups, weighted
from jobs.errors import BadInput


def row(prompt: str, answer: str = "a", *, group: str | None = None, number: int = 1) -> PreparedRow:
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return prepare({"messages": messages, "source": "rows.jsonl", "row": number}, 0, group)


def rows(count: int) -> list[PreparedRow]:
    return [row(f"prompt {number}", number=number) for number in range(1, count + 1)]


def test_rows_with_the_same_prompt_are_one_group_whatever_their_spacing_and_system_prompt() -> None:
    messages = [{"role": "user", "content": "same  prompt\n"}, {"role": "assistant", "content": "b"}]
    with_system = prepare(
        {"messages": [{"role": "system", "content": "s"}, *messages], "source": "x", "row": 2}, 0, None
    )
    first, second, other = group_names([row("same prompt"), with_system, row("other prompt")])
    assert first == second != other


def test_groups_join_by_way_of_other_rows() -> None:
    chained = [row("p1", group="x"), row("p2", group="x"), row("p2", group="b"), row("p3", group="b"), row("p4")]
    names = group_names(chained)
    assert names[:4] == ["b"] * 4
    assert names[4].startswith("prompt-")


def test_the_name_of_a_group_does_not_depend_on_the_order_of_the_rows() -> None:
    generator = random.Random(0)
    all_rows = [
        row(f"p{generator.randrange(60)}", group=generator.choice([None, f"g{number % 40}"])) for number in range(150)
    ]
    names = {id(one): name for one, name in zip(all_rows, group_names(all_rows), strict=True)}
    for _ in range(5):
        generator.shuffle(all_rows)
        assert group_names(all_rows) == [names[id(one)] for one in all_rows]


def test_the_split_takes_about_the_share_that_was_asked_for() -> None:
    groups = {f"g{number}" for number in range(5000)}
    for fraction in (0.05, 0.1, 0.5):
        share = len(split_groups({"": groups}, fraction, seed=1).eval_groups) / len(groups)
        assert share == pytest.approx(fraction, abs=0.025)


def test_more_groups_move_no_other_group() -> None:
    few = {f"g{number}" for number in range(500)}
    many = few | {f"h{number}" for number in range(5000)}
    for seed in range(10):
        before = split_groups({"": few}, 0.1, seed).eval_groups
        assert split_groups({"": many}, 0.1, seed).eval_groups & few == before


def test_another_seed_gives_another_split() -> None:
    groups = {f"g{number}" for number in range(500)}
    assert split_groups({"": groups}, 0.1, 1).eval_groups != split_groups({"": groups}, 0.1, 2).eval_groups


def test_every_tag_is_in_both_parts_for_every_seed() -> None:
    groups_of_tag = {
        "many": {f"m{number}" for number in range(300)},
        "few": {"f1", "f2", "f3"},
        "shared": {"m1", "m2", "f1"},
    }
    for seed in range(200):
        for fraction in (0.01, 0.5):
            split = split_groups(groups_of_tag, fraction, seed)
            assert split.one_sided_tags == []
            for groups in groups_of_tag.values():
                assert groups & split.eval_groups and groups - split.eval_groups


def test_a_tag_with_one_group_is_named_as_one_sided_and_no_part_is_empty() -> None:
    for seed in range(50):
        split = split_groups({"a": {"g1"}, "b": {"g2"}}, 0.1, seed)
        assert len(split.eval_groups) == 1
        assert split.one_sided_tags == ["a", "b"]


def test_one_group_cannot_be_split_and_the_error_counts() -> None:
    with pytest.raises(BadInput, match="only 1 group") as error:
        split_groups({"": {"g"}}, 0.1, 0)
    assert "eval_fraction to 0" in error.value.fix
    assert split_groups({"": {"g"}}, 0.0, 0).eval_groups == set()


def test_a_sample_is_spread_over_the_file_and_repeats() -> None:
    chosen = sample(rows(1000), 100, seed=3)
    numbers = [one.number for one in chosen]
    assert len(numbers) == 100 and numbers == sorted(numbers)
    assert 20 < sum(number > 500 for number in numbers) < 80
    assert [one.number for one in sample(iter(rows(1000)), 100, seed=3)] == numbers
    assert [one.number for one in sample(rows(1000), 100, seed=4)] != numbers
    assert len(sample(rows(5), 100, seed=3)) == 5


def test_one_choice_says_nothing_about_another() -> None:
    sampled = {one.number for one in sample(rows(1000), 100, seed=0)}
    weighed = {one.number for one, _ in weighted(rows(1000), 0.1, seed=0)}
    assert len(sampled & weighed) < 30
    places = [seeded_fraction(0, "split", b"%d" % number) for number in range(1000)]
    assert sum(places) / len(places) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("weight", "lines"), [(1.0, 40), (2.0, 80), (2.5, 100), (0.5, 20), (0.001, 1), (0.026, 1)])
def test_a_weight_gives_exactly_that_many_lines(weight: float, lines: int) -> None:
    copies = weighted(rows(40), weight, seed=0)
    assert len(copies) == lines
    counts = Counter(one.number for one, _ in copies)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert len({(one.number, copy) for one, copy in copies}) == lines


def test_the_order_is_shuffled_and_does_not_depend_on_the_order_before() -> None:
    copies = weighted(rows(100), 2.0, seed=0)
    order = [one.number for one in shuffled(copies, seed=0)]
    assert order != [one.number for one, _ in copies]
    assert [one.number for one in shuffled(copies[::-1], seed=0)] == order
    assert [one.number for one in shuffled(copies, seed=1)] != order
