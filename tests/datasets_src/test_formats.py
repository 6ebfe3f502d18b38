"""Each format is recognised by its columns and becomes the canonical messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datasets_src.formats import FORMATS, choose, detect, rename
from datasets_src.rows import Conversation
from jobs.errors import BadInput

CALL = {"name": "add", "arguments": {"a": 1, "b": 2}}
WRAPPED_CALL = {"type": "function", "function": CALL}
TOOL = {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}
WRAPPED_TOOL = {"type": "function", "function": TOOL}


def converted(row: dict[str, Any]) -> Conversation:
    detection = detect(list(row))
    assert detection.format is not None, detection.evidence
    return detection.format.convert(row)


def turns(row: dict[str, Any]) -> list[tuple[str, Any]]:
    conversation = converted(row)
    assert conversation.findings == []
    return [(message["role"], message["content"]) for message in conversation.messages]


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (["messages", "label"], "messages"),
        (["conversations", "tools"], "sharegpt"),
        (["instruction", "input", "output"], "alpaca"),
        (["prompt", "completion"], "prompt_completion"),
        (["question", "answer", "id"], "question_answer"),
        (["messages", "prompt", "completion"], "messages"),
    ],
)
def test_the_format_is_known_by_its_columns_and_the_evidence_names_them(columns: list[str], name: str) -> None:
    detection = detect(columns)
    assert detection.format is not None and detection.format.name == name
    assert all(column in detection.evidence for column in detection.format.required)


def test_other_formats_that_would_fit_are_mentioned() -> None:
    assert "prompts and completions" in detect(["messages", "prompt", "completion"]).evidence


def test_unknown_columns_are_refused_with_the_known_formats_and_the_way_to_map() -> None:
    with pytest.raises(BadInput) as error:
        choose("rows.csv", "auto", ["title", "body"])
    assert "title, body" in error.value.what
    assert "alpaca: instruction, output" in error.value.why
    assert "columns:" in error.value.fix


def test_a_format_that_was_asked_for_names_the_columns_it_lacks() -> None:
    with pytest.raises(BadInput, match="need the column output"):
        choose("rows.csv", "alpaca", ["instruction", "reply"])


def test_preference_pairs_are_no_conversations() -> None:
    with pytest.raises(BadInput, match="preference pairs"):
        choose("rows.json", "auto", ["conversations", "chosen", "rejected"])


def test_alpaca_joins_instruction_and_input() -> None:
    assert turns({"instruction": "Add.", "input": "1 2", "output": "3"}) == [
        ("user", "Add.\n\n1 2"),
        ("assistant", "3"),
    ]
    assert turns({"instruction": "Add.", "input": " ", "output": "3"}) == [("user", "Add."), ("assistant", "3")]


def test_alpaca_with_system_and_history() -> None:
    row = {"instruction": "q2", "output": "a2", "system": "Be brief.", "history": [["q1", "a1"]]}
    expected = [("system", "Be brief."), ("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2")]
    assert turns(row) == expected
    # CSV can hold the history only as text.
    assert turns({**row, "history": json.dumps([["q1", "a1"]])}) == expected


@pytest.mark.parametrize("columns", [("prompt", "completion"), ("question", "answer")])
def test_two_columns_of_text(columns: tuple[str, str]) -> None:
    assert turns({columns[0]: "q", columns[1]: "a"}) == [("user", "q"), ("assistant", "a")]


def test_prompt_and_completion_may_be_messages() -> None:
    row = {"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]}
    assert turns(row) == [("user", "q"), ("assistant", "a")]


def test_sharegpt_roles_become_the_canonical_ones() -> None:
    row = {
        "conversations": [
            {"from": "system", "value": "s"},
            {"from": "human", "value": "q"},
            {"from": "gpt", "value": "a"},
        ]
    }
    assert turns(row) == [("system", "s"), ("user", "q"), ("assistant", "a")]


def test_sharegpt_tool_calls_become_structured_calls_and_tools_are_wrapped() -> None:
    row = {
        "conversations": [
            {"from": "human", "value": "1 plus 2?"},
            {"from": "function_call", "value": json.dumps(CALL)},
            {"from": "observation", "value": "3"},
            {"from": "gpt", "value": "It is 3."},
        ],
        "tools": json.dumps([TOOL]),
    }
    conversation = converted(row)
    assert conversation.findings == []
    assert conversation.tools == [WRAPPED_TOOL]
    assert conversation.messages[1:3] == [
        {"role": "assistant", "content": "", "tool_calls": [WRAPPED_CALL]},
        {"role": "tool", "content": "3"},
    ]


def test_a_call_after_the_assistant_spoke_belongs_to_that_turn() -> None:
    row = {
        "conversations": [
            {"from": "human", "value": "q"},
            {"from": "gpt", "value": "Let me see."},
            {"from": "function_call", "value": json.dumps(CALL)},
            {"from": "function_call", "value": json.dumps([CALL])},
        ]
    }
    assert converted(row).messages[1:] == [
        {"role": "assistant", "content": "Let me see.", "tool_calls": [WRAPPED_CALL, WRAPPED_CALL]}
    ]


def test_messages_with_tool_calls_keep_ids_and_read_arguments_that_are_text() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": json.dumps(CALL["arguments"])}}
    row = {
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "3", "tool_call_id": "c1", "name": "add"},
        ],
        "tools": [WRAPPED_TOOL],
    }
    conversation = converted(row)
    assert conversation.findings == []
    assert conversation.messages[1:] == [
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", **WRAPPED_CALL}]},
        {"role": "tool", "content": "3", "name": "add", "tool_call_id": "c1"},
    ]
    assert conversation.tools == [WRAPPED_TOOL]


def test_messages_may_be_json_text_and_a_blank_system_prompt_is_none() -> None:
    messages = [
        {"role": "system", "content": " "},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
    ]
    assert turns({"messages": json.dumps(messages)}) == [("user", "q"), ("assistant", "a")]


@pytest.mark.parametrize(
    ("row", "field", "what"),
    [
        ({"messages": None}, "messages", "is missing"),
        ({"messages": "hello"}, "messages", "is text that is no JSON list"),
        ({"messages": {"role": "user"}}, "messages", "is an object"),
        ({"messages": ["hello"]}, "messages, turn 1", "is text, not an object"),
        ({"messages": [{"content": "hello"}]}, "messages, turn 1", "has no role"),
        ({"conversations": [{"from": "function_call", "value": "add 1"}]}, "conversations, turn 1", "is no tool call"),
        ({"messages": [], "tools": "add"}, "tools", "is text that is no JSON list"),
        ({"messages": [], "tools": [{"title": "add"}]}, "tools", "holds something that is no tool"),
        ({"instruction": "q", "output": "a", "history": [["only"]]}, "history", "entry 1 is not a pair"),
        ({"messages": [{"role": "system", "content": "x"}], "system": "y"}, "system", "is given twice"),
    ],
)
def test_what_cannot_be_converted_is_named_with_its_field(row: dict[str, Any], field: str, what: str) -> None:
    findings = converted(row).findings
    assert (field, what) in [(finding.field, finding.what) for finding in findings]


def test_columns_can_be_renamed_and_even_swapped() -> None:
    values, hidden = rename(
        {"prompt": "p", "completion": "c", "id": 1}, {"prompt": "completion", "completion": "prompt"}
    )
    assert values == {"prompt": "c", "completion": "p", "id": 1}
    assert hidden == {}


def test_a_column_hidden_by_a_renamed_one_is_kept_apart() -> None:
    values, hidden = rename({"instruction": "q", "output": "old", "better": "new"}, {"output": "better"})
    assert values == {"instruction": "q", "output": "new"}
    assert hidden == {"output": "old"}


@pytest.mark.parametrize(
    "junk", [None, True, 3, 2.5, "", "text", [], [[]], [None], {}, {"a": {"b": []}}, [{"role": 3}]]
)
def test_no_json_value_in_any_column_crashes_a_converter(junk: Any) -> None:
    for known in FORMATS:
        for column in known.columns:
            known.convert({**dict.fromkeys(known.required, "x"), column: junk})
        known.convert(dict.fromkeys(known.columns, junk))
