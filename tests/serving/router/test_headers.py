"""The response headers: one line of bounded printable ASCII, whatever stands in the decision."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.router.decision import LONGEST_HEADER, Attempt, Decision, MemberVote, Outcome, header_value, headers

TEXTS = st.text(st.characters(), max_size=400) | st.sampled_from(
    ["a\r\nSet-Cookie: x=1", "\u2028x", "x\x00y", "\ud800", " \t ", "é" * 300, "ﷺ" * 200, "\x85X: 1", "x" * 10**6]
)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_headers_are_single_printable_lines_that_inject_nothing(model: str, route: str, reason: str, vote: str) -> None:
    decision = Decision(
        route,
        model,
        reason,
        model=model,
        tried=(Attempt(route, Outcome.FAILED, vote),),
        votes=(MemberVote(model, vote, 1.0, won=True), MemberVote(route, None, problem=reason)),
    )
    found = headers(decision)
    assert list(found) == ["X-Hearth-Model", "X-Hearth-Route", "X-Hearth-Reason"]
    for value in found.values():
        assert 1 <= len(value) <= LONGEST_HEADER
        assert all(" " <= sign <= "~" for sign in value)
        assert value == value.strip() and "  " not in value
        value.encode("ascii")


def test_what_can_be_read_stays_readable() -> None:
    assert header_value("Gerät für\n Übersetzung") == "Gerat fur Ubersetzung"
    assert header_value("代码") == "??"
    assert header_value("") == "-"
    assert header_value("word " * 100).endswith("...")


def test_the_model_is_the_one_that_answered_or_else_the_target() -> None:
    assert headers(Decision("r", "experts", "why", model="acm"))["X-Hearth-Model"] == "acm"
    assert headers(Decision("r", "experts", "why"))["X-Hearth-Model"] == "experts"
