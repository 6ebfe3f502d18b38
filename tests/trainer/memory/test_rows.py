"""An estimate counts with the rows that there are, not with the longest that there could be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from datasets_src.store import open_version
from datasets_src.tokens import tokenised_pairs, tokenised_rows
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer
from trainer.memory.rows import counted_rows
from trainer.spec import TrainSpec


def described(model: Path, data: str = "sizes", **options: Any) -> TrainSpec:
    return TrainSpec.parse({"data": data, "model": str(model), "max_length": 512, **options})


def make_dataset(workspace: Workspace, rows: list[dict[str, Any]]) -> Workspace:
    path = workspace.root / "rows.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    build(DatasetSpec.parse({"name": "sizes", "sources": [{"path": str(path)}], "eval_fraction": 0.0}), workspace)
    return workspace


def asked(words: int) -> dict[str, Any]:
    answer = " ".join(f"word{number}" for number in range(words))
    return {"messages": [{"role": "user", "content": f"Say {words}."}, {"role": "assistant", "content": answer}]}


def test_the_longest_row_is_counted_as_training_counts_it(workspace: Workspace, tiny_model: Path) -> None:
    make_dataset(workspace, [asked(number % 13 + 1) for number in range(150)] + [asked(21)])
    rows = tokenised_rows(open_version(workspace, "sizes"), "train", ChatTokenizer.load(tiny_model), workspace)
    longest = max(len(row.input_ids) for row in rows)
    found = counted_rows(described(tiny_model), workspace)
    assert found.spec == described(tiny_model, max_length=longest)
    assert f"{longest:,} tokens" in found.words


def test_of_a_preference_the_longer_answer_counts(workspace: Workspace, tiny_model: Path) -> None:
    prompt = [{"role": "user", "content": "Say something."}]
    pairs = [
        {
            "prompt": prompt,
            "chosen": [{"role": "assistant", "content": f"yes {number}"}],
            "rejected": [{"role": "assistant", "content": f"no {number} " * (number + 1)}],
        }
        for number in range(12)
    ]
    make_dataset(workspace, pairs)
    version, tokenizer = open_version(workspace, "sizes"), ChatTokenizer.load(tiny_model)
    longest = max(len(pair.rejected.input_ids) for pair in tokenised_pairs(version, "train", tokenizer, workspace))
    spec = described(tiny_model, method={"objective": "dpo"})
    assert counted_rows(spec, workspace).spec.max_length == longest


@pytest.mark.parametrize("options", [{"optimisation": {"batching": "packing"}}, {"max_length": 16}])
def test_full_blocks_and_rows_that_are_cut_count_in_full(
    workspace: Workspace, tiny_model: Path, options: dict[str, Any]
) -> None:
    make_dataset(workspace, [asked(30)] * 2 + [asked(31)])
    spec = described(tiny_model, **options)
    found = counted_rows(spec, workspace)
    assert found.spec == spec
    assert not found.words


def test_what_is_not_here_changes_nothing(workspace: Workspace, tiny_model: Path) -> None:
    for spec in (described(tiny_model, "nowhere"), TrainSpec.parse({"data": "sizes", "model": "Qwen/Qwen3-8B"})):
        assert counted_rows(spec, workspace).spec == spec
