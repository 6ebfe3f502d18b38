"""The check sees what is the same and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.llama_cpp import LlamaCppError, running
from export.parity import FileCheck, Prompt, Reference, check_file
from models.chat_template import ChatTokenizer

PROMPTS = [
    Prompt("a.jsonl, row 1", [{"role": "user", "content": "Hi"}]),
    Prompt(
        "a.jsonl, row 2",
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "  Two lines,\n\n123 and Ünïcödé 🐍 "},
            {"role": "assistant", "content": ""},
            {"role": "user", "content": "<|im_end|> again"},
        ],
    ),
]


@pytest.fixture(scope="session")
def references(f16_gguf: Path) -> list[Reference]:
    """What the file itself answers."""
    with running(f16_gguf, 512) as llama:
        answers = [llama.complete(llama.render(prompt.messages), 8) for prompt in PROMPTS]
    return [Reference(answer.text, answer.token_ids, answer.ended) for answer in answers]


def test_the_same_template_tokens_and_answers_pass(
    f16_gguf: Path, tiny_model: Path, references: list[Reference]
) -> None:
    done: list[int] = []
    check = check_file(f16_gguf, ChatTokenizer.load(tiny_model), PROMPTS, references, 8, done.append)
    assert (check.same_tokens, check.same_answers, check.passed) == (2, 2, True)
    assert check.verdict.startswith("same prompt tokens on 2 of 2; same answer on 2 of 2")
    assert check.tokens_per_second > 0
    assert done == [1, 2]
    assert json.loads(json.dumps(check.to_json()))["passed"] is True


def test_another_answer_is_counted_and_shown(f16_gguf: Path, tiny_model: Path, references: list[Reference]) -> None:
    wrong = [Reference("something else", [5, 6, 7], ended=True), references[1]]
    check = check_file(f16_gguf, ChatTokenizer.load(tiny_model), PROMPTS, wrong, 8)
    assert (check.same_tokens, check.same_answers) == (2, 1)
    assert check.answer_difference is not None
    assert check.answer_difference.place == "a.jsonl, row 1"
    assert check.answer_difference.expected == "something else"
    assert (check.should_stop, check.stopped, check.passed) == (1, 0, False)
    assert "Look at the differences" in check.verdict


def test_another_template_is_noticed(
    f16_gguf: Path, tiny_model: Path, tmp_path: Path, references: list[Reference]
) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (tmp_path / name).write_bytes((tiny_model / name).read_bytes())
    template = (tiny_model / "chat_template.jinja").read_text()
    (tmp_path / "chat_template.jinja").write_text("Preamble. " + template)
    check = check_file(f16_gguf, ChatTokenizer.load(tmp_path), PROMPTS, references, 8)
    assert check.same_tokens == 0
    assert check.rendering_difference is not None
    assert check.rendering_difference.expected.startswith("token 0: ")
    assert "Preamble" in check.rendering_difference.expected
    assert not check.passed


def file_check(file: str, *, same_answers: int, same_start: int, stopped: int) -> FileCheck:
    """Of ten prompts at which the trained model stops by itself."""
    return FileCheck(file, 1, 10, 10, same_answers, same_start, 10, stopped, 1.0, None, None)


def test_answers_may_part_later_but_an_f16_files_must_begin_alike_and_every_file_must_stop() -> None:
    assert file_check("a-F16.gguf", same_answers=5, same_start=9, stopped=9).passed
    assert not file_check("a-F16.gguf", same_answers=5, same_start=8, stopped=10).passed
    assert file_check("a-Q4_K_M.gguf", same_answers=2, same_start=3, stopped=6).passed
    assert not file_check("a-Q4_K_M.gguf", same_answers=9, same_start=10, stopped=4).passed
    assert (
        "same answer on 2 of 10 (same first 4 tokens on 3)"
        in file_check("a-Q4_K_M.gguf", same_answers=2, same_start=3, stopped=6).verdict
    )


def test_a_file_that_llama_cpp_cannot_load_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(LlamaCppError, match=r"broken\.gguf"), running(tmp_path / "broken.gguf", 256):
        pass
