"""Names that Ollama takes, and those it would refuse, told apart before anything is sent."""

from __future__ import annotations

import pytest

from export.ollama.names import name_problem, parse_name, require_namespace, suggested
from jobs.errors import BadInput


@pytest.mark.parametrize(
    ("text", "short", "whole"),
    [
        ("snake", "snake:latest", "registry.ollama.ai/library/snake:latest"),
        ("Snake_1.5:q4-K", "Snake_1.5:q4-K", "registry.ollama.ai/library/Snake_1.5:q4-K"),
        ("me/snake", "me/snake:latest", "registry.ollama.ai/me/snake:latest"),
        ("hub.example:5000/me/snake:v1", "hub.example:5000/me/snake:v1", "hub.example:5000/me/snake:v1"),
        ("https://hub.example/me/snake", "hub.example/me/snake:latest", "hub.example/me/snake:latest"),
    ],
)
def test_a_name_is_read_as_ollama_reads_it(text: str, short: str, whole: str) -> None:
    assert (parse_name(text).short, str(parse_name(text))) == (short, whole)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        ("bad name!", "its model 'bad name!' holds ' '"),
        ("snake:", "its tag '' is empty"),
        ("me//snake", "its namespace '' is empty"),
        (".hidden", "its model '.hidden' begins with '.'"),
        ("m.e/snake", "its namespace 'm.e' holds '.'"),
        ("x" * 81, "has 81 characters, more than 80"),
        ("snake:v1:v2", "its model 'snake:v1' holds ':'"),
        ("schlänge", "its model 'schlänge' holds 'ä'"),
        ("a\n", "holds '\\n'"),
    ],
)
def test_a_bad_name_is_refused_with_the_part_that_is_wrong(text: str, problem: str) -> None:
    assert problem in str(name_problem(text))


def test_the_message_offers_a_name_that_works() -> None:
    with pytest.raises(BadInput, match="for example my-snake-q4-k-m"):
        parse_name("My Snake (Q4_K_M)")
    assert suggested("!!!") == ""
    assert name_problem(suggested("…Ünïcode Ω 7B.gguf  ")) is None


def test_capitals_make_no_other_model() -> None:
    assert parse_name("Snake").same_as(parse_name("registry.ollama.ai/library/snake:LATEST"))
    assert not parse_name("snake").same_as(parse_name("me/snake"))


def test_only_a_name_with_an_account_can_be_pushed() -> None:
    require_namespace(parse_name("me/snake"))
    with pytest.raises(BadInput, match="your-account/snake"):
        require_namespace(parse_name("snake"))
