"""The Modelfile says what the model needs, and no text can break out of its place in it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from export.modelfile import (
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


def read_modelfile(text: str) -> list[tuple[str, str]]:
    """Commands as Ollama's parser/parser.go reads them: a value ends at the first line end at which it is whole."""
    commands, rest = [], text
    while rest:
        if rest[0] in "#\n":
            rest = rest.partition("\n")[2]
            continue
        command, _, rest = rest.partition(" ")
        if command == "PARAMETER":
            name, _, rest = rest.partition(" ")
            command = f"PARAMETER {name}"
        end = -1
        while True:
            end = rest.index("\n", end + 1)
            value = _unquote(rest[:end].strip())
            if value is not None:
                break
        commands.append((command, value))
        rest = rest[end + 1 :]
    return commands


def _unquote(text: str) -> str | None:
    for quotes in ('"""', '"'):
        if text.startswith(quotes):
            whole = len(text) >= 2 * len(quotes) and text.endswith(quotes)
            return text[len(quotes) : -len(quotes)] if whole else None
    return text


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


def test_without_a_system_prompt_none_is_written_and_the_template_is_said_to_be_the_files() -> None:
    text = modelfile("a.gguf", None, PARAMETERS)
    assert "SYSTEM" not in text
    assert "# No TEMPLATE: the chat template inside the GGUF file is used." in text


def test_any_system_prompt_either_comes_back_as_it_was_or_is_refused() -> None:
    source = random.Random(1)
    pieces = ['"', '""', '"""', "\n", " ", "{{ .System }}", "PARAMETER stop x", "FROM ./y", "#", "'", "a", "é🐍", "\t"]
    refused = 0
    for _ in range(3000):
        prompt = "".join(source.choice(pieces) for _ in range(source.randint(1, 8)))
        try:
            commands = read_modelfile(modelfile("a.gguf", prompt, PARAMETERS))
        except BadInput:
            refused += 1
            assert '"""' in prompt
            assert "\n" in prompt
            continue
        assert commands[1] == ("SYSTEM", prompt)
        assert len(commands) == 9
    assert 0 < refused < 600


def test_odd_stop_tokens_keep_their_value() -> None:
    for token in ("</s>", '"', "\n\n", '<"end">', "[/INST] "):
        stop = Parameters((token,), 2048, 0.0, 0.95, 40, 1.0)
        assert ("PARAMETER stop", token) in read_modelfile(modelfile("a.gguf", None, stop))


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
