"""The comparison of answers sees what is the same and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.llama_cpp import LlamaCppError, running
from export.parity.answers import AnswerCheck, Reference, check_answers
from export.parity.prompts import Prompt, check_prompts
from models.chat_template import ChatTokenizer
from tests.export.conftest import f16_gguf as f16_gguf

pytestmark = pytest.mark.slow
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


@pytest.fixture(scope="module")
def references(f16_gguf: Path) -> list[Reference]:
    """What the file itself answers."""
    with running(f16_gguf, 512) as llama:
        answers = [llama.complete(llama.render(prompt.messages), 8) for prompt in PROMPTS]
    return [Reference(answer.text, answer.token_ids, answer.ended) for answer in answers]


def check(weights: Path, model: Path, references: list[Reference], done: list[int] | None = None) -> AnswerCheck:
    progress = done.append if done is not None else (lambda _done: None)
    with running(weights, 512) as llama:
        return check_answers(llama, ChatTokenizer.load(model), PROMPTS, references, 8, exact=True, progress=progress)


def test_the_same_answers_pass(f16_gguf: Path, tiny_model: Path, references: list[Reference]) -> None:
    done: list[int] = []
    found = check(f16_gguf, tiny_model, references, done)
    assert (found.same_answers, found.passed, found.differences) == (2, True, ())
    assert found.sentence.startswith("same answer on 2 of 2")
    assert found.tokens_per_second > 0
    assert done == [1, 2]
    assert json.loads(json.dumps(found.to_json()))["passed"] is True


def test_another_answer_is_counted_and_shown(f16_gguf: Path, tiny_model: Path, references: list[Reference]) -> None:
    found = check(f16_gguf, tiny_model, [Reference("something else", [5, 6, 7], ended=True), references[1]])
    assert found.same_answers == 1
    (difference,) = found.differences
    assert (difference.place, difference.expected) == ("a.jsonl, row 1", "something else")
    assert (found.should_stop, found.stopped, found.passed) == (1, 0, False)


def counted(*, exact: bool, same_answers: int, same_start: int, stopped: int, wrong_stop: int = 0) -> AnswerCheck:
    """Of ten prompts at which the trained model stops by itself."""
    return AnswerCheck(10, same_answers, same_start, 10, stopped, wrong_stop, 1.0, exact, ())


def test_answers_may_part_later_but_an_exact_files_must_begin_alike_and_every_file_must_stop() -> None:
    assert counted(exact=True, same_answers=5, same_start=9, stopped=9).passed
    assert not counted(exact=True, same_answers=5, same_start=8, stopped=10).passed
    assert counted(exact=False, same_answers=2, same_start=3, stopped=6).passed
    assert not counted(exact=False, same_answers=9, same_start=10, stopped=4).passed
    sentence = counted(exact=False, same_answers=2, same_start=3, stopped=6).sentence
    assert "same answer on 2 of 10 (same first 4 tokens on 3)" in sentence


def test_an_answer_that_ends_on_a_token_that_ends_none_is_a_fault() -> None:
    found = counted(exact=False, same_answers=10, same_start=10, stopped=10, wrong_stop=1)
    assert not found.passed
    assert "ended on a wrong token 1 times" in found.sentence


def test_prompts_are_spread_over_the_rows_and_end_where_the_answer_begins() -> None:
    rows = [
        {
            "messages": [{"role": "user", "content": str(number)}, {"role": "assistant", "content": "a"}],
            "source": "a.jsonl",
            "row": number,
        }
        for number in range(100)
    ]
    prompts = check_prompts([{"text": "no answer", "source": "a.jsonl", "row": 0}, *rows], 4)
    assert [prompt.messages[0]["content"] for prompt in prompts] == ["0", "25", "50", "75"]
    assert all(len(prompt.messages) == 1 for prompt in prompts)


def test_a_file_that_llama_cpp_cannot_load_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(LlamaCppError, match=r"broken\.gguf"), running(tmp_path / "broken.gguf", 256):
        pass
