"""Templates render what they say, keep numbers numbers, and can neither call, run long nor grow large."""

from __future__ import annotations

import time
from typing import Any

import pytest

from datasets_src.expansion.templates import LONGEST_TEXT, TemplateProblem, compile_answer, compile_text

VALUES: dict[str, Any] = {
    "range_km": 12.5,
    "count": 3,
    "radar": "locked <on>",
    "weapons": ["gun", "missile"],
    "snippet": {"code": "x = 1", "lines": 1},
    "nothing": None,
}


def text(source: str) -> str:
    return compile_text(source).text(VALUES)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("At {{ range_km }} km, radar {{ radar }}.", "At 12.5 km, radar locked <on>."),
        ("{{ (range_km * 1000) | round | int }} m", "12500 m"),
        ('{{ "%.2f" | format(range_km) }}', "12.50"),
        ("{{ snippet.code }} ({{ snippet['lines'] }})", "x = 1 (1)"),
        ("{% if count > 2 %}many{% else %}few{% endif %}", "many"),
        ("{% for weapon in weapons %}{{ loop.index }}. {{ weapon }}\n{% endfor %}", "1. gun\n2. missile\n"),
        ('{{ weapons | join(" and ") }}', "gun and missile"),
        ('{{ radar | replace("<on>", "on") | upper }}', "LOCKED ON"),
        ("{{ snippet | tojson }}", '{"code": "x = 1", "lines": 1}'),
        ("{{ 'near' if range_km < 5 else 'far' }}", "far"),
    ],
)
def test_a_template_renders(source: str, expected: str) -> None:
    assert text(source) == expected


def test_a_structured_answer_keeps_types_where_a_leaf_is_one_expression() -> None:
    answer = compile_answer(
        {
            "metres": "{{ (range_km * 1000) | int }}",
            "near": "{{ range_km < 5 }}",
            "weapon": "{{ nothing }}",
            "said": "{{ count }} shots",
            "all": ["{{ weapons }}", "{{ snippet }}"],
            "confidence": 0.9,
        }
    ).answer(VALUES)
    assert answer.structured == {
        "metres": 12500,
        "near": False,
        "weapon": None,
        "said": "3 shots",
        "all": [["gun", "missile"], {"code": "x = 1", "lines": 1}],
        "confidence": 0.9,
    }
    assert answer.text == (
        '{"metres": 12500, "near": false, "weapon": null, "said": "3 shots", '
        '"all": [["gun", "missile"], {"code": "x = 1", "lines": 1}], "confidence": 0.9}'
    )


def test_a_text_answer_has_no_structure() -> None:
    answer = compile_answer("{{ count }}").answer(VALUES)
    assert (answer.text, answer.structured) == ("3", None)


def test_templates_know_the_names_they_need() -> None:
    assert compile_text("{{ a.b }}{% for c in d %}{{ c }}{% endfor %}").names == {"a", "d"}
    assert compile_answer({"x": ["{{ a }}", {"y": "{{ b }} km"}]}).names == {"a", "b"}


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ count ", "unexpected"),
        ("{{ radar.upper() }}", "a call is not allowed"),
        ("{{ radar.upper }}", "can't be printed"),
        ("{{ radar.__class__ }}", "unsafe"),
        ("{{ range(10) }}", "a call is not allowed"),
        ("{% set x = 1 %}", "`assign` is not allowed"),
        ("{% include 'x' %}", "`include` is not allowed"),
        ("{% macro f() %}{% endmacro %}", "`macro` is not allowed"),
        ("{% for a in weapons %}{% for b in weapons %}{% endfor %}{% endfor %}", "a loop inside a loop"),
        ("{{ count | eval }}", "No filter named 'eval'"),
        ("{{ missing }}", "'missing' is undefined"),
        ("{{ snippet.missing }}", "no attribute 'missing'"),
        ("{{ count / 0 }}", "division by zero"),
        ("{{ radar - 1 }}", "unsupported operand"),
        ("line one\n{{ count | nope }}", "line 2"),
    ],
)
def test_a_wrong_template_is_refused_with_the_reason(source: str, problem: str) -> None:
    with pytest.raises(TemplateProblem, match=problem):
        text(source)


def test_a_wrong_leaf_is_named_by_its_place() -> None:
    with pytest.raises(TemplateProblem, match=r"steps\[2\]\.say: "):
        compile_answer({"steps": ["ok", {"say": "{{ "}]})


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 1000000000 }}",
        "{{ 'x' | replace('x', long) | replace('x', long) | replace('x', long) }}",
        "{{ '%999999999d' | format(count) }}",
        "{{ '%*d' | format(999999999, count) }}",
        "{{ weapons | join(long) }}",
        "{{ 9 ** 9 ** 9 ** 9 }}",
        "{% for letter in long %}{{ long }}{% endfor %}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "x" * 20_001,
    ],
)
def test_what_would_grow_or_run_long_is_refused_at_once(source: str) -> None:
    started = time.perf_counter()
    with pytest.raises(TemplateProblem):
        compile_text(source).text({**VALUES, "long": "x" * 20_000})
    assert time.perf_counter() - started < 2


def test_an_answer_has_a_longest_length() -> None:
    values = {"long": "x" * 20_000}
    with pytest.raises(TemplateProblem, match=f"more than {LONGEST_TEXT:,}"):
        compile_answer(["{{ long }}"] * 6).answer(values)
