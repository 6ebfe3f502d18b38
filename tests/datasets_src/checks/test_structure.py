"""Each structure check finds its fault, names the field and the reason, and leaves sound rows alone."""

from __future__ import annotations

from typing import Any

import pytest

from datasets_src.checks import ROW_CHECKS
from datasets_src.rows import Candidate, Finding
from tests.datasets_src.checks.rows import Said, answer, chat, find, fixed, pair, said

CALL = [{"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}]
STRUCTURE = [check.name for check in ROW_CHECKS if check.group == "structure"]


def found(row: Candidate) -> list[tuple[str, Finding]]:
    return [(name, finding) for name in STRUCTURE for finding in find(name, row)]


def only(row: Candidate) -> tuple[str, Finding]:
    findings = found(row)
    assert len(findings) == 1, findings
    return findings[0]


def with_tool(*turns: Said) -> Candidate:
    """A chat whose assistant's turns without text call a tool."""
    row = chat(*turns)
    for turn in row.turns():
        if turn.role == "assistant" and not turn.text:
            turn.message["tool_calls"] = CALL
    return row


def text_row(content: Any) -> Candidate:
    row = Candidate("text")
    row.add("text", "text", content, "text")
    return row


@pytest.mark.parametrize(
    "row",
    [
        chat(("user", "q"), ("assistant", "a")),
        chat(("system", "s"), ("user", "q"), ("assistant", "a"), ("user", "q"), ("assistant", "a")),
        with_tool(("user", "q"), ("assistant", ""), ("tool", "1"), ("tool", ""), ("assistant", "a")),
        with_tool(("user", "q"), ("assistant", "")),
        chat(("user", "q"), ("assistant", "<tool_call>{}</tool_call>"), ("tool", "1"), ("assistant", "a")),
        pair("yes", "no"),
        text_row("a text"),
    ],
)
def test_sound_rows_of_every_kind_have_no_findings(row: Candidate) -> None:
    assert found(row) == []


@pytest.mark.parametrize(
    ("content", "name", "what"),
    [
        (None, "missing_content", "is missing"),
        ("", "empty_turn", "is empty"),
        (" \n", "empty_turn", "is empty"),
        ("\u00a0\u200b", "empty_turn", "is empty"),
        (5, "missing_content", "is a number, not text"),
        (True, "missing_content", "is true or false, not text"),
        (["a"], "missing_content", "is a list, not text"),
        ({"a": 1}, "missing_content", "is an object, not text"),
    ],
)
def test_an_answer_that_says_nothing_is_named_with_its_field(content: Any, name: str, what: str) -> None:
    got, finding = only(answer(content))
    assert (got, finding.field, finding.what) == (name, "messages, turn 2", what)


def test_an_empty_text_and_a_missing_one_are_told_apart() -> None:
    assert only(text_row(" "))[0] == "empty_turn"
    assert only(text_row(None))[0] == "missing_content"
    assert only(Candidate("text"))[0] == "missing_content"


def test_what_went_wrong_in_converting_is_unreadable() -> None:
    row = answer("a")
    row.fault("messages, turn 3", "is a number, not an object", "a turn has a role and a content")
    assert only(row)[0] == "unreadable"


def test_an_unknown_role_is_named_with_the_known_ones() -> None:
    name, finding = only(chat(("narrator", "q"), ("assistant", "a")))
    assert (name, finding.what) == ("unknown_role", "has the unknown role 'narrator'")
    assert "assistant (gpt)" in finding.why


@pytest.mark.parametrize(
    ("turns", "turn", "what"),
    [
        ([("assistant", "a"), ("user", "q"), ("assistant", "a")], 1, "wrong order: assistant begins the row"),
        ([("user", "q"), ("user", "q"), ("assistant", "a")], 2, "wrong order: user follows user"),
        ([("user", "q"), ("assistant", "a"), ("assistant", "a")], 3, "wrong order: assistant follows assistant"),
        ([("user", "q"), ("system", "s"), ("assistant", "a")], 2, "wrong order: system follows user"),
        ([("user", "q"), ("tool", "1"), ("assistant", "a")], 2, "wrong order: tool follows user"),
        ([("user", "q"), ("assistant", "a"), ("tool", "1"), ("assistant", "a")], 3, "answers without a call"),
    ],
)
def test_wrong_order_is_found_where_it_begins(turns: list[Said], turn: int, what: str) -> None:
    finding = find("role_order", chat(*turns))[0]
    assert finding.field == f"messages, turn {turn}"
    assert what in finding.what


def test_a_prompt_that_both_answers_share_is_judged_once() -> None:
    row = pair("yes", "no")
    row.parts["prompt"][0].message["role"] = "assistant"
    assert [finding.field for finding in find("role_order", row)] == ["prompt", "chosen", "rejected"]


@pytest.mark.parametrize(
    ("row", "field", "what"),
    [
        (chat(), "", "has no turns"),
        (chat(("user", "q"), ("assistant", "a"), ("user", "and?")), "messages, turn 3", "has no answer"),
        (Candidate("preference"), "chosen", "has no chosen answer"),
        (Candidate("unpaired"), "completion", "has no answer"),
    ],
)
def test_a_row_that_ends_without_an_answer(row: Candidate, field: str, what: str) -> None:
    finding = find("unanswered", row)[0]
    assert (finding.field, finding.what) == (field, what)


@pytest.mark.parametrize("rejected", ["Café au lait", " Café  au\nlait ", "Cafe\u0301 au lait"])
def test_equal_answers_are_found_whatever_their_white_space_and_accents(rejected: str) -> None:
    assert only(pair("Café au lait", rejected))[0] == "chosen_equals_rejected"


def test_answers_that_differ_in_a_letter_are_a_preference() -> None:
    assert find("chosen_equals_rejected", pair("Yes", "yes")) == []
    assert find("chosen_equals_rejected", pair(5, 5)) != []


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("empty_turn", "s- u a", "u a"),
        ("empty_turn", "u a u a-", "u a"),
        ("empty_turn", "u- a", "u- a"),
        ("empty_turn", "u a u- a", "u a u- a"),
        ("role_order", "a u a", "u a"),
        ("role_order", "s a u a", "s u a"),
        ("role_order", "u s a", "u a"),
        ("role_order", "u t a", "u t a"),
        ("unanswered", "u a u", "u a"),
        ("unanswered", "s u", "s u"),
    ],
)
def test_a_fix_makes_the_row_sound_or_leaves_it_alone(name: str, before: str, after: str) -> None:
    roles = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    row = chat(*((roles[turn[0]], "" if turn.endswith("-") else turn) for turn in before.split()))
    fixed(name, row)
    marks = [turn.role[0] + ("" if turn.text else "-") for turn in row.turns()]
    assert " ".join(marks) == after
    if before != after:
        assert found(row) == []


