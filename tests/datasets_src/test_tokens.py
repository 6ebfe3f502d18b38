"""What of each kind of row a supervised training learns."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets_src.tokens import tokenise, tokenised_rows
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer
from models.embedded import wheel_weights, write_tokenizer

from .conftest import BuildRows


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> ChatTokenizer:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    weights = wheel_weights()
    assert weights is not None
    write_tokenizer(weights, folder)
    return ChatTokenizer.load(folder)


def trained_text(tokenizer: ChatTokenizer, row: dict[str, object]) -> str:
    tokens = tokenise(tokenizer, row)
    return tokenizer.decode([label for label in tokens.labels if label != -100])


def test_of_a_preference_the_chosen_answer_is_learned(tokenizer: ChatTokenizer, build_rows: BuildRows) -> None:
    version = build_rows([{"prompt": f"q{n}", "chosen": "yes", "rejected": "no"} for n in range(20)])
    assert trained_text(tokenizer, version.train()[0]) == "yes"


def test_of_marked_answers_only_the_good_ones_are_learned(
    tokenizer: ChatTokenizer, build_rows: BuildRows, workspace: Workspace
) -> None:
    rows = [{"prompt": f"q{n}", "completion": "good" if n % 4 else "bad", "label": n % 4 > 0} for n in range(40)]
    version = build_rows(rows, eval_fraction=0)
    learned = tokenised_rows(version, "train", tokenizer, workspace)
    assert len(learned) == 30


def test_of_plain_text_everything_is_learned_up_to_the_end_token(
    tokenizer: ChatTokenizer, build_rows: BuildRows
) -> None:
    version = build_rows([{"text": f"Story {n}."} for n in range(20)])
    row = version.train()[0]
    tokens = tokenise(tokenizer, row)
    assert tokens.labels == tokens.input_ids
    assert tokens.input_ids[-1] == tokenizer.eos_id
    assert trained_text(tokenizer, row) == row["text"]
