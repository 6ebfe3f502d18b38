"""A row as people read it, of all four kinds, short and whole."""

from __future__ import annotations

from typing import Any

from ui.row_cards import LISTED_TURNS, SHOWN_CHARACTERS, row_html, short_row_html
from ui.rows_view import rows_table

QUESTION = {"role": "user", "content": "Which <one>?"}
GOOD = {"role": "assistant", "content": "This one."}
WORSE = {"role": "assistant", "content": "Whatever."}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"type": "function", "function": {"name": "convert", "arguments": {"amount": 1000}}}],
}
KINDS: dict[str, dict[str, Any]] = {
    "conversation": {"messages": [QUESTION, GOOD]},
    "preference": {"prompt": [QUESTION], "chosen": [GOOD], "rejected": [WORSE]},
    "unpaired": {"prompt": [QUESTION], "completion": [WORSE], "label": False},
    "text": {"text": "Which <one>? Nobody knows."},
}


def test_a_list_and_a_table_draw_every_kind_of_row_without_letting_html_through() -> None:
    for name, row in KINDS.items():
        for html in (short_row_html(row), row_html(row), rows_table([{**row, "source": "a.jsonl", "row": 7}])):
            assert "Which &lt;one&gt;?" in html and "<one>" not in html, name
    table = rows_table([{**KINDS["preference"], "source": "a.jsonl", "row": 7}])
    assert "This one." in table and "Whatever." in table and "a.jsonl, row 7" in table


def test_the_chosen_answer_stands_beside_the_rejected_one() -> None:
    html = row_html(KINDS["preference"])
    assert html.index("Chosen") < html.index("This one.") < html.index("Rejected") < html.index("Whatever.")


def test_an_unpaired_answer_says_whether_it_is_good() -> None:
    assert "bad answer" in row_html(KINDS["unpaired"]) and "bad answer" in short_row_html(KINDS["unpaired"])
    assert "good answer" in row_html({**KINDS["unpaired"], "label": True})


def test_tool_calls_and_tool_results_are_readable_json() -> None:
    result = {"role": "tool", "content": '{"converted": 850.5}'}
    tools = [{"type": "function", "function": {"name": "convert", "parameters": {}}}]
    html = row_html({"messages": [QUESTION, CALL, result, GOOD], "tools": tools})
    assert "calls <b>convert</b>" in html and "{\n  &quot;amount&quot;: 1000\n}" in html
    assert "{\n  &quot;converted&quot;: 850.5\n}" in html and "1 tool may be called: convert" in html
    assert "calls convert" in short_row_html({"messages": [QUESTION, CALL, result, GOOD]})


def test_a_long_row_is_cut_short_in_a_list_but_both_answers_stay() -> None:
    turns = [{"role": role, "content": f"turn {n}"} for n in range(6) for role in ("user", "assistant")]
    html = short_row_html({"prompt": turns, "chosen": [GOOD], "rejected": [WORSE]})
    assert html.count('class="turn') == LISTED_TURNS and "10 more turns" in html
    assert "This one." in html and "Whatever." in html
    html = short_row_html({"messages": turns})
    assert "turn 5" in html and "8 more turns" in html


def test_the_end_of_a_long_text_is_behind_a_click_and_not_lost() -> None:
    html = row_html({"text": "a" * SHOWN_CHARACTERS + "the end"})
    assert html.index("7 more characters") < html.index("the end")


def test_a_row_that_cannot_be_read_shows_as_it_stands_in_its_source() -> None:
    row = {"raw": {"frage": "Wie?"}, "source": "a.jsonl", "row": 3}
    assert "can't be used" in row_html(row) and "frage" in row_html(row)
    assert "can't be used" in short_row_html(row) and "frage" in short_row_html(row)
