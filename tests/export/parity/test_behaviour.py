"""What rounding does to probabilities: perplexity, divergence and agreement equal a direct computation."""

from __future__ import annotations

from math import exp
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from export.parity import behaviour as measured
from export.parity.behaviour import behaviour, divergence, expect

ROWS = [([1, 5, 9, 3, 7, 2], [-100, -100, 9, 3, 7, 2]), ([4, 8, 6, 2], [-100, 8, 6, 2]), ([3, 3, 1], [-100, -100, 1])]


def model(seed: int) -> Any:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=12, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2
    )
    return LlamaForCausalLM(config).eval()


def nothing(_share: float) -> None:
    pass


def direct(one: Any) -> tuple[numpy.ndarray[Any, Any], numpy.ndarray[Any, Any]]:
    """Log-probabilities at the answers' places, and their losses, from the whole logits."""
    found, losses = [], []
    for ids, labels in ROWS:
        with torch.no_grad():
            every = torch.log_softmax(one(input_ids=torch.tensor([ids])).logits[0].double(), -1).numpy()
        for place in range(len(ids) - 1):
            if labels[place + 1] >= 0:
                found.append(every[place])
                losses.append(-every[place][labels[place + 1]])
    return numpy.array(found), numpy.array(losses)


def test_perplexity_divergence_and_agreement_are_those_of_a_direct_computation(tmp_path: Path) -> None:
    trained, other = model(0), model(1)
    expected = expect(trained, ROWS, tmp_path / "kept", nothing)
    found = behaviour(other, ROWS, expected, nothing)
    own, own_losses = direct(trained)
    others, other_losses = direct(other)
    assert found.perplexity == pytest.approx(exp(other_losses.mean()), rel=1e-5)
    assert expected.perplexity == pytest.approx(exp(own_losses.mean()), rel=1e-5)
    assert found.cost == pytest.approx(exp(other_losses.mean() - own_losses.mean()) - 1, rel=1e-4)
    assert found.divergence == pytest.approx((numpy.exp(own) * (own - others)).sum(1).mean(), rel=1e-4)
    assert found.agreement == pytest.approx((own.argmax(1) == others.argmax(1)).mean())
    assert (found.tokens, found.places) == (8, 8)
    assert found.cost_low < found.cost < found.cost_high


def test_a_model_beside_itself_costs_nothing(tmp_path: Path) -> None:
    trained = model(0)
    found = behaviour(trained, ROWS, expect(trained, ROWS, tmp_path / "kept", nothing), nothing)
    assert (found.cost, found.cost_low, found.cost_high, found.agreement) == (0.0, 0.0, 0.0, 1.0)
    assert found.divergence < 1e-9


def test_where_room_is_short_every_so_many_th_place_is_compared_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "KEPT_BYTES", 3 * 12 * 4)
    trained, other = model(0), model(1)
    expected = expect(trained, ROWS, tmp_path / "kept", nothing)
    found = behaviour(other, ROWS, expected, nothing)
    own, others = direct(trained)[0][:: expected.step], direct(other)[0][:: expected.step]
    assert (tmp_path / "kept").stat().st_size <= 3 * 12 * 4
    assert (found.tokens, found.places) == (8, len(own))
    assert found.divergence == pytest.approx((numpy.exp(own) * (own - others)).sum(1).mean(), rel=1e-4)


def test_the_divergence_of_two_known_distributions() -> None:
    own, other = numpy.log([0.5, 0.5]), numpy.log([0.9, 0.1])
    assert divergence(own, other) == pytest.approx(0.5 * numpy.log(0.5 / 0.9) + 0.5 * numpy.log(0.5 / 0.1))
