"""A spec becomes exactly the rows that it describes, and what is refused is counted with its reason."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from datasets_src.expansion import Expansion, ExpansionSpec, expand, read_expansion
from jobs.errors import BadInput, Missing

HERE = Path(__file__).parent
SUMS: dict[str, Any] = {
    "name": "sums",
    "parameters": {"a": {"start": 1, "stop": 4, "step": 1}, "b": [1, 2, 3]},
    "derived": {"total": "a + b"},
    "template": {"prompt": "What is {{ a }} + {{ b }}?", "answer": "{{ total }}"},
}


def expansion(**changes: Any) -> Expansion:
    return expand(ExpansionSpec.parse({**SUMS, **changes}))


def refusal(**changes: Any) -> str:
    with pytest.raises(BadInput) as error:
        list(expansion(**changes))
    return str(error.value)


def said(row: dict[str, Any]) -> list[str]:
    return [message["content"] for message in row["messages"]]


def refused(made: Expansion) -> dict[tuple[str, str], int]:
    return {(refusal.reason, refusal.what): refusal.count for refusal in made.refusals}


def test_a_grid_becomes_a_row_for_each_combination() -> None:
    made = expansion()
    rows = list(made)
    assert len(rows) == made.made == made.scenarios == 12
    assert rows[4] == {
        "messages": [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"}],
        "scenario": {"a": 2, "b": 2},
        "group": "sums/5",
    }
    assert made.refusals == []
    assert made.fraction == 1.0


def test_each_iteration_starts_anew_and_gives_the_same() -> None:
    made = expansion(constraints=["a != b"])
    assert list(made) == list(made)
    assert refused(made) == {("constraint", "a != b"): 3}


def test_a_row_that_breaks_a_constraint_is_refused_and_counted() -> None:
    made = expansion(constraints=["a <= 3", "total % 2 == 0"])
    assert [row["scenario"] for row in made] == [
        *({"a": 1, "b": 1}, {"a": 1, "b": 3}, {"a": 2, "b": 2}, {"a": 3, "b": 1}, {"a": 3, "b": 3})
    ]
    assert refused(made) == {("constraint", "a <= 3"): 3, ("constraint", "total % 2 == 0"): 4}
    assert made.refusals[0].examples[0] == {"scenario": {"a": 1, "b": 2}}


def test_equal_rows_are_kept_once() -> None:
    made = expansion(template={"prompt": "Double {{ a }}", "answer": "{{ 2 * a }}"})
    assert len(list(made)) == 4
    assert refused(made) == {("duplicate", "an earlier row is the same"): 8}
    assert made.refusals[0].examples[0] == {"scenario": {"a": 1, "b": 2}, "detail": "Double 1"}


def test_equal_prompts_with_different_answers_are_refused_but_for_the_first() -> None:
    made = expansion(template={"prompt": "Add to {{ a }}", "answer": "{{ total }}"})
    assert [said(row)[1] for row in made] == ["2", "3", "4", "5"]
    assert refused(made) == {("contradiction", "the same prompt has another answer in an earlier row"): 8}


def test_an_empty_prompt_or_answer_is_refused() -> None:
    made = expansion(template={"prompt": "What is {{ a }} + {{ b }}?", "answer": "{{ total if a < 4 else '' }} "})
    assert len(list(made)) == 9
    assert refused(made) == {("empty", "a prompt or an answer is empty"): 3}


def test_structured_answers_are_json_in_the_message_and_objects_beside_it() -> None:
    answer = {"total": "{{ total }}", "even": "{{ total % 2 == 0 }}", "steps": ["start at {{ a }}"], "sure": 0.9}
    rows = list(expansion(template={"prompt": "{{ a }} + {{ b }}", "answer": answer}))
    assert rows[0]["answer"] == {"total": 2, "even": True, "steps": ["start at 1"], "sure": 0.9}
    assert all(json.loads(said(row)[1]) == row["answer"] for row in rows)


STAGES = [
    {"name": "plan", "prompt": "How to add {{ a }} and {{ b }}?", "answer": "Count on from {{ max_of }}."},
    {"name": "do", "prompt": "From {{ max_of }}, count {{ min_of }} on.", "answer": "{{ total }}"},
]
EXTREMES = {"total": "max_of + min_of", "max_of": "max(a, b)", "min_of": "min(a, b)"}


def test_stages_are_the_turns_of_one_conversation() -> None:
    rows = list(expansion(template=STAGES, derived=EXTREMES, system="You add {{ a }}."))
    assert len(rows) == 12
    assert said(rows[1]) == [*("You add 1.", "How to add 1 and 2?", "Count on from 2.", "From 2, count 1 on.", "3")]
    assert [message["role"] for message in rows[1]["messages"]] == ["system", *(["user", "assistant"] * 2)]
    assert rows[1]["stage"] == ["plan", "do"]


def test_stages_as_rows_share_their_scenarios_group() -> None:
    made = expansion(template=STAGES, derived=EXTREMES, stages="rows")
    rows = list(made)
    assert [row["stage"] for row in rows[:2]] == ["plan", "do"]
    assert rows[0]["group"] == rows[1]["group"] == "sums/1"
    assert all(len(row["messages"]) == 2 for row in rows)
    # 2 + 1 and 1 + 2 are counted on in the same way.
    assert refused(made) == {("duplicate", "an earlier row is the same"): 3}


def test_derived_values_may_stand_in_any_order_but_not_need_one_another() -> None:
    assert said(next(iter(expansion(derived={"total": "double / 2", "double": "2 * (a + b)"}))))[1] == "2.0"
    assert "these need one another: total → other → total" in refusal(derived={"total": "other", "other": "total"})


def test_rows_that_share_what_group_by_names_are_one_group() -> None:
    groups = {row["scenario"]["a"]: set[str]() for row in expansion()}
    for row in expansion(group_by=["a"]):
        groups[row["scenario"]["a"]].add(row["group"])
    assert [len(names) for names in groups.values()] == [1, 1, 1, 1]
    assert len(set.union(*groups.values())) == 4


DOMAINS: list[dict[str, Any]] = [
    {"tag": "small"},
    {"tag": "large", "parameters": {"a": [100, 200]}, "constraints": ["b > 1"]},
    {
        "tag": "less",
        "derived": {"total": "a - b"},
        "template": {"prompt": "{{ a }} - {{ b }}", "answer": "{{ total }}"},
    },
]


def test_domains_vary_parameters_constraints_and_templates() -> None:
    rows = list(expansion(domains=DOMAINS, constraints=["a != 2"]))
    assert Counter(row["tag"] for row in rows) == {"small": 9, "large": 4, "less": 9}
    assert {row["scenario"]["a"] for row in rows if row["tag"] == "large"} == {100, 200}
    assert next(said(row) for row in rows if row["tag"] == "less") == ["1 - 1", "0"]
    assert len({row["group"] for row in rows}) == len(rows)


def test_a_domain_may_have_only_its_own_constraints() -> None:
    domains = [{"tag": "free", "constraints": ["a > 3"], "replace_constraints": True}]
    assert len(list(expansion(domains=domains, constraints=["a < 2"]))) == 3


def test_a_sample_is_shared_between_domains_but_for_their_own_counts() -> None:
    domains = [DOMAINS[0], {**DOMAINS[1], "count": 2}, DOMAINS[2]]
    rows = list(expansion(domains=domains, mode="sample", count=9))
    assert Counter(row["tag"] for row in rows) == {"small": 4, "large": 2, "less": 3}


def test_a_domain_of_a_grid_may_be_a_sample() -> None:
    uniform = {"sampler": "uniform", "low": 5, "high": 9, "digits": 1}
    domains = [{"tag": "grid"}, {"tag": "drawn", "count": 7, "parameters": {"a": uniform}}]
    assert Counter(row["tag"] for row in expansion(domains=domains)) == {"grid": 12, "drawn": 7}


def test_a_sample_is_distinct_and_another_seed_gives_another() -> None:
    large = {"parameters": {"a": {"start": 1, "stop": 1000, "step": 1}, "b": {"start": 1, "stop": 1000, "step": 1}}}
    first, second = (
        [row["scenario"] for row in expansion(**large, mode="sample", count=200, seed=seed)] for seed in (1, 2)
    )
    assert len({tuple(scenario.values()) for scenario in first}) == 200
    assert first != second


def test_a_sample_that_cannot_be_reached_says_how_many_are_possible() -> None:
    message = refusal(mode="sample", count=10, constraints=["a < b"])
    assert "can't make 10 different scenarios" in message
    assert "Only 3 are possible: all 12 combinations were tried" in message
    assert "9 × constraint (a < b)" in message
    assert "Ask for 3 or fewer" in message
    weighted = {"sampler": "choice", "values": [1, 2], "weights": [99, 1]}
    assert "Only 6 are possible" in refusal(mode="sample", count=7, parameters={"a": weighted, "b": [1, 2, 3]})
    assert len(list(expansion(mode="sample", count=6, parameters={"a": weighted, "b": [1, 2, 3]}))) == 6


def test_a_sample_from_a_curve_that_cannot_be_reached_says_how_many_it_found() -> None:
    narrow = {"sampler": "normal", "mean": 0, "deviation": 1, "low": -2, "high": 2, "digits": 0}
    message = refusal(mode="sample", count=20, parameters={"a": narrow, "b": [1]}, limit=2000)
    assert "Only 5 were found in 5 different combinations" in message


def test_an_expansion_without_a_row_is_an_error_and_no_empty_dataset() -> None:
    assert "makes no row" in refusal(constraints=["a > 10"])


def test_a_grid_too_large_is_refused_before_anything_is_made() -> None:
    parameters = {name: {"start": 1, "stop": 1000, "step": 1} for name in "abc"}
    spec = ExpansionSpec.parse({**SUMS, "parameters": parameters})
    with pytest.raises(BadInput, match=r"1,000,000,000 combinations \(1,000 a × 1,000 b × 1,000 c\)"):
        expand(spec)
    raised = ExpansionSpec.parse({**SUMS, "parameters": parameters, "limit": 10**9})
    assert said(next(iter(expand(raised))))[0] == "What is 1 + 1?"


def test_what_fails_for_some_values_is_named_with_the_scenario() -> None:
    message = refusal(constraints=["6 / (a - 2) > 1"])
    assert "`6 / (a - 2) > 1`, column 6: division by zero" in message
    assert "a = 2, b = 1" in message
    assert "unsupported operand" in refusal(template={"prompt": "{{ a }} {{ b }}", "answer": "{{ a - 'x' }}"})


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"constraints": ["a <", "c > 1"]}, ["constraint 1: `a <`, column 4", "c is neither a parameter nor derived"]),
        ({"derived": {"a": "1", "total": "a"}}, ["derived.a: is the name of a parameter as well"]),
        ({"template": {"prompt": "{{ a }", "answer": "{{ sum }}"}}, ["template, prompt", "sum is neither"]),
        ({"template": {"prompt": "x", "answer": {"n": ["{{ nope }}"]}}}, ["template, answer: nope is neither"]),
        ({"template": {"prompt": "x", "answer": 3}}, ["the answer is text, or an object or list"]),
        ({"parameters": {"max": [1]}}, ["'max' can't be a name here"]),
        ({"parameters": {"class": [1]}}, ["'class' can't be a name here"]),
        ({"parameters": {}}, ["there are none, so nothing would vary"]),
        ({"parameters": {"a": {"sampler": "uniform", "low": 0, "high": 1}, "b": [1]}}, ["a grid needs every value"]),
        ({"count": 3}, ["count is for `mode: sample`"]),
        ({"mode": "sample"}, ["count is required"]),
        ({"mode": "sample", "count": 1, "domains": DOMAINS}, ["don't add up"]),
        ({"domains": [{"tag": "x"}, {"tag": "x"}]}, ["the tag of more than one domain"]),
        ({"domains": [{"tag": "x", "constraints": ["q"]}]}, ["domain x: constraint 1 `q`: q is neither"]),
        ({"group_by": ["z"]}, ["group_by: z is neither"]),
        ({"parameter": {}}, ["did you mean parameters?"]),
        (
            {"parameters": {"a": {"start": 1, "stop": 2, "stp": 1}, "b": [1]}},
            ["parameters.a", "unknown option (did you mean st"],
        ),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_whole_with_every_place(
    changes: dict[str, Any], problems: list[str]
) -> None:
    message = refusal(**changes)
    for problem in problems:
        assert problem in message


def test_the_flight_example_gives_guidance_that_follows_from_the_state() -> None:
    made = expand(ExpansionSpec.load(HERE / "flight_guidance.yaml"))
    rows = list(made)
    assert Counter(row["tag"] for row in rows) == {"long-range": 120, "close": 60, "defensive": 120}
    for row in rows:
        state = row["scenario"]
        assert state["energy"] != "high" or state["altitude_m"] >= 2000
        assert not (state["radar"] == "locked" and state["range_km"] > 60)
        if row["tag"] == "defensive":
            assert [message["role"] for message in row["messages"]] == ["system", *(["user", "assistant"] * 3)]
            assert ("Notch at once" in said(row)[4]) == (state["missile_s"] < 8)
            continue
        fires = state["radar"] == "locked" and state["aspect_degrees"] < 60 and 3 < state["range_km"] < 40
        assert (row["answer"]["action"] == "fire") == fires
        assert row["answer"]["confidence"] == (0.9 if fires else 0.6)
        seconds = row["answer"]["seconds_to_merge"]
        assert (seconds is None) == (state["closure_ms"] <= 0)
        assert seconds is None or seconds == round(state["range_km"] * 1000 / state["closure_ms"])
    assert all(refusal.reason == "constraint" for refusal in made.refusals)


def test_the_code_example_explains_each_snippet_at_four_levels_in_one_group() -> None:
    rows = list(read_expansion(HERE / "code_explanations.yaml"))
    assert len(rows) == 12
    levels: dict[str, list[str]] = {}
    for row in rows:
        levels.setdefault(row.values["group"], []).append(row.values["scenario"]["audience"])
    assert list(levels.values()) == [["GCSE", "A-level", "undergraduate", "PhD"]] * 3
    assert "let M = sphere(2)\ngeodesic M" in rows[4].values["messages"][0]["content"]


def test_another_process_makes_the_same_rows() -> None:
    program = (
        "import hashlib, json, pathlib, sys\n"
        "from datasets_src.expansion import read_expansion\n"
        "rows = [row.values for row in read_expansion(pathlib.Path(sys.argv[1]))]\n"
        "print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())"
    )
    path = str(HERE / "flight_guidance.yaml")
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program, path],
            cwd=HERE.parents[2],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1


def test_a_file_is_read_as_rows_that_are_numbered_and_know_how_far_they_are(tmp_path: Path) -> None:
    path = tmp_path / "sums.yaml"
    path.write_text(ExpansionSpec.parse(SUMS).to_yaml(only_changed=True), encoding="utf-8")
    rows = list(read_expansion(path))
    assert [row.number for row in rows] == list(range(1, 13))
    assert [row.values for row in rows] == list(expansion())
    assert [rows[0].fraction, rows[-1].fraction] == [pytest.approx(1 / 12), 1.0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("name: x\n", "template: is required"),
        ("- 1\n", "holds list, not options"),
        ("a: [1\n", "is not YAML"),
        ("a: 2024-13-45\n", "can't be read as an expansion"),
        ("[" * 5000, "can't be read as an expansion"),
        ("x: " + "y" * 2_000_001, "2.0 MB"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(
                f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
                for old, new in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "holds more than 100,000 values",
        ),
    ],
    ids=["incomplete", "list", "broken", "no-date", "deep", "large", "bomb"],
)
def test_a_file_that_holds_no_expansion_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=problem):
        list(read_expansion(path))


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        list(read_expansion(tmp_path / "gone.yaml"))
