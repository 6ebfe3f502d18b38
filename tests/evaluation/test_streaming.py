"""A streamed answer: characters that several tokens make appear whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.chat_spec import Sampling
from evaluation.decoding import BASE
from evaluation.streaming import Row
from models.chat_template import ChatTokenizer


@pytest.mark.parametrize("text", ["plain words", "Grüße, 世界", "a face 🙂 and a family 👩‍👩‍👧 at the end 🙂"])
def test_the_pieces_of_a_text_are_the_text_without_broken_characters(tiny_model: Path, text: str) -> None:
    tokenizer = ChatTokenizer.load(tiny_model)
    row = Row([], tokenizer, BASE, Sampling(max_new_tokens=1000))
    pieces = [row.add(token) for token in tokenizer.encode(text)]
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)
