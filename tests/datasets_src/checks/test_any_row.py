"""Whatever a row holds, no check stumbles over it, and none takes long."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_src.checks import CHECKS, ROW_CHECKS, CheckSettings
from datasets_src.checks.private import forget
from datasets_src.rows import PARTS, Candidate, Kind, Turn
from tests.datasets_src.checks.rows import answer, chat

SETTINGS = CheckSettings(("fr",))
# Surrogates too: JSON can name them.
TEXTS = st.text(st.characters(), max_size=80)
PIECES = st.sampled_from(
    (
        *("Ã©", "\ud83d", "\x00", "&amp;", "a@b.com", "+49 30 1234567", "4111111111111111", "password='Xk9!vbQ2w'"),
        *("1.2.3.4", "I'm sorry, but I can't help", "Certainly! ", "I hope this helps!", "very " * 60, "\u200b", "```"),
    )
)
CONTENTS = st.lists(st.one_of(TEXTS, PIECES), max_size=6).map("".join)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | CONTENTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
ROLES = st.sampled_from(["system", "user", "assistant", "tool", "text", "narrator", ""])


@st.composite
def rows(draw: st.DrawFn) -> Candidate:
    kind: Kind = draw(st.sampled_from(list(PARTS)))
    row = Candidate(kind, desirable=draw(st.none() | st.booleans()))
    for part in draw(st.sets(st.sampled_from(PARTS[kind]))):
        for role, content, calls in draw(st.lists(st.tuples(ROLES, CONTENTS | VALUES, st.none() | VALUES), max_size=3)):
            row.part(part).append(Turn({"role": role, "content": content}, part))
            if calls is not None:
                row.part(part)[-1].message["tool_calls"] = calls
    row.tools = draw(st.lists(st.dictionaries(TEXTS, VALUES, max_size=2), max_size=2))
    return row


@given(rows())
@settings(max_examples=150, deadline=None, database=None)
def test_any_json_value_anywhere_is_borne(row: Candidate) -> None:
    for check in ROW_CHECKS:
        tried = copy.deepcopy(row)
        findings = list(check.find(tried, SETTINGS))
        assert all(finding.what and finding.why for finding in findings)
        # Not `==`: a number that is none equals nothing.
        assert repr(tried) == repr(row), "finding changed the row"
        if findings and check.fix is not None:
            check.fix(tried, SETTINGS)
            list(check.find(tried, SETTINGS))


def test_values_nested_deeper_than_the_stack_are_borne() -> None:
    deep: Any = "anna@web.de"
    for _ in range(5000):
        deep = [deep]
    row = chat(("user", "q"), ("assistant", ""))
    row.parts["messages"][1].message["tool_calls"] = deep
    for check in ROW_CHECKS:
        found = list(check.find(row, SETTINGS))
        assert bool(found) == (check.name == "email")
        if found and check.fix is not None:
            check.fix(row, SETTINGS)


@pytest.mark.parametrize(
    "unit",
    ["a", "1 ", "1-", "+49 ", "a@", "a@b.", "(0)", "::", "1.1.1.", "DE89 3704 0044 ", "&amp;", "<a ", "```", "\u200b",
     "Ã©", "password=", "eyJa.", "-----BEGIN PRIVATE KEY-----", "phone: ", "a [at] b [dot] ", "I'm sorry ", "! ",
     "hope this helps ", "my knowledge ", "the ", "\n", "锛", "&amp", "://a:"],
)  # fmt: skip
def test_the_time_grows_with_the_text_and_not_with_its_square(unit: str) -> None:
    def seconds(characters: int) -> float:
        forget()
        row = answer((unit * characters)[:characters])
        started = time.process_time()
        for check in ROW_CHECKS:
            list(check.find(row, SETTINGS))
            if check.fix is not None:
                check.fix(copy.deepcopy(row), SETTINGS)
        return time.process_time() - started

    # Eight times as long: sixty-four times the time, were it the square.
    assert seconds(40_000) < 24 * seconds(5_000) + 0.2


def test_every_check_says_what_it_is_for() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    for check in ROW_CHECKS:
        assert check.name.isidentifier() and check.title and check.explanation.endswith(".")
        assert check.default in check.remedies
        assert bool(check.fix) == bool(check.fix_in_words) == ("fix" in check.remedies)
