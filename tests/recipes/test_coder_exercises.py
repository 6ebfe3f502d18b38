"""The exercises ask for what their tests test; no exercise is in two parts; wrong answers fail, right ones pass."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from evaluation.metrics.code import Limits, runs
from evaluation.tasks import checked_items, checked_score, load_task
from jobs.errors import BadInput
from jobs.files import read_json_lines
from recipes.coder import task
from recipes.coder.exercises import exercise_of, exercises
from recipes.coder.generate import ROWS, campaign, exercises_for, generate
from recipes.coder.programs import can_be_read, passes, passes_by_any_name, program_of
from recipes.coder.teachers import slip

DOMAINS = {"lists", "text", "numbers"}
EVEN = exercise_of("Write a Python function f(xs) that returns the sum of the squares of the even numbers in xs.")


def test_every_answer_passes_its_tests_in_the_sandbox() -> None:
    for part in ("campaign", "practice", "held out"):
        found = exercises_for(part)  # type: ignore[arg-type]
        programs = [f"{exercise.answer}\n{exercise.tests}" for exercise in found]
        assert runs("\n".join(programs), Limits()), part


def test_a_slip_of_the_quick_teacher_fails_the_tests_nearly_always() -> None:
    draw = random.Random(0)
    wrong = draw.sample(list(exercises().values()), 25)
    caught = [not passes(slip(exercise, draw).answer, exercise.tests) for exercise in wrong]
    assert sum(caught) >= 24, [exercise.prompt for exercise, each in zip(wrong, caught, strict=True) if not each]


def test_expected_values_are_those_of_the_words() -> None:
    assert EVEN.value([1, 2, -4, 5]) == 20
    assert "assert f(" in EVEN.tests and EVEN.tests == exercise_of(EVEN.prompt).tests
    words = (
        "Write a Python function f(s) that returns the list of the upper case of the words in s that start with 'b'."
    )
    assert exercise_of(words).value("bin abe bo") == ["BIN", "BO"]
    digits = "Write a Python function f(n) that returns the count of the digits of n greater than 4."
    assert exercise_of(digits).value(51940) == 2
    largest = "Write a Python function f(xs) that returns the largest of the odd numbers in xs, or 0."
    assert exercise_of(largest).value([2, 4]) == 0


def test_parts_have_no_exercise_in_common_and_every_domain_is_in_each() -> None:
    parts = {part: {each.prompt for each in exercises_for(part)} for part in ("campaign", "practice", "held out")}  # type: ignore[arg-type]
    assert sum(map(len, parts.values())) == len(set().union(*parts.values())) == len(exercises())
    for prompts in parts.values():
        assert {exercise_of(prompt).domain for prompt in prompts} == DOMAINS


def test_the_files_are_the_same_again_and_no_prompt_is_in_two_of_them(tmp_path: Path) -> None:
    counts = generate(tmp_path / "one")
    generate(tmp_path / "two")
    prompts: Counter[str] = Counter()
    for name, lines in counts.items():
        file = f"{name}.jsonl"
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
        rows = list(read_json_lines(tmp_path / "one" / file))
        assert len(rows) == lines and {row["tag"] for row in rows} == DOMAINS
        prompts.update(row["prompt"] for row in rows)
    assert set(prompts.values()) == {1}


def test_campaigns_have_targets_by_domain_in_proportion_to_the_rows_asked_for() -> None:
    full = [domain for name in ("first", "second") for domain in campaign(name).domains]
    assert sum(domain.count or 0 for domain in full) == ROWS
    assert sum(domain.count or 0 for domain in campaign("first", 65).domains) == pytest.approx(39, abs=2)
    with pytest.raises(BadInput, match="0 rows"):
        generate(Path("nowhere"), 0)
    assert not Path("nowhere").exists()


def test_an_exercise_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadInput, match="no exercise of this recipe"):
        exercise_of("Write a poem.")


@pytest.mark.parametrize(
    ("answer", "strict", "lenient", "reads"),
    [
        (EVEN.answer, 1, 1, 1),
        (f"```python\n{EVEN.answer}\n```\nIt sums.", 1, 1, 1),
        (f"Here you are:\n\n{EVEN.answer}\n\nIt sums.", 0, 1, 0),
        (EVEN.answer.replace("def f", "def sum_squares"), 0, 1, 1),
        (EVEN.answer.replace("== 0", "== 1"), 0, 0, 1),
        (EVEN.answer.replace("return", "return return"), 0, 0, 0),
        ("while True: pass\n" + EVEN.answer, 0, 1, 1),
        ("def f(xs):\n    while True: pass", 0, 0, 1),
        ("import socket\ndef f(xs):\n    socket.socket()", 0, 0, 1),
        ("class f:\n    pass", 0, 0, 0),
        ("", 0, 0, 0),
        ("\x00", 0, 0, 0),
    ],
)
def test_answers_are_scored_by_their_tests(answer: str, strict: int, lenient: int, reads: int) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": EVEN.prompt},
                {"role": "assistant", "content": EVEN.answer},
            ],
            "tag": "lists",
        }
    ]
    loaded = load_task("coder")
    (item,) = checked_items(loaded, rows, rows)
    assert checked_score(loaded, answer, item) == {"passes": strict, "lenient": lenient, "reads": reads}


def test_a_rows_own_tests_come_before_the_exercises() -> None:
    messages = [{"role": "user", "content": "Write f."}, {"role": "assistant", "content": "def f(): return 3"}]
    (item,) = task.items([{"messages": messages, "extra": {"tests": "assert f() == 3"}}], [])
    assert task.score("def f(): return 3", item)["passes"] == 1.0
    with pytest.raises(BadInput, match="tests"):
        task.items([{"messages": messages}], [])


def test_programs_are_read_without_being_run() -> None:
    assert can_be_read("def f():\n    raise SystemExit") and not can_be_read("f = 1") and not can_be_read("(" * 100000)
    assert program_of("```\nx\n```") == "x"
    assert not passes_by_any_name("no function here", "assert True")
