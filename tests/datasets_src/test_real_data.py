"""Real rows of the formats that people bring most. Skipped where the files are not at hand (HEARTH_TEST_DATA)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datasets_src.build import build
from datasets_src.inspect import inspect_file
from datasets_src.spec import DatasetSpec
from jobs.workspace import Workspace

DATA = Path(os.environ.get("HEARTH_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")


def real_file(name: str) -> Path:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not at hand: set HEARTH_TEST_DATA to the folder that holds it")
    return path


@pytest.mark.parametrize(
    ("name", "format_name", "rows"),
    [
        ("alpaca_en_demo.json", "alpaca", 999),
        ("glaive_toolcall_en_demo.json", "sharegpt", 300),
        ("kto_en_demo.json", "messages", 300),
    ],
)
def test_a_real_file_is_recognised_and_builds_with_every_row(
    name: str, format_name: str, rows: int, workspace: Workspace
) -> None:
    path = real_file(name)
    found = inspect_file(path)
    assert (found.format, found.rows, found.bad) == (format_name, rows, 0)
    version = build(DatasetSpec.parse({"name": "real", "sources": [{"path": str(path)}]}), workspace)
    source = version.report["sources"][0]
    assert source["read"] == rows
    assert version.train_rows + version.eval_rows == rows - source["duplicates"]
    assert not {row["group"] for row in version.train()} & {row["group"] for row in version.eval()}


def test_real_tool_calls_become_structured(workspace: Workspace) -> None:
    path = real_file("glaive_toolcall_en_demo.json")
    version = build(DatasetSpec.parse({"name": "tools", "sources": [{"path": str(path)}]}), workspace)
    calls = [
        call["function"]
        for row in version.train()
        for message in row["messages"]
        for call in message.get("tool_calls", [])
    ]
    assert len(calls) > 100
    assert all(isinstance(call["arguments"], dict) for call in calls)


def test_real_preference_pairs_are_recognised_as_such() -> None:
    found = inspect_file(real_file("dpo_en_demo.json"))
    assert found.format is None
    assert "preference pairs" in found.evidence
