"""Each format is recognised by its columns and becomes the canonical messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datasets_src.formats import FORMATS, choose, detect, rename
from datasets_src.rows import Candidate, canonical
from jobs.errors import BadInput

CALL = {"name": "add", "arguments": {"a": 1, "b": 2}}
WRAPPED_CALL = {"type": "function", "function": CALL}
TOOL = {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}
WRAPPED_TOOL = {"type": "function", "function": TOOL}


def converted(row: dict[str, Any]) -> Candidate:
    detection = detect([row], {})
    assert detection.format is not None, detection.evidence
    return detection.format.convert(rename(row, detection.columns)[0])


def messages(row: dict[str, Any], part: str = "messages") -> list[dict[str, Any]]:
    candidate = converted(row)
    assert candidate.findings == []
    return [turn.message for turn in candidate.parts[part]]


def turns(row: dict[str, Any], part: str = "messages") -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in messages(row, part)]


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (["messages", "label"], "messages"),
        (["conversations", "tools"], "sharegpt"),
        (["instruction", "input", "output"], "alpaca"),
        (["prompt", "completion"], "prompt_completion"),
        (["question", "answer", "id"], "question_answer"),
        (["messages", "prompt", "completion"], "messages"),
        (["prompt", "chosen", "rejected"], "preference"),
        (["chosen", "rejected"], "preference"),
        (["conversations", "chosen", "rejected"], "preference"),
        (["instruction", "input", "chosen", "rejected"], "preference"),
        (["text", "id"], "text"),
        (["input", "output"], "input_output"),
    ],
)
def test_the_format_is_known_by_its_columns_and_the_evidence_names_them(columns: list[str], name: str) -> None:
    detection = detect([dict.fromkeys(columns, "x")], {})
    assert detection.format is not None and detection.format.name == name
    used = detection.format.fitting(set(columns))
    assert used and all(column in detection.evidence for column in used)


@pytest.mark.parametrize(
    ("columns", "name", "evidence"),
    [
        (["prompt", "response"], "prompt_completion", "response taken as completion"),
        (["query", "response"], "question_answer", "query taken as question"),
        (["problem", "solution"], "question_answer", "solution taken as answer"),
        (["content", "url"], "text", "content taken as text"),
        (["Question", "Answer", "Topic"], "question_answer", "the columns question and answer"),
        (["PROMPT", " Response "], "prompt_completion", " Response  taken as completion"),
        (["Instruction", "Input", "Output"], "alpaca", "the columns instruction and output, beside input"),
    ],
)
def test_other_usual_names_stand_in_for_missing_columns_and_are_told(
    columns: list[str], name: str, evidence: str
) -> None:
    detection = detect([dict.fromkeys(columns, "x")], {})
    assert detection.format is not None and detection.format.name == name
    assert evidence in detection.evidence


def test_a_label_makes_it_unpaired_only_where_it_says_yes_or_no() -> None:
    row = {"prompt": "q", "completion": "a", "label": True}
    yes = detect([row, {**row, "label": "false"}, {**row, "label": 0}], {})
    assert yes.format is not None and yes.format.name == "unpaired" and "yes or no" in yes.evidence
    other = detect([row, {**row, "label": "sports"}], {})
    assert other.format is not None and other.format.name == "prompt_completion"


def test_other_formats_that_would_fit_are_mentioned() -> None:
    assert "prompts and completions" in detect([dict.fromkeys(["messages", "prompt", "completion"], "x")], {}).evidence


def test_unknown_columns_are_refused_with_the_known_formats_and_the_way_to_map() -> None:
    with pytest.raises(BadInput) as error:
        choose("rows.csv", detect([{"title": "x", "body": "y"}], {}))
    assert "title, body" in error.value.what
    assert "alpaca: instruction, output" in error.value.why
    assert "columns:" in error.value.fix


def test_a_format_that_was_asked_for_names_the_columns_it_lacks() -> None:
    with pytest.raises(BadInput, match="need the columns instruction and output"):
        choose("rows.csv", detect([{"instruction": "x", "reply": "y"}], {}, "alpaca"))


CHOSEN, REJECTED = {"role": "assistant", "content": "good"}, {"role": "assistant", "content": "bad"}
ASKED = {"role": "user", "content": "q"}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "chosen": "good", "rejected": "bad"},
        {"question": "q", "chosen": "good", "rejected": "bad"},
        {"instruction": "q", "input": "", "chosen": "good", "rejected": "bad"},
        {"prompt": [ASKED], "chosen": [CHOSEN], "rejected": [REJECTED]},
        {"prompt": "q", "chosen": [ASKED, CHOSEN], "rejected": [ASKED, REJECTED]},
        {"chosen": [ASKED, CHOSEN], "rejected": [ASKED, REJECTED]},
        {"chosen": "\n\nHuman: q\n\nAssistant: good", "rejected": "\n\nHuman: q\n\nAssistant: bad"},
        {
            "conversations": [{"from": "human", "value": "q"}],
            "chosen": {"from": "gpt", "value": "good"},
            "rejected": {"from": "gpt", "value": "bad"},
        },
    ],
)
def test_every_way_to_write_a_preference_pair_becomes_the_same_row(row: dict[str, Any]) -> None:
    candidate = converted(row)
    assert candidate.findings == []
    assert canonical(candidate) == {"prompt": [ASKED], "chosen": [CHOSEN], "rejected": [REJECTED]}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "completion": "good", "label": True},
        {"messages": [ASKED, CHOSEN], "label": "yes"},
        {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "good"}], "kto_tag": 1},
        {"instruction": "q", "output": "good", "label": "true"},
    ],
)
def test_every_way_to_mark_an_answer_becomes_the_same_row(row: dict[str, Any]) -> None:
    candidate = converted(row)
    assert candidate.findings == []
    assert canonical(candidate) == {"prompt": [ASKED], "completion": [CHOSEN], "label": True}


def test_an_answer_that_is_data_stays_structured_and_is_written_as_json() -> None:
    answer = {"recommendation": "climb", "confidence": 0.8, "steps": ["é"]}
    candidate = converted({"instruction": "q", "output": answer})
    assert candidate.structured == answer
    assert json.loads(candidate.parts["messages"][1].text) == answer
    assert "é" in candidate.parts["messages"][1].text
    assert canonical(candidate)["answer"] == answer
    in_turns = converted({"messages": [ASKED, {"role": "assistant", "content": answer}]})
    assert canonical(in_turns) == canonical(candidate)


def test_text_parts_are_joined_and_images_are_named() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert turns({"messages": [{"role": "user", "content": parts}, CHOSEN]})[0] == ("user", "one\ntwo")
    seen = converted({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, CHOSEN]})
    assert [finding.what for finding in seen.findings] == ["holds image_url"]


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
    assert converted(row).tools == [WRAPPED_TOOL]
    assert messages(row)[1:3] == [
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
    assert messages(row)[1:] == [
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
    assert messages(row)[1:] == [
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", **WRAPPED_CALL}]},
        {"role": "tool", "content": "3", "name": "add", "tool_call_id": "c1"},
    ]
    assert converted(row).tools == [WRAPPED_TOOL]


def test_messages_may_be_json_text_and_a_blank_system_prompt_is_none() -> None:
    said = [
        {"role": "system", "content": " "},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
    ]
    assert turns({"messages": json.dumps(said)}) == [("user", "q"), ("assistant", "a")]


@pytest.mark.parametrize(
    ("row", "field", "what"),
    [
        ({"messages": None}, "messages", "is missing"),
        ({"messages": "hello"}, "messages", "is text that is no JSON list"),
        ({"messages": {"speaker": "user"}}, "messages", "is an object"),
        ({"messages": ["hello"]}, "messages, turn 1", "is text, not an object"),
        ({"messages": [{"content": "hello"}]}, "messages, turn 1", "has no role"),
        ({"conversations": [{"from": "function_call", "value": "add 1"}]}, "conversations, turn 1", "is no tool call"),
        ({"messages": [ASKED], "tools": "add"}, "tools", "is text that is no JSON list"),
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
        for names in known.required:
            for column in known.columns:
                known.convert({**dict.fromkeys(names, "x"), column: junk})
        known.convert(dict.fromkeys(known.columns, junk))
