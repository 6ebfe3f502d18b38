"""The fields in which a row is changed, and what comes back from them."""

from __future__ import annotations

from typing import Any

import pytest

from datasets_src.rows import Kind
from jobs.errors import BadInput
from jobs.workspace import Workspace
from ui import row_editor
from ui.edits import check_value
from ui.row_editor import (
    MOST_TURNS,
    REMOVE,
    TurnField,
    fields_of,
    typed_value,
    value_from_json,
    with_another_turn,
    with_fields,
)
from ui.unread_rows import blank_value, start_value

QUESTION = {"role": "user", "content": "Well?"}
ANSWER = {"role": "assistant", "content": "Yes."}
PAIR = {"prompt": [QUESTION], "chosen": [ANSWER], "rejected": [{"role": "assistant", "content": "No."}]}


def as_given(value: dict[str, Any]) -> list[tuple[str, str]]:
    return [(field.role, field.text) for field in fields_of(value)]


@pytest.mark.parametrize(
    "value",
    [
        {"messages": [QUESTION, ANSWER]},
        PAIR,
        {"prompt": [QUESTION], "completion": [ANSWER], "label": True},
        {"text": "Once."},
        {"messages": [QUESTION, {**ANSWER, "content": "", "tool_calls": [{"function": {"name": "f"}}]}], "tools": []},
    ],
)
def test_fields_that_nobody_touched_give_the_row_back(value: dict[str, Any]) -> None:
    assert with_fields(value, as_given(value)) == value


def test_each_answer_of_a_preference_has_a_field_of_its_own() -> None:
    assert [field.part for field in fields_of(PAIR)] == ["prompt", "chosen", "rejected"]
    changed = with_fields(PAIR, [("user", "Well?"), ("assistant", "Yes, of course."), ("assistant", "No.")])
    assert changed["chosen"][0]["content"] == "Yes, of course." and changed["rejected"] == PAIR["rejected"]


def test_a_turn_can_be_removed_and_added() -> None:
    value = {"messages": [QUESTION, ANSWER, QUESTION, ANSWER]}
    given = as_given(value)
    given[2] = (REMOVE, "")
    assert [turn["role"] for turn in with_fields(value, given)["messages"]] == ["user", "assistant", "assistant"]
    assert with_another_turn(value)["messages"][-1] == {"role": "user", "content": ""}
    assert with_another_turn({"messages": [QUESTION]})["messages"][-1]["role"] == "assistant"
    assert with_another_turn(PAIR)["prompt"][-1]["role"] == "user"


def test_turns_beyond_the_fields_stay() -> None:
    value = {"messages": [QUESTION, ANSWER] * MOST_TURNS}
    given = as_given(value)[:MOST_TURNS]
    given[0] = ("user", "What?")
    changed = with_fields(value, given)["messages"]
    assert len(changed) == 2 * MOST_TURNS and changed[0]["content"] == "What?" and changed[-1] == ANSWER


def test_a_changed_turn_keeps_its_tool_calls() -> None:
    calling = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
    changed = with_fields({"messages": [QUESTION, calling]}, [("user", "Well?"), ("assistant", "Let me see.")])
    assert changed["messages"][1] == {**calling, "content": "Let me see."}


def test_data_beside_a_json_answer_follows_its_text() -> None:
    value = {"messages": [QUESTION, {"role": "assistant", "content": '{"a": 1}'}], "answer": {"a": 1}}
    assert with_fields(value, as_given(value)) == value
    assert with_fields(value, [("user", "Well?"), ("assistant", '{"a": 2}')])["answer"] == {"a": 2}
    assert "answer" not in with_fields(value, [("user", "Well?"), ("assistant", "No data.")])


def test_a_good_answer_can_be_marked_bad() -> None:
    value = {"prompt": [QUESTION], "completion": [ANSWER], "label": True}
    assert with_fields(value, as_given(value), False)["label"] is False


@pytest.mark.parametrize("kind", ["conversation", "preference", "unpaired", "text"])
def test_a_row_that_cannot_be_read_gets_empty_fields_that_make_a_sound_row_once_filled(kind: Kind) -> None:
    value = blank_value(kind)
    with pytest.raises(BadInput):
        check_value(value, kind)
    filled = with_fields(value, [(role, f"text {place}") for place, (role, _) in enumerate(as_given(value))])
    check_value(filled, kind)


def test_mending_begins_with_what_the_columns_of_the_row_tell() -> None:
    value = start_value({"query": "Well?", "answer": None, "id": 7}, "conversation")
    assert value == {"messages": [QUESTION, {"role": "assistant", "content": ""}]}
    value = start_value({"prompt": {"a": 1}, "chosen": "Yes.", "rejected": ""}, "preference")
    assert value["prompt"][0]["content"] == '{"a": 1}' and value["chosen"] == [ANSWER]
    assert start_value({"frage": "Wie?"}, "conversation") == blank_value("conversation")
    assert start_value({}, "text") == {"text": ""}


def test_text_that_is_no_json_is_refused_with_its_place() -> None:
    with pytest.raises(BadInput, match="Line 2, column 10 is not JSON"):
        value_from_json('{"messages": [],\n "text": "x}')
    with pytest.raises(BadInput):
        value_from_json("")
    with pytest.raises(BadInput, match="nested"):
        value_from_json("[" * 100_000)
    with pytest.raises(BadInput, match="half"):
        value_from_json('{"text": "\\ud83e"}')


def test_what_is_typed_is_kept_for_its_own_row_alone(workspace: Workspace) -> None:
    first = {"messages": [QUESTION, ANSWER], "source": "a", "row": 1}
    second = {**first, "row": 2}
    row_editor.keep_typed(workspace, first, value={"messages": [QUESTION]})
    assert typed_value(workspace, first, "conversation") == {"messages": [QUESTION]}
    assert typed_value(workspace, second, "conversation") == {"messages": [QUESTION, ANSWER]}
    row_editor.keep_typed(workspace, first, value={"messages": [QUESTION, ANSWER]})  # as it was
    assert not row_editor.told(workspace, first, "conversation", "")[1].visible
    row_editor.keep_typed(workspace, first, json="{")
    assert row_editor.told(workspace, first, "conversation", "")[1].visible
    row_editor.forget_typed(workspace)
    assert typed_value(workspace, first, "conversation") == {"messages": [QUESTION, ANSWER]}


def test_plain_text_is_one_field() -> None:
    assert fields_of({"text": "Once."}) == [TurnField("text", "text", "Once.")]
    assert with_fields({"text": "Once."}, [("text", "Twice.")]) == {"text": "Twice."}
