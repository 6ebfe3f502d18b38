"""The language of a text is told where there is enough of it, and rows in others than those wanted are found."""

from __future__ import annotations

import pytest

from datasets_src.checks.language import LANGUAGES, language_of
from tests.datasets_src.checks.rows import answer, chat, find
from tests.datasets_src.planted_languages import SENTENCES

GERMAN = "Die Straße führt über eine schmale Brücke, unter der im Frühjahr das Wasser rauscht."
ENGLISH = "Most of the river’s water comes from melting snow, which is why it rises in late spring."


@pytest.mark.parametrize("language", SENTENCES)
def test_every_sentence_is_told_right(language: str) -> None:
    assert {language_of(sentence) for sentence in SENTENCES[language]} == {language}


@pytest.mark.parametrize("text", ["", "42", "Ok.", "x = 3\ny = x ** 2", "a² + b² = c²", "⭐⭐⭐⭐⭐"])
def test_where_there_is_no_language_none_is_named(text: str) -> None:
    assert language_of(text) is None


def test_the_codes_are_those_that_the_identifier_knows() -> None:
    from datasets_src.checks.language import SAME, _identifier

    told = {SAME.get(label, label) for label in _identifier().labels}
    assert set(LANGUAGES) <= told


def test_nothing_is_found_unless_languages_are_named() -> None:
    assert find("language", answer(GERMAN)) == []


def test_an_answer_in_another_language_is_found_with_its_name() -> None:
    finding = find("language", answer(GERMAN), "en", "fr")[0]
    assert (finding.field, finding.what) == ("messages, turn 2", "is in another language (de)")
    assert find("language", answer(GERMAN), "en", "de") == []
    assert find("language", answer(ENGLISH), "en") == []
    assert find("language", answer(ENGLISH), "de")


def test_the_answer_counts_and_where_it_is_too_short_the_whole_row() -> None:
    assert find("language", chat(("user", GERMAN), ("assistant", ENGLISH)), "en") == []
    assert find("language", chat(("user", GERMAN), ("assistant", "Ja.")), "en")
    assert find("language", chat(("user", "Ja?"), ("assistant", "Ja.")), "en") == []


@pytest.mark.parametrize(
    "code", ["```\nfür = 1\nwährend(für)\n```", "SELECT größe FROM straßen WHERE (größe > 3);" * 3]
)
def test_code_is_not_judged(code: str) -> None:
    assert find("language", answer(code), "fr") == []
