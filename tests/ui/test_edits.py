"""Rows changed and deleted by hand, as a layer over the sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasets_src.browse import Filter, Rows
from datasets_src.build import check
from datasets_src.spec import DatasetSpec
from jobs.errors import BadInput
from jobs.workspace import Workspace
from tests.toys import write_rows
from ui import edits


def asked(question: str, answer: str = "Yes.") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def checked(workspace: Workspace, name: str = "rows", **options: Any) -> Path:
    """The folder of a check of 60 sums, with the edits that there are."""
    rows = [{"prompt": f"What is {number} + {number}?", "completion": str(2 * number)} for number in range(60)]
    path = write_rows(workspace.uploads / "sums.jsonl", rows)
    spec = {"name": "sums", "sources": [{"path": str(path)}], "near_duplicates": None, **options}
    folder = workspace.root / name
    check(DatasetSpec.parse({**spec, "edits": edits.edits_of(workspace)}), workspace, folder)
    return folder


def test_a_spec_takes_the_last_state_of_each_row(workspace: Workspace) -> None:
    edits.change(workspace, "a.jsonl", 1, asked("One?"))
    edits.delete(workspace, "a.jsonl", 2)
    edits.change(workspace, "a.jsonl", 1, asked("First?"))
    found = {(edit["source"], edit["row"]): edit["value"] for edit in edits.edits_of(workspace)}
    assert found == {("a.jsonl", 1): asked("First?"), ("a.jsonl", 2): None}
    spec = DatasetSpec.parse({"name": "d", "sources": [{"path": "a"}], "edits": edits.edits_of(workspace)})
    assert len(spec.edits) == 2


def test_undo_takes_back_the_last_edit_alone_and_redo_does_it_again(workspace: Workspace) -> None:
    edits.change(workspace, "a", 1, asked("One?"))
    edits.change(workspace, "a", 1, asked("Two?"))
    undone = edits.undo(workspace)
    assert undone is not None and undone.value == asked("Two?")
    assert [edit["value"] for edit in edits.edits_of(workspace)] == [asked("One?")]
    edits.redo(workspace)
    assert [edit["value"] for edit in edits.edits_of(workspace)] == [asked("Two?")]


def test_a_new_edit_leaves_nothing_to_do_again(workspace: Workspace) -> None:
    edits.delete(workspace, "a", 1)
    edits.undo(workspace)
    assert edits.can_redo(workspace)
    edits.delete(workspace, "a", 2)
    assert not edits.can_redo(workspace) and edits.redo(workspace) is None


def test_with_no_edit_there_is_nothing_to_undo(workspace: Workspace) -> None:
    assert edits.undo(workspace) is None and edits.edits_of(workspace) == []


def test_all_edits_taken_back_come_again_in_their_order(workspace: Workspace) -> None:
    for row in (1, 2, 3):
        edits.delete(workspace, "a", row)
    edits.undo_all(workspace)
    assert edits.edits_of(workspace) == []
    again = [edits.redo(workspace) for _ in range(3)]
    assert [edit.row for edit in again if edit] == [1, 2, 3]


def test_restoring_a_row_leaves_the_edits_of_others(workspace: Workspace) -> None:
    edits.delete(workspace, "a", 1)
    edits.delete(workspace, "a", 2)
    edits.change(workspace, "a", 1, asked("One?"))
    edits.restore(workspace, "a", 1)
    assert [edit["row"] for edit in edits.edits_of(workspace)] == [2]


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        ([], None, "no row"),
        ({"messages": [{"content": "x"}]}, None, "turn 1"),
        ({"messages": [{"role": "user", "content": "Well?"}]}, None, "has no answer"),
        ({"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": "x"}]}, None, "is empty"),
        ({"messages": "x"}, None, "list of turns"),
        ({**asked("One?"), "tag": "x"}, None, "tag"),
        (asked("One?"), "preference", "chosen"),
        ({"text": 3}, "text", "text"),
        ({"prompt": asked("x")["messages"][:1], "completion": asked("x")["messages"][1:]}, "unpaired", "label"),
    ],
)
def test_a_value_that_a_build_would_stop_at_is_refused_and_nothing_is_kept(
    workspace: Workspace, value: Any, kind: Any, said: str
) -> None:
    with pytest.raises(BadInput) as problem:
        edits.change(workspace, "a", 1, value, kind)
    assert said in str(problem.value)
    assert edits.edits_of(workspace) == []


def test_every_kind_of_row_can_be_changed(workspace: Workspace) -> None:
    question, answer = asked("Well?")["messages"]
    other = {"role": "assistant", "content": "No."}
    edits.change(workspace, "a", 1, {"prompt": [question], "chosen": [answer], "rejected": [other]}, "preference")
    edits.change(workspace, "a", 2, {"prompt": [question], "completion": [answer], "label": False}, "unpaired")
    edits.change(workspace, "a", 3, {"text": "Once upon a time."}, "text")
    assert len(edits.edits_of(workspace)) == 3


def test_edits_wait_until_the_rows_were_made_with_them(workspace: Workspace) -> None:
    before = checked(workspace)
    first, second = Rows(before).page(Filter(), 0, 2).rows
    source, number = edits.origin_of(first)
    edits.change(workspace, source, number, asked("Changed?"))
    edits.delete(workspace, *edits.origin_of(second))
    waiting = edits.layer_of(workspace, before)
    assert waiting.mark(first) == "edited" and waiting.mark(second) == "deleted"
    shown = waiting.shown(first)
    assert shown["messages"] == asked("Changed?")["messages"] and shown["group"] == first["group"]
    assert "1 row changed and 1 row deleted by hand. 2 edits wait" in waiting.in_words
    after = checked(workspace, "again")
    applied = edits.layer_of(workspace, after)
    assert not applied.waiting and len(applied.applied) == 2
    assert "wait" not in applied.in_words
    rows = [row for part in ("train", "eval") for row in Rows(after).page(Filter(part=part), 0, 100).rows]
    found = {edits.origin_of(row): row for row in rows}
    assert found[source, number]["messages"] == asked("Changed?")["messages"]
    assert edits.origin_of(second) not in found


def test_an_edit_that_is_in_the_rows_and_was_taken_back_is_told(workspace: Workspace) -> None:
    edits.change(workspace, "sums.jsonl", 5, asked("Changed?"))
    folder = checked(workspace)
    edits.undo(workspace)
    layer = edits.layer_of(workspace, folder)
    assert layer.mark({"source": "sums.jsonl", "row": 5}) == "taken back"
    assert "1 edit taken back. 1 edit waits" in layer.in_words
