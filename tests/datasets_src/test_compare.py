"""Two versions differ by what came, went, changed and moved."""

from __future__ import annotations

from datasets_src.compare import compare

from .conftest import BuildRows, Rows


def test_what_came_went_and_changed_is_counted_with_examples(build_rows: BuildRows, sums: Rows) -> None:
    first = build_rows(sums)
    mended = [*sums[:50], {**sums[50], "answer": "a hundred"}, *sums[51:198], {"question": "new?", "answer": "yes"}]
    second = build_rows(mended)
    found = compare(first, second)
    assert (found.same + found.moved, found.changed, found.added, found.removed) == (197, 2, 0, 1)
    change = next(change for change in found.examples["changed"] if change.row == 51)
    assert change.before is not None and change.before["messages"][1]["content"] == "100"
    assert change.after is not None and change.after["messages"][1]["content"] == "a hundred"
    assert found.examples["removed"][0].after is None


def test_another_seed_moves_rows_between_the_parts(build_rows: BuildRows, sums: Rows) -> None:
    found = compare(build_rows(sums, seed=0), build_rows(sums, seed=1))
    assert found.moved > 10
    assert found.moved + found.same == 200


def test_the_same_rows_from_another_place_are_the_same(build_rows: BuildRows, sums: Rows) -> None:
    found = compare(build_rows(sums), build_rows([{"question": "first?", "answer": "yes"}, *sums]))
    assert found.added + found.changed >= 1
    assert found.removed == 0
