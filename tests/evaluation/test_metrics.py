"""Exact match, its lenient form, and perplexity against a plain transformers computation."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation import metrics
from evaluation.metrics import ItemLoss, contains, conversation_losses, exact_match, perplexity
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


def test_batches_stay_within_the_token_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "TOKENS_PER_FORWARD", 20)
    assert metrics._batches([9, 30, 4, 5, 8], batch_size=3) == [[2, 3], [4, 0], [1]]


def test_a_conversation_without_assistant_tokens_has_no_loss(lively_model: Path) -> None:
    loaded = load_model(str(lively_model), precision="fp32")
    assert conversation_losses(loaded, [([1, 2, 3], [-100, -100, -100])], batch_size=1) == [ItemLoss(None, 0)]
