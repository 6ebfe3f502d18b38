"""Loops are found by the Gopher rules; refrains, tables, code and short answers are left alone."""

from __future__ import annotations

import pytest

from datasets_src.checks.repetition import repetition
from tests.datasets_src.checks.rows import answer, find, pair

THINGS = ("kettle", "tent", "drill", "violin", "printer", "shed", "lamp", "door")
LOOP = "It is important to note that this is important. " * 10


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (LOOP, "lies in groups|stands there"),
        ("very " * 80, "“very very” stands there"),
        ("- Check the temperature of the water\n" * 12, "lines came before"),
        ("A village by the sea, where everybody knew everybody else well.\n\n" * 6, "paragraphs came before"),
        ("我喜欢这个产品，因为它很好。" * 12, "stands there|lies in groups"),
    ],
)
def test_a_loop_breaks_a_rule_that_is_named(text: str, rule: str) -> None:
    found = repetition(text)
    assert any(part in found for part in rule.split("|")), found


@pytest.mark.parametrize(
    "text",
    [
        "ha ha ha ha ha",
        "```python\n" + "print('=' * 40)\n" * 40 + "```",
        "".join(f"x[{i}] = f(x[{i}]);\n" for i in range(40)),
        "| name | done |\n|---|---|\n" + "| Anna | yes |\n" * 40,
        "\n".join(f"Step {i}: take part {i} of the {word} and set it on side {i}." for i, word in enumerate(THINGS)),
        "Row, row, over the bay,\nthe wind is cold and the sky is grey.\nBring me home by the end of day,\n"
        "row, row, over the bay.\n\nThe nets are full and the lamps are lit,\nmy mother waits with a coat to knit,\n"
        "Bring me home by the end of day,\nrow, row, over the bay.",
    ],
)  # fmt: skip
def test_what_repeats_itself_by_nature_is_left_alone(text: str) -> None:
    assert repetition(text) == ""


def test_only_answers_that_the_model_is_to_give_are_judged() -> None:
    assert find("repetition", answer(LOOP))
    assert find("repetition", pair("A short answer.", LOOP)) == []


def test_a_long_text_is_judged_by_the_thresholds_of_the_paper() -> None:
    distinct = " ".join(f"word{i}" for i in range(500))
    passage = " ".join(f"again{i}" for i in range(30))
    assert repetition(f"{distinct} {passage}") == ""
    assert "lies in groups" in repetition(f"{distinct} " + f"{passage} " * 5)
