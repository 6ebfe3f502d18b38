"""A form says what its spec says: every value survives the way into the components and back."""

from __future__ import annotations

from typing import Any

import pytest

from datasets_src.interactions import InteractionFilter
from datasets_src.spec import DatasetSpec
from datasets_src.synthesis.spec import SynthesisSpec
from evaluation.chat_spec import ChatSpec
from evaluation.judge.spec import JudgingSpec
from evaluation.pairs.spec import PairsSpec
from evaluation.spec import EvaluateSpec
from export.spec import ExportSpec
from jobs.spec import Spec
from serving.loop.spec import LoopSpec
from trainer.spec import TrainSpec
from ui.fields import form_fields, from_raw, raw_of_spec, raw_of_values, values_of_raw

SPECS: list[tuple[type[Spec], dict[str, Any]]] = [
    (
        DatasetSpec,
        {
            "name": "mine",
            "sources": [
                {"path": "a.jsonl", "tag": "A", "weight": 2.5, "max_rows": 7},
                {"path": "b.csv", "format": "alpaca", "columns": {"output": "reply", "prompt": "question"}},
            ],
            "eval_fraction": 0.2,
            "system_prompt": "Be brief.\nAnswer in one word.",
            "near_duplicates": 0.9,
        },
    ),
    (
        TrainSpec,
        {
            "data": "mine@0123456789ab",
            "method": {"adapter": "qlora", "target_modules": ["q_proj", "v_proj"]},
            "optimisation": {"learning_rate": 0.0002, "max_steps": 12, "epochs": 0.5},
        },
    ),
    (EvaluateSpec, {"models": ["embedded", "job:1"], "data": "mine", "metrics": ["perplexity"], "max_items": None}),
    (
        SynthesisSpec,
        {
            "name": "mine",
            "mode": "multi_turn",
            "teachers": [{"model": "ollama:small", "weight": 2.0}],
            "domains": [{"name": "jokes", "count": 7}],
            "judge": {"rubric": "Is it funny?"},
        },
    ),
    (
        LoopSpec,
        {
            "name": "mine",
            "model": "helper",
            "when": {"min_new": 7},
            "train": {"method": {"rank": 8, "target_modules": ["q_proj"]}, "name": "Übung: eins"},
            "data": {"sources": [{"path": "a.csv", "columns": {"prompt": "q"}}], "remedies": {"email": "fix"}},
            "regression": {"data": "mine@0123456789ab", "options": {"max_items": None}},
        },
    ),
    (ChatSpec, {"models": ["embedded", "job:1"], "idle_minutes": 3.0}),
    (JudgingSpec, {"judge": {"model": "embedded", "criteria": {"tone": "is kind"}}, "evaluation": "job:1"}),
    (PairsSpec, {"name": "mine", "scored_by": "votes", "where": {"min_rating": 4}}),
    (ExportSpec, {"job": "1", "to": ["gguf", "adapter"], "quantisations": ["q8_0"], "name": "mine-1"}),
]


@pytest.mark.parametrize(("spec", "values"), SPECS)
def test_values_survive_the_way_through_the_form(spec: type[Spec], values: dict[str, Any]) -> None:
    given = spec.parse(values)
    fields = form_fields(spec)
    assert spec.parse(values_of_raw(fields, raw_of_spec(fields, given))) == given


@pytest.mark.parametrize(("spec", "values"), SPECS)
def test_an_untouched_form_gives_the_spec_its_own_defaults(spec: type[Spec], values: dict[str, Any]) -> None:
    fields = form_fields(spec)
    required = {name: values[name] for name, field in spec.model_fields.items() if field.is_required()}
    if spec is EvaluateSpec:  # the task that it begins with asks about a dataset
        required["data"] = values["data"]
    assert spec.parse(values_of_raw(fields, raw_of_values(fields, required))) == spec.parse(required)


@pytest.mark.parametrize("spec", [spec for spec, _ in SPECS])
def test_every_option_has_a_label_and_explains_itself(spec: type[Spec]) -> None:
    for field in form_fields(spec):
        assert field.label and field.label != field.path
        assert len(field.help) > 5, field.path
        assert field.depth in ("essential", "common", "everything")


def test_a_text_with_commas_stays_whole_in_a_field_of_pairs() -> None:
    fields = form_fields(JudgingSpec)
    given = JudgingSpec.parse({"judge": {"model": "embedded"}})
    assert any("," in text for text in given.judge.criteria.values())
    assert JudgingSpec.parse(values_of_raw(fields, raw_of_spec(fields, given))) == given
    criteria = next(field for field in fields if field.path == "judge.criteria")
    assert from_raw(criteria, "tone: kind, and calm, length: short\nform: a list, always") == {
        "tone": "kind, and calm", "length": "short", "form": "a list, always",
    }  # fmt: skip


def test_bounds_are_said_beside_a_number() -> None:
    epochs = next(field for field in form_fields(TrainSpec) if field.path == "optimisation.epochs")
    assert epochs.help.endswith("(more than 0 and at most 1,000)")


def test_a_word_and_a_number_share_a_field() -> None:
    fields = form_fields(TrainSpec)
    for entered, meant in (("auto", "auto"), ("2e-4", 2e-4), ("fast", "fast"), ("", "")):
        values = values_of_raw(fields, {"optimisation.learning_rate": entered})
        assert values["optimisation"]["learning_rate"] == meant


def test_what_cannot_be_read_is_left_for_the_spec_to_name() -> None:
    values = values_of_raw(form_fields(SynthesisSpec), {"name": "a", "domains": [["jokes", "many", ""]]})
    assert values["domains"] == [{"name": "jokes", "count": "many"}]


def test_empty_lines_of_a_table_are_no_entries() -> None:
    values = values_of_raw(form_fields(SynthesisSpec), {"domains": [["jokes", "", ""], [""] * 3, [None] * 3]})
    assert values["domains"] == [{"name": "jokes"}]


def test_a_part_that_may_lack_is_none_while_what_it_needs_is_empty() -> None:
    fields = form_fields(SynthesisSpec)
    raw = raw_of_values(fields, {"judge": {"rubric": "Is it right?", "min_score": 5}})
    assert values_of_raw(fields, raw)["judge"] == {"rubric": "Is it right?", "min_score": 5, "teacher": None}
    assert values_of_raw(fields, {**raw, "judge.rubric": ""})["judge"] is None
    assert next(field for field in fields if field.path == "judge.rubric").depth == "common"


def test_a_date_is_entered_as_text() -> None:
    fields = form_fields(InteractionFilter)
    chosen = InteractionFilter.parse(values_of_raw(fields, {"date_from": "2026-01-31"}))
    assert str(chosen.date_from) == "2026-01-31"
    assert raw_of_spec(fields, chosen)["date_from"] == "2026-01-31"


def test_an_optional_number_may_be_empty_and_a_required_one_may_not() -> None:
    fields = form_fields(TrainSpec)
    assert values_of_raw(fields, {"optimisation.max_steps": None}) == {"optimisation": {"max_steps": None}}
    values = values_of_raw(fields, {"data": "d", "optimisation.batch_size": None})
    with pytest.raises(Exception, match="batch_size"):
        TrainSpec.parse(values)


def test_raw_values_are_what_json_keeps() -> None:
    import json

    for spec, values in SPECS:
        raw = raw_of_spec(form_fields(spec), spec.parse(values))
        assert json.loads(json.dumps(raw)) == raw