def test_neighbours_of_one_role_are_joined_with_a_blank_line() -> None:
    row = chat(("system", "s"), ("system", "t"), ("user", "p"), ("user", "q"), ("assistant", "a"), ("assistant", "b"))
    fixed("role_order", row)
    assert said(row) == [("system", "s\n\nt"), ("user", "p\n\nq"), ("assistant", "a\n\nb")]


def test_a_text_before_a_call_is_joined_to_it_and_nothing_after_a_call() -> None:
    row = with_tool(("user", "q"), ("assistant", "One moment."), ("assistant", ""), ("tool", "1"), ("assistant", "a"))
    fixed("role_order", row)
    assert said(row)[1] == ("assistant", "One moment.")
    assert row.parts["messages"][1].message["tool_calls"] == CALL
    unclear = with_tool(("user", "q"), ("assistant", ""), ("assistant", "a"))
    fixed("role_order", unclear)
    assert len(unclear.parts["messages"]) == 3


def test_a_preference_is_cut_back_in_each_answer_and_never_to_nothing() -> None:
    row = pair("yes", "no")
    row.add("chosen", "user", "And then?", "chosen")
    fixed("unanswered", row)
    assert [len(row.parts[name]) for name in ("prompt", "chosen", "rejected")] == [1, 1, 1]
    row.parts["rejected"].clear()
    fixed("unanswered", row)
    assert find("unanswered", row)
