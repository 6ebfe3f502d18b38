"""Each check finds its fault, names the field and the reason, and leaves sound rows alone."""

from __future__ import annotations

from typing import Any

import pytest

from datasets_src.checks import CHECKS, check_conversation
from datasets_src.convert import from_columns, from_turns
from datasets_src.rows import Finding


def chat(*turns: tuple[str, Any]) -> list[Finding]:
    messages = [{"role": role, "content": content} for role, content in turns]
    return check_conversation(from_turns({"messages": messages}, "messages"))


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize(
    "turns",
    [
        [("user", "q"), ("assistant", "a")],
        [("system", "s"), ("user", "q"), ("assistant", "a"), ("user", "q"), ("assistant", "a")],
        [("user", "q"), ("assistant", "calling"), ("tool", "1"), ("tool", ""), ("assistant", "a")],
    ],
)
def test_sound_rows_have_no_findings(turns: list[tuple[str, Any]]) -> None:
    assert chat(*turns) == []


def test_a_row_without_an_answer_says_so_and_names_the_field() -> None:
    for answer, what in ((None, "is missing"), ("", "is empty"), (" \n", "is empty")):
        row = {"instruction": "q", "output": answer}
        finding = only(check_conversation(from_columns(row, question="instruction", answer="output")))
        assert (finding.field, finding.what) == ("output", what)
        assert "nothing to learn from" in finding.why


def test_a_conversation_that_ends_with_the_user_has_no_answer() -> None:
    finding = only(chat(("user", "q"), ("assistant", "a"), ("user", "and?")))
    assert (finding.field, finding.what) == ("messages, turn 3", "has no answer")


def test_no_turns_at_all() -> None:
    assert only(chat()).what == "has no turns"


@pytest.mark.parametrize(
    ("content", "shown"), [(5, "a number"), (True, "true or false"), (["a"], "a list"), ({"a": 1}, "an object")]
)
def test_content_that_is_not_text_is_named_by_its_type(content: Any, shown: str) -> None:
    finding = only(chat(("user", "q"), ("assistant", content)))
    assert (finding.field, finding.what) == ("messages, turn 2", f"is {shown}, not text")


def test_an_empty_user_turn() -> None:
    assert only(chat(("user", ""), ("assistant", "a"))).field == "messages, turn 1"


def test_an_unknown_role_is_named_with_the_known_ones() -> None:
    finding = only(chat(("narrator", "q"), ("assistant", "a")))
    assert finding.what == "has the unknown role 'narrator'"
    assert "assistant (gpt)" in finding.why


@pytest.mark.parametrize(
    ("turns", "field", "what"),
    [
        ([("assistant", "a")], 1, "wrong order: assistant begins the row"),
        ([("user", "q"), ("user", "q"), ("assistant", "a")], 2, "wrong order: user follows user"),
        ([("user", "q"), ("assistant", "a"), ("assistant", "a")], 3, "wrong order: assistant follows assistant"),
        ([("user", "q"), ("system", "s"), ("assistant", "a")], 2, "wrong order: system follows user"),
        ([("user", "q"), ("tool", "1"), ("assistant", "a")], 2, "wrong order: tool follows user"),
    ],
)
def test_wrong_order_is_found_where_it_begins(turns: list[tuple[str, str]], field: int, what: str) -> None:
    finding = chat(*turns)[0]
    assert (finding.field, finding.what) == (f"messages, turn {field}", what)


def test_all_faults_of_a_row_are_gathered() -> None:
    findings = chat(("user", ""), ("assistant", 5), ("user", "q"))
    assert {finding.field for finding in findings} == {"messages, turn 1", "messages, turn 2", "messages, turn 3"}


def test_every_check_says_what_it_is_for() -> None:
    assert all(check.__doc__ for check in CHECKS)
