"""Counting tokens many rows at a time gives what tokenising row by row gives."""

from __future__ import annotations

import random

import pytest

from models.chat_template import ChatTokenizer
from models.embedded import wheel_weights, write_tokenizer
from models.masking import IGNORED
from models.token_counts import TokenCount, count_tokens


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> ChatTokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    weights = wheel_weights()
    assert weights is not None
    write_tokenizer(weights, folder)
    return ChatTokenizer.load(folder)


def conversation(generator: random.Random) -> list[dict[str, str]]:
    words = ["a", "Zug", "über", "数学", "\n", "1234", "  two", "🙂", "e.g.", "<|x|>"]
    say = lambda: " ".join(generator.choices(words, k=generator.randint(1, 30)))  # noqa: E731
    turns = [{"role": "system", "content": say()}] if generator.random() < 0.5 else []
    for _ in range(generator.randint(1, 3)):
        turns += [{"role": "user", "content": say()}, {"role": "assistant", "content": say()}]
    return turns


@pytest.mark.parametrize("last_only", [False, True])
def test_counts_are_those_of_tokenising_row_by_row(last_only: bool, tokenizer: ChatTokenizer) -> None:
    generator = random.Random(3)
    conversations = [conversation(generator) for _ in range(200)]
    counts = count_tokens(tokenizer, [(messages, None, last_only) for messages in conversations])
    for messages, count in zip(conversations, counts, strict=True):
        row = tokenizer.tokenise(messages, last_only=last_only)
        places = [place for place, label in enumerate(row.labels) if label != IGNORED]
        assert count == TokenCount(len(row.input_ids), len(places), places[0], places[-1])


def test_plain_text_is_trained_from_its_first_to_its_end_token(tokenizer: ChatTokenizer) -> None:
    (count,) = count_tokens(tokenizer, [([{"role": "text", "content": "one two three"}], None, False)])
    assert count.trained == count.length == len(tokenizer.encode("one two three")) + 1


def test_a_row_that_the_template_refuses_says_why(tokenizer: ChatTokenizer) -> None:
    call = {"type": "function", "function": {"name": "look_up", "arguments": {}}}
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
    (count,) = count_tokens(tokenizer, [(messages, None, False)])
    assert count.length == 0
    assert "tool" in count.refused
