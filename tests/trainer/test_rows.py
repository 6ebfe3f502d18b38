"""Rows as items of each objective, packs of them, and the batches made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_src.store import open_version
from jobs.errors import BadInput
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer, TokenisedRow
from tests.toys import publish_rows
from trainer.collate import Counted, flat_rows, marked, padded_rows, pairs
from trainer.rows import Rows, mismatched, pack, plain_item, rows_of
from trainer.spec import TrainSpec


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def assistant(text: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": text}]


def made(workspace: Workspace, model: Path, objective: str, rows: list[dict[str, Any]], length: int = 64) -> Rows:
    publish_rows(workspace, "rows", rows, rows[:1])
    spec = TrainSpec.parse({"data": "rows", "max_length": length, "method": {"objective": objective}})
    return rows_of(spec, open_version(workspace, "rows"), "train", ChatTokenizer.load(model), workspace)


def test_a_pair_labels_each_answer_and_nothing_of_the_prompt(workspace: Workspace, tiny_model: Path) -> None:
    rows = [{"prompt": user("Two plus two?"), "chosen": assistant("Four."), "rejected": assistant("A fish.")}]
    (item,) = made(workspace, tiny_model, "dpo", rows).items
    tokenizer = ChatTokenizer.load(tiny_model)
    for side, text in (("chosen", "Four."), ("rejected", "A fish.")):
        trained = [label for label in item[f"{side}_labels"] if label != -100]
        assert tokenizer.decode(trained[:-1]) == text
        assert trained[-1] in tokenizer.stop_ids
    prompt = item["chosen_labels"].index(next(label for label in item["chosen_labels"] if label != -100))
    assert item["chosen_ids"][:prompt] == item["rejected_ids"][:prompt]


def test_a_pair_whose_answer_would_be_cut_away_is_left_out_and_counted(workspace: Workspace, tiny_model: Path) -> None:
    short = {"prompt": user("Two?"), "chosen": assistant("2"), "rejected": assistant("3")}
    long = {"prompt": user("word " * 90), "chosen": assistant("2"), "rejected": assistant("3")}
    rows = made(workspace, tiny_model, "dpo", [short, long])
    assert (len(rows.items), rows.dropped) == (1, 1)


def test_marked_rows_stand_beside_the_answer_to_another_prompt(workspace: Workspace, tiny_model: Path) -> None:
    rows = [
        {"prompt": user(f"Question {number}?"), "completion": assistant(f"Answer {number}"), "label": number % 2 == 0}
        for number in range(3)
    ]
    items = made(workspace, tiny_model, "kto", rows).items
    tokenizer = ChatTokenizer.load(tiny_model)
    assert [item["good"] for item in items] == [True, False, True]
    text = tokenizer.decode(items[1]["other_ids"])
    assert "Question 1?" in text and "Answer 0" in text


def test_kto_takes_pairs_as_a_good_and_a_bad_answer(workspace: Workspace, tiny_model: Path) -> None:
    rows = [{"prompt": user("Two?"), "chosen": assistant("2"), "rejected": assistant("3")}]
    assert [item["good"] for item in made(workspace, tiny_model, "kto", rows).items] == [True, False]


def test_long_texts_become_several_rows_and_nothing_is_lost(workspace: Workspace, tiny_model: Path) -> None:
    rows = made(workspace, tiny_model, "continued", [{"text": "word " * 200}], length=64)
    assert len(rows.items) == 4
    whole = ChatTokenizer.load(tiny_model).tokenise_text("word " * 200).input_ids
    assert [token for item in rows.items for token in item["input_ids"]] == whole
    assert all(item["labels"] == item["input_ids"] for item in rows.items)


def test_an_objective_says_which_rows_it_needs(workspace: Workspace, tiny_model: Path) -> None:
    rows = [{"messages": user("Two?") + assistant("2")}]
    with pytest.raises(BadInput, match="dpo needs preference") as caught:
        made(workspace, tiny_model, "dpo", rows)
    assert "sft, continued" in caught.value.fix


def test_a_mismatched_row_is_one_rows_prompt_with_another_rows_answer() -> None:
    joined = mismatched(TokenisedRow([1, 2, 3], [-100, -100, 3]), TokenisedRow([7, 8, 9], [-100, 8, 9]), 10)
    assert (joined.input_ids, joined.labels) == ([1, 2, 8, 9], [-100, -100, 8, 9])


@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_packs_hold_every_row_once_and_none_is_too_long(lengths: list[int]) -> None:
    numbered = [TokenisedRow([number] * length, [number] * length) for number, length in enumerate(lengths)]
    rows = Rows([plain_item(row) for row in numbered], lengths)
    packed = pack(rows, 50)
    assert max(packed.lengths) <= 50
    tokens = sorted(token for item in packed.items for token in item["input_ids"])
    assert tokens == sorted(token for row in numbered for token in row.input_ids)
    for item in packed.items:
        assert sum(item["row_lengths"]) == len(item["input_ids"])
        start = 0
        for length in item["row_lengths"]:
            assert len(set(item["input_ids"][start : start + length])) == 1, "a row stays in one piece"
            start += length
    # Best-fit decreasing is never worse than 11/9 of the best packing, and one more (Johnson 1973).
    assert len(packed.items) <= 11 / 9 * -(-sum(lengths) // 25) + 1


def test_rows_one_after_the_other_are_told_apart_and_first_tokens_are_not_learned() -> None:
    items = [plain_item(TokenisedRow([5, 6, 7], [5, 6, 7])), plain_item(TokenisedRow([8, 9], [-100, 9]))]
    batch = Counted(flat_rows)(items)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert batch["labels"].tolist() == [[-100, 6, 7, -100, 9]]
    assert batch["sequence_lengths"] == [3, 2]
    assert batch["counted"] == (5, 5)


def test_padded_rows_count_their_padding() -> None:
    batch = Counted(padded_rows(0))(
        [plain_item(TokenisedRow([5, 6, 7], [5, 6, 7])), plain_item(TokenisedRow([8], [8]))]
    )
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch["labels"].tolist() == [[5, 6, 7], [8, -100, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["counted"] == (4, 6)


def test_batches_of_pairs_and_marks_are_what_trl_takes() -> None:
    pair = {
        "chosen_ids": [1, 2, 3],
        "chosen_labels": [-100, 2, 3],
        "rejected_ids": [1, 4],
        "rejected_labels": [-100, 4],
        "ref_chosen_logps": -1.5,
    }
    batch = pairs(0)([pair])
    assert batch["input_ids"].tolist() == [[1, 2, 3], [1, 4, 0]]
    assert batch["completion_mask"].tolist() == [[0, 1, 1], [0, 1, 0]]
    assert batch["ref_chosen_logps"].tolist() == [-1.5]
    mark = {"ids": [1, 2], "labels": [-100, 2], "other_ids": [1, 9], "other_labels": [-100, 9], "good": True}
    batch = marked(0)([mark])
    assert batch["label"].tolist() == [True]
    assert batch["KL_input_ids"].tolist() == [[1, 9]]
    assert batch["KL_completion_mask"].tolist() == [[0, 1]]
