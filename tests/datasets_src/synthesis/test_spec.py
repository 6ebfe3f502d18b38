"""SynthesisSpec: what is refused before anything is asked, and that no key can get into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasets_src.synthesis.spec import SynthesisSpec
from datasets_src.synthesis.teacher_spec import TeacherSpec
from jobs.errors import BadInput

TEACHER: dict[str, Any] = {"model": "openai:toy", "base_url": "https://api.example.com/v1"}


def spec(**options: Any) -> SynthesisSpec:
    base = {
        "name": "toy",
        "mode": "self_instruct",
        "teachers": [TEACHER],
        "domains": [{"name": "law", "count": 3}],
    }
    return SynthesisSpec.parse({**base, **options})


def test_a_key_written_by_mistake_is_refused_without_being_repeated() -> None:
    for key in ("sk-abcdef123", "gsk_abcdef123", "abcdef123"):
        with pytest.raises(BadInput, match="never the key") as caught:
            spec(teachers=[{**TEACHER, "api_key_variable": key}])
        assert key not in str(caught.value)
    with pytest.raises(BadInput, match="no password, key or query") as caught:
        spec(teachers=[{**TEACHER, "base_url": "https://me:secret@api.example.com/v1"}])
    assert "secret" not in str(caught.value)
    assert spec(teachers=[{**TEACHER, "api_key_variable": "TOY_KEY"}]).teachers[0].api_key_variable == "TOY_KEY"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teachers": [{"model": "gpt"}]}, "ollama:NAME"),
        ({"teachers": [{"model": "openai:toy"}]}, "needs base_url"),
        ({"teachers": [{"model": "embedded", "base_url": "http://here"}]}, "runs in the job itself"),
        ({"teachers": [{**TEACHER, "base_url": "api.example.com"}]}, "is no address"),
        ({"teachers": [{**TEACHER, "base_url": "http://here:99999"}]}, "is no address"),
        ({"teachers": [TEACHER, TEACHER]}, "two teachers are named 'toy'"),
        ({"teachers": [{**TEACHER, "weight": 0}]}, "nobody writes"),
        ({"domains": [{"name": "law", "count": 1}] * 2}, "two domains are named 'law'"),
        ({"mode": "rewrite"}, "needs an input file"),
        ({"domains": [{"name": "law"}]}, "needs a count"),
        ({"judge": {"rubric": "Good.", "teacher": "nobody"}}, "the teachers are toy"),
        ({"max_cost": 1}, "max_cost needs price_in"),
        ({"name": "My rows"}, "lower-case letters"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_asked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        spec(**options)


def test_prices_are_per_million_tokens_and_own_machines_are_free() -> None:
    priced = TeacherSpec.parse({**TEACHER, "price_in": 2.0, "price_out": 10.0})
    assert priced.cost(500_000, 100_000) == 2.0
    assert TeacherSpec.parse(TEACHER).cost(1, 1) is None
    assert TeacherSpec.parse({"model": "ollama:llama3.2:3b"}).cost(1, 1) == 0
    assert TeacherSpec.parse({"model": "ollama:llama3.2:3b"}).model_name == "llama3.2:3b"


def test_the_judge_is_the_first_teacher_unless_named() -> None:
    teachers = [TEACHER, {"model": "ollama:strict", "weight": 0}]
    first = spec(teachers=teachers, judge={"rubric": "Good."}).judging_teacher
    named = spec(teachers=teachers, judge={"rubric": "Good.", "teacher": "strict"}).judging_teacher
    assert first is not None
    assert named is not None
    assert (first.title, named.title) == ("toy", "strict")
    assert spec().judging_teacher is None


def test_the_yaml_of_a_spec_reads_back_as_the_same_spec(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    whole = spec(judge={"rubric": "Good."}, input="rows.jsonl")
    path.write_text(whole.to_yaml())
    assert SynthesisSpec.load(path) == whole
    assert whole.with_absolute_paths(tmp_path).input == str(tmp_path / "rows.jsonl")
