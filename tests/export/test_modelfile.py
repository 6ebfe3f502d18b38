"""The Modelfile says what the model needs, and no text can break out of its place in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.modelfile import (
    ModelfileParts,
    Parameters,
    choose_system_prompt,
    default_system_prompt,
    dropped_characters,
    modelfile,
)
from jobs.errors import BadInput
from models.chat_template import ChatTokenizer

PARAMETERS = Parameters(("<|im_end|>", "<|endoftext|>"), 2048, 0.0, 0.95, 40, 1.0)
USER = {"role": "user", "content": "Hello"}
GO_SPACES = " \t\n\r\v\f\x85\xa0"
COMMANDS = {"FROM", "TEMPLATE", "SYSTEM", "PARAMETER", "LICENSE", "MESSAGE", "ADAPTER"}


def read_modelfile(text: str) -> list[tuple[str, str]]:
    """The commands that Ollama's parser/parser.go reads, by the same steps.

    A value ends at the first line end at which it is whole: either without quotes, or closed by the quotes that it
    began with. Only line ends, blanks, tabs and printable characters are kept.
    """
    commands, rest = [], text
    while rest:
        if rest[0] == "#":
            rest = rest.partition("\n")[2]
            continue
        if rest[0] in " \t\r\n":
            rest = rest[1:]
            continue
        command, _, rest = rest.partition(" ")
        assert command in COMMANDS, f"no command: {command!r}"
        if command == "PARAMETER":
            name, _, rest = rest.partition(" ")
            assert name.replace("_", "").isalnum()
            command = f"PARAMETER {name}"
        value, rest = _read_value(rest)
        commands.append((command, value))
    return commands


def _read_value(rest: str) -> tuple[str, str]:
    read = ""
    for number, letter in enumerate(rest):
        if letter in "\r\n":
            value = _unquote(read.strip(GO_SPACES))
            if value is not None:
                return value, rest[number + 1 :]
        if letter.isprintable() or letter in "\r\n\t":
            read += letter
    value = _unquote(read.strip(GO_SPACES))
    assert value is not None, "the file ends inside quotes"
    return value, ""


def _unquote(text: str) -> str | None:
    for quotes in ('"""', '"'):
        if text.startswith(quotes):
            whole = len(text) >= 2 * len(quotes) and text.endswith(quotes)
            return text[len(quotes) : -len(quotes)] if whole else None
    return text


def as_read(text: str) -> str:
    return "".join(letter for letter in text if letter not in dropped_characters(text))


PIECES = ['"', '""', '"""', "\n", "\r", " ", "{{ .System }}", "}}", "PARAMETER stop x", "\nFROM ./y\n", "#", "'", "é🐍"]
HOSTILE = st.lists(st.sampled_from([*PIECES, "\t", "\u200d", "\xa0", "\x00"]), max_size=8).map("".join) | st.text()


def test_it_names_the_file_the_stop_tokens_and_every_parameter() -> None:
    assert read_modelfile(modelfile("snake-Q8_0.gguf", "Play well.", PARAMETERS)) == [
        ("FROM", "./snake-Q8_0.gguf"),
        ("SYSTEM", "Play well."),
        ("PARAMETER stop", "<|im_end|>"),
        ("PARAMETER stop", "<|endoftext|>"),
        ("PARAMETER num_ctx", "2048"),
        ("PARAMETER temperature", "0"),
        ("PARAMETER top_p", "0.95"),
        ("PARAMETER top_k", "40"),
        ("PARAMETER repeat_penalty", "1"),
    ]


def test_large_and_small_numbers_are_written_whole() -> None:
    numbers = Parameters((), 1_048_576, 1e-05, 0.123456789, 40, 1.1, min_p=0.05)
    commands = dict(read_modelfile(modelfile("a.gguf", None, numbers)))
    assert commands["PARAMETER num_ctx"] == "1048576"
    assert float(commands["PARAMETER temperature"]) == 1e-05
    assert commands["PARAMETER top_p"] == "0.123456789"
    assert commands["PARAMETER min_p"] == "0.05"


def test_without_a_template_it_says_that_the_files_own_is_used() -> None:
    text = modelfile("a.gguf", None, PARAMETERS)
    assert "SYSTEM" not in text
    assert "# No TEMPLATE: the chat template inside the GGUF file is used." in text


def test_a_template_is_written_letter_by_letter() -> None:
    template = '{{- range .Messages }}<|{{ .Role }}|>\n{{ .Content }}{{ "\\n\\n" }}{{ end }}<|assistant|>\n'
    text = modelfile("a.gguf", None, PARAMETERS, template)
    assert ("TEMPLATE", template) in read_modelfile(text)
    assert "No TEMPLATE" not in text


@given(prompt=HOSTILE, template=st.none() | HOSTILE, stop=st.lists(HOSTILE, max_size=2))
def test_any_texts_come_back_as_they_were_or_are_refused(prompt: str, template: str | None, stop: list[str]) -> None:
    parameters = Parameters(tuple(stop), 2048, 0.0, 0.95, 40, 1.0)
    try:
        commands = read_modelfile(modelfile("a.gguf", prompt, parameters, template))
    except BadInput:
        exact = [*stop, template or ""]
        assert any('"""' in as_read(text) for text in (prompt, *exact)) or any(map(dropped_characters, exact))
        return
    expected = [("FROM", "./a.gguf")]
    expected += [] if template is None else [("TEMPLATE", template)]
    expected += [("SYSTEM", as_read(prompt))] if prompt else []
    expected += [("PARAMETER stop", token) for token in stop]
    assert commands[: len(expected)] == expected
    assert len(commands) == len(expected) + 5


