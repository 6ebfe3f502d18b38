"""Names of people and places. Skipped where presidio or a spaCy model of English is not installed."""

from __future__ import annotations

import pytest

from datasets_src.checks import ROW_CHECKS
from datasets_src.checks.names import installed_models
from tests.datasets_src.checks.rows import answer, find, fixed


def test_the_checks_are_there_only_where_they_can_run() -> None:
    there = {check.name for check in ROW_CHECKS} & {"person", "location"}
    assert there == ({"person", "location"} if installed_models() else set())


def test_a_name_is_found_and_replaced_all_over_the_row() -> None:
    if "en" not in installed_models():
        pytest.skip("presidio with a spaCy model of English is not installed")
    row = answer("John Smith wrote to me from Osaka about the weather. John Smith lives there.")
    assert find("person", row) and find("location", row)
    assert fixed("person", row)[1].count("[PERSON_1]") == 2
