"""Small files of rows, and specs over them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from datasets_src.store import DatasetVersion
from jobs.workspace import Workspace

Rows = list[dict[str, Any]]
WriteRows = Callable[..., Path]
BuildRows = Callable[..., DatasetVersion]


@pytest.fixture
def write_rows(tmp_path: Path) -> WriteRows:
    """Write rows as a JSONL file and return its path."""

    def write(rows: Rows, name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def build_rows(workspace: Workspace, write_rows: WriteRows) -> BuildRows:
    """Build a dataset named `toy` from rows; keyword arguments are options of the spec."""

    def build_from(rows: Rows, **options: Any) -> DatasetVersion:
        sources = options.pop("sources", None) or [{"path": str(write_rows(rows))}]
        return build(DatasetSpec.parse({"name": "toy", "sources": sources, **options}), workspace)

    return build_from


@pytest.fixture
def sums() -> Rows:
    """200 distinct questions with their answers."""
    return [{"question": f"What is {number} plus {number}?", "answer": str(2 * number)} for number in range(200)]
