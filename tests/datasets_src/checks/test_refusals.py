"""Refusals are told by how an answer begins, boilerplate by whole sentences; talk about either is left alone."""

from __future__ import annotations

import pytest

from datasets_src.rows import Candidate
from tests.datasets_src.checks.rows import answer, chat, find, fixed, pair


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m afraid I cannot comply with that request.",
        "Hello! Unfortunately, I'm not able to answer that.",
        "As an AI language model, I don't have personal opinions.",
        "I must respectfully decline.",
        "Es tut mir leid, aber dabei kann ich nicht helfen.",
        "Lo siento, pero no puedo ayudar con eso.",
        "抱歉，我无法提供这方面的信息。",
    ],
)
def test_a_refusal_is_found_at_the_beginning_of_an_answer(text: str) -> None:
    assert find("refusal", answer(text))


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry to hear that. When did it begin?",
        "I'm sorry, but I can't make it to your party.",
        "I cannot recommend this book enough.",
        "I can't wait for the summer!",
        "As an AI researcher, I don't sleep much.",
        "As an AI, I can help you plan it.",
        "Bots say “I'm sorry, but I can't help with that.” when they refuse.",
        "The robot spoke. “I am unable to comply,” it said.",
        "Unfortunately, the bridge is closed.",
    ],
)
def test_what_only_sounds_like_a_refusal_is_left_alone(text: str) -> None:
    assert find("refusal", answer(text)) == []


def test_an_answer_that_the_model_is_to_avoid_may_refuse() -> None:
    refusal = "I'm sorry, but I can't help with that."
    assert find("refusal", pair("Gladly.", refusal)) == []
    assert find("refusal", pair(refusal, "Gladly."))
    avoided = Candidate("unpaired", desirable=False)
    avoided.add("completion", "assistant", refusal, "completion")
    assert find("refusal", avoided) == []


def test_an_answer_that_is_only_given_may_refuse() -> None:
    row = chat(
        ("user", "q"), ("assistant", "I'm sorry, but I can't help with that."), ("user", "q"), ("assistant", "a")
    )
    assert find("refusal", row)
    row.last_only = True
    assert find("refusal", row) == []


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Certainly! Here is a short poem:\n\nRoses are red.", "Roses are red."),
        ("Sure! Paris.", "Paris."),
        ("Great question! It is 4. I hope this helps! Let me know if you need anything else.", "It is 4."),
        ("It is 4. Is there anything else I can help you with?", "It is 4."),
        ("As of my last knowledge update in 2021, no. It rains.", "It rains."),
        ("News of today.\nClick here to subscribe to our newsletter.\nIt rains.", "News of today.\n\nIt rains."),
        ("It rains. We use cookies to improve your visit. It snows.", "It rains. It snows."),
        ("As an AI, I can list them: a, b.", "I can list them: a, b."),
        ("Natürlich! Hier ist eine Liste:\n- eins", "- eins"),
    ],
)
def test_boilerplate_is_removed_and_the_answer_stays(text: str, rest: str) -> None:
    row = answer(text)
    assert len(find("boilerplate", row)) == 1
    assert fixed("boilerplate", row)[1] == rest
    assert find("boilerplate", row) == []


def test_an_answer_that_is_nothing_but_boilerplate_stays_as_it_is() -> None:
    assert fixed("boilerplate", answer("Certainly!"))[1] == "Certainly!"


@pytest.mark.parametrize(
    "text",
    [
        "Certainly not in July.",
        "Of course, October is another matter.",
        "Here are three reasons:\n- one",
        "Sites use cookies to keep you signed in.",
        "A knowledge cutoff is the date of the newest documents.",
        "Let me know when you arrive, she wrote. Then she left.",
    ],
)
def test_what_only_sounds_like_boilerplate_is_left_alone(text: str) -> None:
    assert find("boilerplate", answer(text)) == []


def test_a_text_row_may_hold_remains_of_a_web_page() -> None:
    row = Candidate("text")
    row.add("text", "text", "It rains. Click here to subscribe. It snows.", "text")
    assert find("boilerplate", row)
