"""DatasetSpec: what it accepts, and that all of its problems come in one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets_src.spec import DatasetSpec, SourceSpec
from jobs.errors import BadInput


def test_a_spec_needs_no_more_than_a_name_and_a_file() -> None:
    spec = DatasetSpec.parse({"name": "my-data_2", "sources": [{"path": "rows.jsonl"}]})
    assert (spec.eval_fraction, spec.group_by, spec.on_bad_rows, spec.remedies) == (0.1, "prompt", "fail", {})
    assert spec.sources[0].format == "auto"


def test_every_problem_is_in_one_message() -> None:
    with pytest.raises(BadInput) as error:
        DatasetSpec.parse(
            {
                "name": "My Data",
                "evalfraction": 0.2,
                "eval_fraction": 0.9,
                "sources": [
                    {"path": "a.jsonl", "wieght": 2},
                    {"path": "b.jsonl", "weight": 0, "columns": {"reply": "x"}},
                ],
            }
        )
    message = str(error.value)
    for part in (
        "name:",
        "evalfraction: unknown option",
        "eval_fraction:",
        "did you mean weight?",
        "sources.1.weight:",
    ):
        assert part in message
    assert "reply is no known column name" in message


@pytest.mark.parametrize("name", ["", "Caps", "with space", "../up", "-dash-first", "a" * 65, "ümlaut", "trailing\n"])
def test_a_name_that_could_not_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="name: use 1 to 64"):
        DatasetSpec.parse({"name": name, "sources": [{"path": "rows.jsonl"}]})


def test_a_spec_without_sources_is_refused() -> None:
    with pytest.raises(BadInput, match="sources"):
        DatasetSpec.parse({"name": "toy", "sources": []})


def test_a_spec_survives_yaml(tmp_path: Path) -> None:
    spec = DatasetSpec.parse(
        {"name": "toy", "sources": [{"path": "a.csv", "tag": "maths", "columns": {"output": "reply"}}], "seed": 3}
    )
    (tmp_path / "spec.yaml").write_text(spec.to_yaml(only_changed=True), encoding="utf-8")
    assert DatasetSpec.load(tmp_path / "spec.yaml") == spec


def test_absolute_paths_start_at_the_base_and_absolute_ones_stay(tmp_path: Path) -> None:
    spec = DatasetSpec.parse({"name": "toy", "sources": [{"path": "a.csv"}, {"path": str(tmp_path / "b.csv")}]})
    paths = [source.path for source in spec.with_absolute_paths(tmp_path / "specs").sources]
    assert paths == [str(tmp_path / "specs" / "a.csv"), str(tmp_path / "b.csv")]


def test_every_option_explains_itself() -> None:
    for model in (DatasetSpec, SourceSpec):
        for name, field in model.model_fields.items():
            assert field.title, name
            assert field.description and field.description.endswith("."), name
