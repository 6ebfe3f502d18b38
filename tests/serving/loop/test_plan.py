"""The plan: all its problems in one message, before anything is started; and what its steps are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasets_src.spec import DatasetSpec
from jobs.errors import BadInput, Missing
from jobs.kinds import KINDS, spec_class
from jobs.workspace import Workspace
from serving.loop.plan import all_rows_step, evaluate_steps, new_rows_step, require_runnable, train_step
from serving.loop.spec import LoopSpec
from serving.registry import Registry
from tests.serving.loop.conftest import plan_values


def test_the_steps_are_told_what_the_plan_says(place: Workspace, base: Path) -> None:
    spec = LoopSpec.parse(
        plan_values(
            place,
            replay=0.5,
            data={"remedies": {"email": "fix"}, "sources": [{"path": "hub:a/b"}]},
            train={"optimisation": {"max_steps": 3}},
            new_options={"max_new_tokens": 5},
        )
    )
    reference = require_runnable(spec, place)
    new = new_rows_step(spec, "round-1").spec
    assert (new["name"], new["sources"], new["eval_fraction"]) == ("bot-loop-new", [{"path": "job:round-1"}], 0.25)
    assert new["remedies"] == {"email": "fix"}
    step = all_rows_step(spec, "bot-loop-new@x", reference)
    assert step is not None
    assert [source.path for source in DatasetSpec.parse(step.spec).sources] == [
        "dataset:bot-loop-new@x",
        "dataset:old@v",
        "hub:a/b",
    ]
    assert step.spec["sources"][1]["weight"] == 0.5
    train = train_step(spec, "bot-loop@y", reference).spec
    assert (train["model"], train["data"], train["optimisation"]) == (str(base), "bot-loop@y", {"max_steps": 3})
    evaluations = [step.spec for step in evaluate_steps(spec, "bot-loop-new@x", reference, "job:z")]
    assert [(each["data"], each["task"]) for each in evaluations] == [
        ("bot-loop-new@x", "exact_match"),
        (spec.regression.data, "exact_match"),
        ("", "general"),
    ]
    assert all(each["models"] == [reference.ref, "job:z"] for each in evaluations)
    assert evaluations[0]["max_new_tokens"] == 5
    later = train_step(spec.model_copy(update={"train_from": "production"}), "d", reference)
    assert later.spec["model"] == reference.ref
    assert all_rows_step(spec.model_copy(update={"replay": 0.0, "data": {}}), "x", reference) is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"when": {}}, "say every_hours, min_new, or both"),
        ({"train": {"data": "x"}}, "leave out data"),
        ({"data": {"eval_fraction": 0.5}}, "leave out eval_fraction"),
        ({"general_options": {"models": ["x"]}}, "leave out models"),
        ({"regression": {"data": "fixed"}}, "name a version too"),
        ({"model": "bot@3"}, "without a version"),
        ({"name": "Bot Loop"}, "lower-case"),
        ({"most_per_user": 0}, "greater than 0"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(place: Workspace, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        LoopSpec.parse(plan_values(place, **changes))


def test_all_problems_of_the_steps_are_told_at_once_before_anything_starts(place: Workspace) -> None:
    values = plan_values(
        place, train={"optimisation": {"batchsize": 3}}, new_options={"max_new_tokens": 0}, data={"group": "x"}
    )
    with pytest.raises(BadInput) as refused:
        require_runnable(LoopSpec.parse(values), place)
    for problem in ("did you mean batch_size", "new_options.max_new_tokens", "data.group: unknown option"):
        assert problem in refused.value.what
    assert place.list_jobs("loop") == []


def test_a_plan_without_production_base_or_questions_is_refused(place: Workspace, base: Path, tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no nobody"):
        require_runnable(LoopSpec.parse(plan_values(place, model="nobody")), place)
    few = LoopSpec.parse(
        plan_values(place, regression={**plan_values(place)["regression"], "options": {"max_items": 10}})
    )
    with pytest.raises(BadInput, match="asks 10 questions"):
        require_runnable(few, place)
    with pytest.raises(BadInput, match="names no dataset"):
        require_runnable(LoopSpec.parse(plan_values(place, regression={"data": ""})), place)
    own_questions = plan_values(place, regression={"data": "", "task": "general"})
    assert require_runnable(LoopSpec.parse(own_questions), place).label == "bot@1"
    (tmp_path / "x.gguf").write_text("GGUF")
    registry = Registry(place)
    registry.register("file", str(tmp_path / "x.gguf"))
    registry.promote("file", 1, "first")
    with pytest.raises(Missing, match="base of file@1 isn't known"):
        require_runnable(LoopSpec.parse(plan_values(place, model="file")), place)
    onward = plan_values(place, model="file", train_from="production")
    with pytest.raises(BadInput, match="only answers"):
        require_runnable(LoopSpec.parse(onward), place)
    named = plan_values(place, model="file", train={"model": str(base)})
    assert require_runnable(LoopSpec.parse(named), place).ref.endswith("x.gguf")
    (tmp_path / "x.gguf").write_text("other")
    with pytest.raises(Missing, match="no longer holds"):
        require_runnable(LoopSpec.parse(named), place)


def test_files_that_a_plan_names_start_at_its_folder(place: Workspace) -> None:
    values = plan_values(
        place, data={"sources": [{"path": "more.jsonl"}, {"path": "dataset:x"}], "contamination": ["b.csv"]}
    )
    data = LoopSpec.parse(values).with_absolute_paths(Path("/plans")).data
    assert [source["path"] for source in data["sources"]] == ["/plans/more.jsonl", "dataset:x"]
    assert data["contamination"] == ["/plans/b.csv"]


def test_every_kind_that_names_a_spec_has_it() -> None:
    for name, kind in KINDS.items():
        if kind.spec:
            assert spec_class(name).__name__ == kind.spec.partition(":")[2]
