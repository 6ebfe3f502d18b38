"""The checks against thousands of planted rows, of seeds that no threshold was chosen on."""

from __future__ import annotations

import copy

import pytest

from datasets_src.checks import ROW_CHECKS, CheckSettings, RowCheck
from tests.datasets_src.planted import Planted, language_rows, planted_rows
from tests.datasets_src.scores import score

HELD_OUT_SEEDS = (100, 101, 102, 103)
SETTINGS = CheckSettings()
# What no planted row has: names need a model, and the language is planted by itself.
APART = ("language", "person", "location")
CHECKED = [check for check in ROW_CHECKS if check.name not in APART]


@pytest.fixture(scope="module")
def planted() -> list[Planted]:
    return [row for seed in HELD_OUT_SEEDS for row in planted_rows(seed, 1500)]


@pytest.mark.parametrize("check", CHECKED, ids=lambda check: check.name)
def test_a_check_finds_its_fault_and_nothing_else(check: RowCheck, planted: list[Planted]) -> None:
    found = score(check, planted)
    assert found.right >= 5
    assert found.precision >= 0.95 and found.recall >= 0.95, found


def test_rows_in_other_languages_are_found() -> None:
    check = next(check for check in ROW_CHECKS if check.name == "language")
    wanted = ("en", "fr")
    rows = [row for seed in HELD_OUT_SEEDS for row in language_rows(seed, 200, wanted)]
    found = score(check, rows, CheckSettings(wanted))
    assert found.precision >= 0.95 and found.recall >= 0.9, found


def test_a_fix_mends_what_its_check_found(planted: list[Planted]) -> None:
    """Structure is mended only where the result is unambiguous; all else always."""
    for check in CHECKED:
        if check.fix is None or check.group == "structure":
            continue
        faulty = [copy.deepcopy(one.row) for one in planted if check.name in one.labels]
        left = 0
        for row in faulty:
            check.fix(row, SETTINGS)
            left += any(True for _ in check.find(row, SETTINGS))
        assert left <= 0.05 * len(faulty), (check.name, left, len(faulty))


def test_a_fix_leaves_sound_rows_as_they_are(planted: list[Planted]) -> None:
    for one in planted:
        row = copy.deepcopy(one.row)
        for check in CHECKED if not one.labels else ():
            if check.fix is not None:
                check.fix(row, SETTINGS)
                assert row == one.row, check.name


def test_the_same_seed_plants_the_same_rows() -> None:
    first, again = (list(planted_rows(7, 50)) for _ in range(2))
    assert [one.row for one in first] == [one.row for one in again]
    assert any(one.labels for one in first) and any(not one.labels for one in first)
