"""How much of a dataset of one's own is kept for evaluation, by itself and by hand."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs.workspace import Workspace
from tests.toys import write_rows
from ui import own_rows
from ui.dataset_draft import OWN, TAB, change_source, lay_out_form
from ui.drafts import read_draft
from ui.form import enter_quietly
from ui.held_out import part_of
from ui.layers import YOURS
from ui.spec_list import Item, SpecList


def rows(workspace: Workspace, number: int, question: str = "prompt", answer: str = "completion") -> Item:
    """A file of so many rows, as a source."""
    path: Path = workspace.uploads / f"{question}{number}.jsonl"
    lines: list[dict[str, object]] = [{question: f"{each} + 1?", answer: str(each + 1)} for each in range(number)]
    return {"path": str(write_rows(path, lines).relative_to(workspace.root))}


def part(workspace: Workspace) -> object:
    return read_draft(workspace, TAB).get("form", {}).get("eval_fraction")


@pytest.mark.parametrize(
    ("rows", "expected"), [(0, 0.1), (40, 0.1), (60, 0.35), (200, 0.3), (300, 0.2), (600, 0.1), (9000, 0.1)]
)
def test_as_many_are_kept_as_a_verdict_needs_where_that_can_be(rows: int, expected: float) -> None:
    assert part_of(rows) == expected


def test_the_part_follows_what_is_added(workspace: Workspace, listed: SpecList) -> None:
    own_rows.add_sources(workspace, listed, [rows(workspace, 300)])
    assert part(workspace) == 0.2
    with gr.Blocks():
        assert lay_out_form().origins(workspace)["eval_fraction"] == "number of rows"
    own_rows.add_sources(workspace, listed, [rows(workspace, 100)])
    assert part(workspace) == 0.15
    own_rows.add_sources(workspace, listed, [rows(workspace, 2500)])
    assert part(workspace) == 0.1


def test_what_somebody_entered_stays(workspace: Workspace, listed: SpecList) -> None:
    change_source(workspace, OWN)
    enter_quietly(workspace, TAB, {"eval_fraction": 0.05}, YOURS)
    own_rows.add_sources(workspace, listed, [rows(workspace, 300)])
    assert part(workspace) == 0.05


def test_once_a_version_was_built_no_row_changes_sides_by_itself(workspace: Workspace, listed: SpecList) -> None:
    source = rows(workspace, 300)
    own_rows.add_sources(workspace, listed, [source])
    build(DatasetSpec.parse({"name": "prompt300", "sources": [source], "eval_fraction": 0.2}), workspace)
    own_rows.add_sources(workspace, listed, [rows(workspace, 500)])
    assert part(workspace) == 0.2


def test_rows_whose_columns_are_still_to_be_named_count_too(workspace: Workspace, listed: SpecList) -> None:
    own_rows.add_sources(workspace, listed, [rows(workspace, 300, "frage", "reaktion")])
    assert part(workspace) == 0.2