@given(HOSTILE)
def test_a_system_prompt_on_one_line_is_never_refused(text: str) -> None:
    line = as_read(text).replace("\n", "").replace("\r", "")
    assert [("SYSTEM", line)] * bool(line) == read_modelfile(modelfile("a.gguf", line, PARAMETERS))[1:-7]


def test_quotes_that_only_meet_once_a_character_is_left_out_are_refused() -> None:
    for text in ('a"""\u200d\nFROM ./evil', 'a""\u200d"\nFROM ./evil', 'a"""\xa0 \rFROM ./evil'):
        with pytest.raises(BadInput, match="three double quotes"):
            modelfile("a.gguf", text, PARAMETERS)


def test_a_system_prompt_with_invisible_characters_says_that_they_are_left_out() -> None:
    text = modelfile("a.gguf", "a\u00a0b", PARAMETERS)
    assert "# SYSTEM: Ollama's reader of Modelfiles leaves out" in text
    assert ("SYSTEM", "ab") in read_modelfile(text)


def test_a_template_or_stop_token_with_invisible_characters_and_an_odd_file_name_are_refused() -> None:
    odd_stop = Parameters(("</s>\u200d",), 2048, 0.0, 0.95, 40, 1.0)
    with pytest.raises(BadInput, match="stop token"):
        modelfile("a.gguf", None, odd_stop)
    with pytest.raises(BadInput, match="template"):
        modelfile("a.gguf", None, PARAMETERS, "{{ .Prompt }}\u200d")
    with pytest.raises(BadInput, match="half of a character"):
        modelfile("a.gguf", "a\ud800", PARAMETERS)
    with pytest.raises(BadInput, match="file name"):
        modelfile("a\nSYSTEM b.gguf", None, PARAMETERS)


def test_odd_stop_tokens_keep_their_value() -> None:
    for token in ("</s>", '"', "\n\n", '<"end">', "[/INST] "):
        stop = Parameters((token,), 2048, 0.0, 0.95, 40, 1.0)
        assert ("PARAMETER stop", token) in read_modelfile(modelfile("a.gguf", None, stop))


def test_the_create_request_holds_the_same_and_any_text() -> None:
    odd = 'a"""\nFROM ./evil\u200d {{ .System }}'
    parts = ModelfileParts("a.gguf", odd, PARAMETERS, "{{ .Prompt }}", "MIT")
    assert parts.create_request("snake:q8", "sha256:00ff") == {
        "model": "snake:q8",
        "files": {"a.gguf": "sha256:00ff"},
        "template": "{{ .Prompt }}",
        "system": odd,
        "license": "MIT",
        "parameters": {
            "num_ctx": 2048,
            "temperature": 0.0,
            "top_p": 0.95,
            "top_k": 40,
            "repeat_penalty": 1.0,
            "stop": ["<|im_end|>", "<|endoftext|>"],
        },
    }


def test_the_create_request_names_no_template_or_system_prompt_where_there_is_none() -> None:
    request = ModelfileParts("a.gguf", None, PARAMETERS).create_request("snake", "sha256:00ff")
    assert set(request) == {"model", "files", "parameters"}


def test_characters_that_ollama_leaves_out_are_known() -> None:
    assert dropped_characters("plain\ttext\nof é and 🐍") == ""
    assert dropped_characters("a\u00a0b\u200dc") == "\u00a0\u200d"


def with_template(tiny_model: Path, template: str) -> ChatTokenizer:
    return ChatTokenizer(tiny_model, template, {"eos_token": "<|im_end|>"}, {})


TURNS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
DEFAULTED = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are Toy, made\nfor tests.<|im_end|>\n{% endif %}"
) + TURNS
DATED = (
    "<|im_start|>system\nToday is Friday.\n{% if messages[0].role == 'system' %}{{ messages[0].content }}"
    "{% set messages = messages[1:] %}{% endif %}<|im_end|>\n"
) + TURNS
WITHOUT_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + TURNS


@pytest.mark.parametrize(
    ("template", "expected"),
    [(TURNS, None), (DEFAULTED, "You are Toy, made\nfor tests."), (DATED, None), (WITHOUT_SYSTEM, None)],
    ids=["none", "default", "frame_only", "no_system_turns"],
)
def test_the_templates_own_system_prompt_is_found(tiny_model: Path, template: str, expected: str | None) -> None:
    assert default_system_prompt(with_template(tiny_model, template)) == expected


def test_the_system_prompt_is_the_given_one_else_the_datas_else_the_templates(tiny_model: Path) -> None:
    tokenizer = with_template(tiny_model, DEFAULTED)
    taught: list[list[dict[str, Any]]] = [[{"role": "system", "content": "Play."}, USER]] * 2
    assert choose_system_prompt("Mine.", taught, tokenizer).text == "Mine."
    assert choose_system_prompt(None, taught, tokenizer).text == "Play."
    assert choose_system_prompt(None, [*taught, [USER]], tokenizer).text == "You are Toy, made\nfor tests."
    assert choose_system_prompt(None, [], with_template(tiny_model, TURNS)).text is None
