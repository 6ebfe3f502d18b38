"""Passages shared with an evaluation set: found whatever the writing, and only when they are long enough."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datasets_src.passages import BATCH_CHARACTERS, contaminated, passage_hashes, passages, shared_passage

PROJECT = Path(__file__).resolve().parents[2]
QUESTION = "A train leaves the old station at noon and travels sixty miles an hour; when does it arrive?"


def found(texts: list[str], evaluation: list[str], words: int = 12) -> list[bool]:
    return [bool(flag) for flag in contaminated(texts, passage_hashes(evaluation, words), words)]


def test_twelve_words_in_a_row_are_enough_and_eleven_are_not() -> None:
    twelve = "station at noon and travels sixty miles an hour when does it"
    eleven = " ".join(twelve.split()[1:])
    assert found([f"Before. {twelve} and after", f"Before. {eleven} and after", "nothing"], [QUESTION]) == [
        True, False, False,
    ]  # fmt: skip


def test_case_punctuation_and_white_space_make_no_difference() -> None:
    assert found([QUESTION.upper().replace(";", " -- ").replace(" ", "\n\t")], [QUESTION]) == [True]
    assert found(["Ｗhat ﬁne café it is, here on the hill by the old town wall!"], [
        "what fine cafe\u0301 it is here on the hill by the old town wall",
    ]) == [True]  # fmt: skip


def test_words_out_of_order_are_another_passage() -> None:
    shuffled = QUESTION.split()
    shuffled[5], shuffled[6] = shuffled[6], shuffled[5]
    shuffled[11], shuffled[12] = shuffled[12], shuffled[11]
    assert found([" ".join(shuffled)], [QUESTION]) == [False]


def test_signs_that_carry_meaning_are_words() -> None:
    assert found(["a < b"], ["A < B."], words=3) == [True]
    assert found(["a > b", "a b", "a, b"], ["a < b"], words=3) == [False, False, False]
    assert found(["fine 😀", "fine 😡"], ["Fine! 😀"]) == [True, False]


def test_a_short_evaluation_text_is_found_only_where_it_is_the_whole_text() -> None:
    evaluation = ["Who wrote Hamlet?"]
    assert found(["who wrote hamlet", "Who wrote Hamlet? Shakespeare.", "wrote Hamlet"], evaluation) == [
        True, False, False,
    ]  # fmt: skip
    long = "Who wrote Hamlet? It was William Shakespeare, or so most people say who read it."
    assert found([long], evaluation) == [False]


def test_texts_without_words_share_nothing() -> None:
    assert found(["", "...", " \n"], ["", "...", "!"]) == [False, False, False]
    assert found(["some text"], []) == [False]
    assert found([], [QUESTION]) == []


def test_every_character_of_a_script_without_spaces_is_a_word() -> None:
    chinese = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"
    twelve, eleven = "他说：疑是地上霜举头望明月低头，对吗", "他说：是地上霜举头望明月低头，对吗"
    assert found([twelve, eleven], [chinese]) == [True, False]
    thai = "สวัสดีชาวโลกทั้งหลาย"
    assert found([f"abc {thai} def"], [f"xyz {thai} uvw"]) == [True]
    # Korean has spaces.
    assert found(["안녕하세요 세계 여러분 반갑습니다"], ["안녕하세요 세계 여러분"]) == [False]


def test_mixed_scripts_share_what_stands_between_the_differences() -> None:
    assert found(["GPU训练模型的时候显存不够怎么办 hello"], ["请问 gpu 训练模型的时候显存不够怎么办？"]) == [True]


def test_the_shared_passage_is_shown_as_long_as_it_goes_on_and_as_it_is_written() -> None:
    known = passage_hashes([QUESTION])
    text = f"Solve this. {QUESTION[2:]} Answer: at four."
    assert shared_passage(text, known) == QUESTION[2:].rstrip("?")
    assert shared_passage("Solve nothing at all.", known) is None
    assert shared_passage("who, wrote HAMLET?!", passage_hashes(["Who wrote Hamlet?"])) == "who, wrote HAMLET"
    assert shared_passage("前：床前明月光，疑是地上霜。举头望！", passage_hashes(["床前明月光疑是地上霜举头望"])) == (
        "床前明月光,疑是地上霜。举头望"
    )


def test_it_agrees_with_plain_sets_of_words() -> None:
    generator = random.Random(1)
    texts = [" ".join(generator.choices("abcde", k=generator.randrange(0, 12))) for _ in range(3000)]
    evaluation, rows = texts[:40], texts[40:]

    def kinds(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[place : place + 4]) for place in range(len(words) - 3)} or {tuple(words)} - {()}

    known = set().union(*map(kinds, evaluation))
    expected = [bool(kinds(row) & known) for row in rows]
    assert found(rows, evaluation, words=4) == expected
    assert 0 < sum(expected) < len(expected)
    assert len(passage_hashes(evaluation, 4)) == len(known)


def test_different_words_have_different_hashes() -> None:
    words = [str(number) for number in range(100_000)] + ["aa", "aaa", "ab", "ba", "ä", "å"]
    assert len(np.unique(passages([" ".join(words)], 1).hashes)) == len(words)


def test_texts_longer_than_a_batch_are_read_like_others() -> None:
    long = "filler " * (BATCH_CHARACTERS // 3) + QUESTION
    assert found(["short", long, "short", QUESTION], [QUESTION]) == [False, True, False, True]
    assert np.array_equal(passage_hashes([long]), passage_hashes([long, "filler " * 20]))


@pytest.mark.parametrize("odd", ["\ud800", "\x00", "İ", "\u0301", "\U0010ffff", "ß", "\u202e"])
def test_odd_characters_are_no_trouble(odd: str) -> None:
    assert found([f"{odd} {QUESTION} {odd}", odd], [QUESTION]) == [True, False]


def test_hashes_are_the_same_in_another_process() -> None:
    texts = [QUESTION, "床前明月光，疑是地上霜。举头望明月，低头思故乡。", "Grüße!"]
    program = (
        "import sys, json; from datasets_src.passages import passage_hashes;"
        "json.dump(passage_hashes(json.load(sys.stdin)).tolist(), sys.stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(texts),
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == passage_hashes(texts).tolist()
