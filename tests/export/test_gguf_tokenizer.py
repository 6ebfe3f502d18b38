"""llama.cpp is told what its converter would get wrong about a tokenizer, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from export.gguf_tokenizer import Told, for_llama_cpp
from tests.export.families.shapes import FAMILIES

BY_NAME = {family.name: family for family in FAMILIES}


def tokenizer_of(name: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    BY_NAME[name].tokenizer.write(folder)
    (folder / "chat_template.jinja").write_text(BY_NAME[name].template or "")
    return folder


@pytest.mark.parametrize(
    ("name", "settings"),
    {
        "Llama 2": {},
        "Mistral": {"add_prefix_space": False},
        "Gemma 3": {"add_prefix_space": False},
        "Phi-3": {"add_bos_token": False},
        "Llama 3": {},
        "SmolLM3": {},
    }.items(),
)
def test_a_beginning_token_and_spaces_that_training_did_not_have_are_switched_off(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    assert for_llama_cpp(tokenizer_of(name, tmp_path), "player").settings == settings


def test_phi3s_special_tokens_need_a_name_that_llama_cpp_recognises(tmp_path: Path) -> None:
    phi3 = tokenizer_of("Phi-3", tmp_path / "phi3")
    assert for_llama_cpp(phi3, "player").name == "player (Phi-3)"
    assert for_llama_cpp(phi3, "My-Phi3-player").name == "My-Phi3-player"
    other = tokenizer_of("Gemma 3", tmp_path / "other")
    assert for_llama_cpp(other, "better-than-Phi-3").name == "better-than-Phi 3"
    assert for_llama_cpp(other, "player").name == "player"


def test_tokens_that_strip_nothing_make_no_phi3(tmp_path: Path) -> None:
    folder = tokenizer_of("Phi-3", tmp_path)
    content = json.loads((folder / "tokenizer.json").read_text())
    content["added_tokens"] = [{**token, "rstrip": False} for token in content["added_tokens"]]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    assert for_llama_cpp(folder, "phi-3-player").name == "phi 3-player"


def test_a_model_without_template_or_tokenizer_json_is_left_alone(tmp_path: Path) -> None:
    assert for_llama_cpp(tmp_path, "player") == Told("player")
    folder = tokenizer_of("Phi-3", tmp_path)
    (folder / "chat_template.jinja").unlink()
    assert for_llama_cpp(folder, "player") == Told("player (Phi-3)")


def test_a_template_that_takes_no_question_alone_changes_nothing(tmp_path: Path) -> None:
    folder = tokenizer_of("Phi-3", tmp_path)
    (folder / "chat_template.jinja").write_text("{{ raise_exception('a system prompt must come first') }}")
    assert for_llama_cpp(folder, "player").settings == {}
