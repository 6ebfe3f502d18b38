"""Standard benchmarks through lm-evaluation-harness, on a benchmark in a file; skipped where it isn't installed."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation import job
from evaluation.store import load_scores
from evaluation.tasks import load_task
from jobs.context import JobContext
from jobs.errors import BadInput, Missing

MakeContext = Callable[..., JobContext]
INSTALLED = importlib.util.find_spec("lm_eval") is not None

YAML = """
task: toy_choice
dataset_path: json
dataset_kwargs:
  data_files:
    test: {rows}
test_split: test
output_type: multiple_choice
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_choice: ["red", "green"]
doc_to_target: label
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""


@pytest.fixture
def benchmark_file(tmp_path: Path) -> str:
    rows = tmp_path / "rows.jsonl"
    lines = [json.dumps({"question": f"Which colour has ball {n}?", "label": n % 2}) for n in range(10)]
    rows.write_text("\n".join(lines), encoding="utf-8")
    path = tmp_path / "toy.yaml"
    path.write_text(YAML.format(rows=rows), encoding="utf-8")
    return f"lm_eval:{path}"


@pytest.mark.skipif(INSTALLED, reason="it is installed")
def test_without_the_package_its_command_is_told() -> None:
    with pytest.raises(Missing, match="needs lm-evaluation-harness") as caught:
        load_task("lm_eval:piqa")
    assert "pip install lm_eval" in caught.value.fix


@pytest.mark.heavy
@pytest.mark.skipif(not INSTALLED, reason="lm_eval isn't installed")
def test_a_standard_benchmark_is_compared_item_by_item(
    context_of: MakeContext, benchmark_file: str, lively_model: Path, tiny_adapter: Path
) -> None:
    models = [str(lively_model), f"adapter:{tiny_adapter}"]
    context = context_of("evaluate", models=models, task=benchmark_file, max_items=6, precision="fp32")
    figures = job.run(context)
    assert figures["items"] == 6 and len(figures["verdicts"]) == 1
    rows = load_scores(context.path / "scores.parquet")
    assert len(rows) == 12 and all(set(row.scores) == {"acc"} for row in rows)
    assert all(row.scores["acc"] in (0.0, 1.0) for row in rows)
    mean = sum(row.scores["acc"] for row in rows[:6]) / 6
    assert figures["measures"][0]["standings"][0]["mean"] == pytest.approx(mean)
    assert all("Which colour has ball" in row.prompt for row in rows)


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="lm_eval isn't installed")
def test_an_unknown_benchmark_is_refused() -> None:
    with pytest.raises(BadInput, match="knows no task 'no_such_thing'"):
        load_task("lm_eval:no_such_thing")
