"""Specs: unknown keys refused, every problem in one message, YAML there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from jobs.errors import BadInput, Missing
from jobs.spec import Spec, option


class Inner(Spec):
    rank: int = option(8, ge=1, le=64, label="Rank", help="Size.")


class Example(Spec):
    name: str = option(label="Name", help="Its name.")
    inner: Inner = option(Inner, label="Inner", help="More.")


def test_all_problems_come_in_one_message_with_the_nearest_known_name() -> None:
    with pytest.raises(BadInput) as caught:
        Example.parse({"inner": {"rnak": 4, "rank": 0}, "colour": "red"}, where="spec.yaml")
    message = str(caught.value)
    assert "spec.yaml has 4 problems" in message
    assert "name: is required" in message
    assert "inner.rnak: unknown option (did you mean rank?)" in message
    assert "inner.rank: input should be greater than or equal to 1 (given: 0)" in message
    assert "colour: unknown option" in message


def test_yaml_reads_back_as_the_same_spec(tmp_path: Path) -> None:
    spec = Example.parse({"name": "süß", "inner": {"rank": 3}})
    path = tmp_path / "spec.yaml"
    path.write_text(spec.to_yaml(), encoding="utf-8")
    assert Example.load(path) == spec


def test_broken_yaml_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("name: a\ninner: [1,\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"spec\.yaml, line \d"):
        Example.load(path)


def test_a_missing_spec_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="There is no file"):
        Example.load(tmp_path / "none.yaml")


class Forms(Spec):
    rate: float | Literal["auto"] = option("auto", label="Rate", help="How fast.")
    to: list[str] = option(lambda: ["a"], label="Make", help="What to make.", min_length=1)


def test_a_value_that_may_have_several_forms_has_one_line_that_names_them_all() -> None:
    with pytest.raises(BadInput) as caught:
        Forms.parse({"rate": "fast", "to": []})
    lines = caught.value.what.splitlines()[1:]
    assert lines == [
        "  - rate: input should be a valid number, unable to parse string as a number, or input should be 'auto' "
        "(given: 'fast')",
        "  - to: needs at least 1",
    ]
