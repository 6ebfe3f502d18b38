"""Damage to characters is found and mended; genuine text of many languages, maths and code is left alone."""

from __future__ import annotations

import pytest

from tests.datasets_src.checks.rows import answer, chat, find, fixed
from tests.datasets_src.planted_languages import SENTENCES

NAMES = (
    *("broken_characters", "mojibake", "lost_characters", "control_characters", "invisible_characters"),
    "html_entities",
)


@pytest.mark.parametrize("language", SENTENCES)
def test_genuine_sentences_are_left_alone(language: str) -> None:
    for sentence in SENTENCES[language]:
        assert [name for name in NAMES if find(name, answer(sentence))] == []


@pytest.mark.parametrize(
    "text",
    [
        "∑ k² ≤ ∞, √2 ∉ ℚ, ¬p ≈ q, f: ℝ → ℝ",
        "┌──┬──┐\n│ a│ b│\n└──┴──┘ ▁▂▃",
        "«CAFÉ» … «CITTÀ», “É…” —À— 25 °C ± 0.5 µm",
        "👨\u200d👩\u200d👧 🏳️\u200d🌈 ❤️\u200d🔥 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "col1\tcol2\r\nx\fy",
        "R&D, AT&T, a && b, ?a=1&copy=2, &c.",
    ],
)
def test_signs_that_only_look_strange_are_left_alone(text: str) -> None:
    assert [name for name in NAMES if find(name, answer(text))] == []


@pytest.mark.parametrize(
    ("name", "damaged", "sound"),
    [
        ("mojibake", "il dÃ©jeune Ã\xa0 midi, câ€™est tÃ´t", "il déjeune à midi, c’est tôt"),
        ("mojibake", "ï»¿Hello", "Hello"),
        ("mojibake", "\x93quoted\x94", "“quoted”"),
        ("mojibake", "Ã\x83Â©tÃ\x83Â©", "été"),
        ("mojibake", "РџСЂРёРІРµС‚, РјРёСЂ", "Привет, мир"),
        ("mojibake", "La ni√±a pregunt√≥", "La niña preguntó"),
        ("mojibake", "浠栨妸涔︽斁鍥炰功鏋讹紝", "他把书放回书架，"),
        ("mojibake", "one line: cafÃ©\nanother: café\nand «É…»", "one line: café\nanother: café\nand «É…»"),
        ("broken_characters", "a \ud83d\ude00 and \ud83d b", "a 😀 and  b"),
        ("control_characters", "\x1b[31mred\x1b[0m\x00 \x08text", "red text"),
        ("invisible_characters", "zero\u200bwidth, \ufeffmark, soft\u00adhyphen, \u202eturned\u202c, non\u200cjoined",
         "zerowidth, mark, softhyphen, turned, nonjoined"),
        ("invisible_characters", "hidden\U000e0041\U000e0042", "hidden"),
        ("html_entities", "Tom &amp; Jerry&#39;s &quot;show&quot;", "Tom & Jerry's \"show\""),
        ("html_entities", "5 &amp;lt; 7 but `&amp;` stays", "5 < 7 but `&amp;` stays"),
    ],
)  # fmt: skip
def test_damage_is_found_and_mended(name: str, damaged: str, sound: str) -> None:
    row = answer(damaged)
    assert [finding.field for finding in find(name, row)] == ["messages, turn 2"]
    assert fixed(name, row)[1] == sound
    assert find(name, row) == []


def test_lost_characters_are_counted_and_can_not_be_mended() -> None:
    assert "2 characters" in find("lost_characters", answer("caf\ufffd cr\ufffdme"))[0].what


def test_entities_in_a_row_about_markup_are_meant() -> None:
    assert find("html_entities", chat(("user", "Escape this for HTML."), ("assistant", "Write &lt; for <."))) == []
    assert find("html_entities", answer("<p>Salt &amp; pepper</p>")) == []
    assert find("html_entities", answer("s.replace('&', '&amp;')")) == []


def test_damage_inside_a_tool_call_is_found_and_mended() -> None:
    row = chat(("user", "q"), ("assistant", ""))
    row.parts["messages"][1].message["tool_calls"] = [{"function": {"arguments": {"k\ud83d": ["cafÃ©\x00"]}}}]
    for name in ("broken_characters", "mojibake", "control_characters"):
        assert [finding.field for finding in find(name, row)] == ["messages, turn 2"]
        fixed(name, row)
    assert row.parts["messages"][1].message["tool_calls"] == [{"function": {"arguments": {"k": ["café"]}}}]
