"""JSON out of answers: read where there is one way to read it, refused by kind where there isn't."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from models.endpoints.client import FailureKind, UnusableAnswer
from models.endpoints.structured import find_object, parse_as, without_thinking


class Named(BaseModel):
    name: str


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Zor"}',
        '  {"name": "Zor"}\n',
        'Sure! Here it is:\n```json\n{"name": "Zor"}\n```\nAnything else?',
        '```\n{"name": "Zor"}\n```',
        'As [1] says {roughly}: {"name": "Zor"} (see [2]).',
        'The name {as asked is {"name": "Zor"}',
        '<think>\nMaybe {"name": "Bor"}?\n</think>\n{"name": "Zor"}',
        'Maybe {"name": "Bor"}?\n</think>\n\n{"name": "Zor"}',
        'For {"name": "…"} I chose:\n```json\n{"name": "Zor"}\n```',
        '[{"name": "Zor"}]',
    ],
)
def test_prose_fences_and_thoughts_around_one_object_are_stripped(text: str) -> None:
    assert parse_as(text, Named).name == "Zor"


@pytest.mark.parametrize(
    "name", ["```python\nprint('{')\n```", "a } in { a string", 'a "quoted" one', "two\nlines", "</think>", "\\"]
)
def test_what_stands_inside_a_string_is_not_taken_for_structure(name: str) -> None:
    import json

    assert parse_as(json.dumps({"name": name}), Named).name == name
    # Models write line ends inside strings as they are.
    assert parse_as(json.dumps({"name": name}).replace("\\n", "\n"), Named).name == name


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", FailureKind.EMPTY),
        ("<think>hm</think>", FailureKind.EMPTY),
        ("My name is Zor.", FailureKind.PROSE),
        ("{Zor}", FailureKind.PROSE),
        ('{"name": "Zor"} or {"name": "Bor"}', FailureKind.PROSE),
        ('[{"name": "Zor"}, {"name": "Bor"}]', FailureKind.PROSE),
        ('{"name": "Zo', FailureKind.CUT_SHORT),
        ('{"name": "Zor", "more": {"a": 1}', FailureKind.CUT_SHORT),
        ('```json\n{"name": "Zor",', FailureKind.CUT_SHORT),
        ('<think>Is it {"name": "Bor"}? Or', FailureKind.CUT_SHORT),
        ('{"nome": "Zor"}', FailureKind.WRONG_SHAPE),
        ('{"name": 3}', FailureKind.WRONG_SHAPE),
    ],
)
def test_what_cannot_be_read_for_certain_is_refused_by_kind(text: str, kind: FailureKind) -> None:
    with pytest.raises(UnusableAnswer) as caught:
        parse_as(text, Named)
    assert caught.value.kind is kind


def test_an_answer_without_json_that_met_the_limit_of_tokens_was_cut_short() -> None:
    with pytest.raises(UnusableAnswer) as caught:
        find_object("First of all, let me say", finish_reason="length")
    assert caught.value.kind is FailureKind.CUT_SHORT


def test_hostile_brackets_take_no_time() -> None:
    with pytest.raises(UnusableAnswer):
        find_object("{a " * 100_000)


def test_thoughts_alone_are_no_answer() -> None:
    assert without_thinking("<think>hm</think> Yes.") == "Yes."
    with pytest.raises(UnusableAnswer):
        without_thinking("<think>hm")
