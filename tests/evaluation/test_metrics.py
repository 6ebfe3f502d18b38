"""Exact match, its lenient form, and perplexity against a plain transformers computation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from evaluation.measure import window_of
from evaluation.metrics import ItemLoss, Window, contains, conversation_losses, exact_match, losses, perplexity
from evaluation.spec import EvaluateSpec
from jobs.errors import BadInput
from models.load import load_model
from tests.evaluation.conftest import conversation


def test_exact_match_ignores_surrounding_space_alone() -> None:
    assert exact_match(" UP\n", "UP") == 1.0
    assert exact_match("up", "UP") == 0.0
    assert exact_match("UP.", "UP") == 0.0


def test_the_lenient_form_wants_whole_words_in_order() -> None:
    assert contains("I would go up, now!", "UP") == 1.0
    assert contains("supper", "UP") == 0.0
    assert contains("Paris is in France", "in Paris") == 0.0
    assert contains("!", "?") == 0.0


def test_perplexity_equals_a_plain_transformers_computation(lively_model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    loaded = load_model(str(lively_model), precision="fp32")
    rows = [loaded.tokenizer.tokenise(conversation(number)["messages"]) for number in range(7)]
    seen: list[int] = []
    losses = conversation_losses(
        loaded, [(row.input_ids, row.labels) for row in rows], batch_size=3, on_progress=seen.append
    )
    model = AutoModelForCausalLM.from_pretrained(lively_model, dtype=torch.float32).eval()
    total = 0.0
    for row, loss in zip(rows, losses, strict=True):
        with torch.inference_mode():
            expected = float(model(torch.tensor([row.input_ids]), labels=torch.tensor([row.labels])).loss)
        assert loss.nll == pytest.approx(expected, abs=1e-5)
        assert loss.tokens == row.trained_tokens
        total += expected * row.trained_tokens
    tokens = sum(row.trained_tokens for row in rows)
    assert perplexity(losses) == pytest.approx(float(torch.tensor(total / tokens).exp()), rel=1e-4)
    assert seen == [3, 6, 7]


def windowed(model: Any, ids: list[int], labels: list[int], tokens: int, stride: int) -> tuple[float, int]:
    """Sum and number of token losses by the plain loop of transformers' documentation on perplexity."""
    import torch

    total, count, before = 0.0, 0, 0
    for begin in range(0, len(ids), stride):
        end = min(begin + tokens, len(ids))
        target = torch.tensor([labels[begin:end]])
        target[:, : max(0, before - begin)] = -100
        counted = int((target[:, 1:] != -100).sum())
        if counted:
            with torch.inference_mode():
                loss = model(torch.tensor([ids[begin:end]]), labels=target).loss
            total, count = total + float(loss) * counted, count + counted
        before = end
        if end == len(ids):
            break
    return total, count


def test_perplexity_of_texts_longer_than_the_context_equals_a_plain_sliding_window(
    lively_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    monkeypatch.setattr(losses, "TOKENS_PER_FORWARD", 100)  # several forwards for one text
    loaded = load_model(str(lively_model), precision="fp32")
    model = AutoModelForCausalLM.from_pretrained(lively_model, dtype=torch.float32).eval()
    long = [{"role": "user", "content": "count " * 30}, {"role": "assistant", "content": "one two three four " * 25}]
    texts = [
        loaded.tokenizer.tokenise_text("The quick brown fox jumps over the lazy dog. " * times) for times in (1, 9)
    ]
    rows = [(row.input_ids, row.labels) for row in [*texts, loaded.tokenizer.tokenise(long)]]
    assert [len(ids) > 32 for ids, _ in rows] == [False, True, True]
    for stride in (8, 16, 31):
        found = conversation_losses(loaded, rows, batch_size=2, window=Window(32, stride))
        for (ids, labels), loss in zip(rows, found, strict=True):
            total, count = windowed(model, ids, labels, 32, stride)
            assert loss.tokens == count
            assert loss.nll == pytest.approx(total / count, abs=1e-5)
            assert perplexity([loss]) == pytest.approx(math.exp(total / count), rel=1e-4)
        assert [loss.tokens for loss in found] == [sum(label != -100 for label in labels[1:]) for _, labels in rows], (
            "every token is predicted once"
        )


def test_the_window_is_the_context_or_what_the_model_was_made_for(lively_model: Path) -> None:
    loaded = load_model(str(lively_model), precision="fp32")

    def window(**options: Any) -> Window:
        return window_of(loaded, EvaluateSpec.parse({"models": ["embedded"], "data": "x", **options}))

    assert window() == Window(512, 256)
    assert window(context_length=64) == Window(64, 32)
    assert window(context_length=64, stride=10) == Window(64, 10)
    with pytest.raises(BadInput, match="smaller than context_length"):
        window(context_length=64, stride=64)


def test_batches_stay_within_the_token_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "TOKENS_PER_FORWARD", 20)
    assert losses._batches([9, 30, 4, 5, 8], batch_size=3) == [[2, 3], [4, 0], [1]]


def test_a_conversation_without_assistant_tokens_has_no_loss(lively_model: Path) -> None:
    loaded = load_model(str(lively_model), precision="fp32")
    assert conversation_losses(loaded, [([1, 2, 3], [-100, -100, -100])], batch_size=1) == [ItemLoss(None, 0)]
