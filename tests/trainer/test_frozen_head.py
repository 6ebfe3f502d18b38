"""The loss over a frozen output layer: torch's own value and gradients, for what families do after that layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM

from trainer.frozen_head import CHUNK, Head, frozen_head, gives_own_logits, next_token_loss, use_frozen_head

ROWS, TOKENS, HIDDEN, WORDS = 2, CHUNK, 24, 96
SMALL = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}


def labels_of(ids: torch.Tensor) -> torch.Tensor:
    """The first third of each row without a label, as a prompt is."""
    labels = ids.clone()
    labels[:, : ids.shape[1] // 3] = -100
    return labels


@pytest.mark.parametrize("softcap", [None, 3.0])
@pytest.mark.parametrize("scale", [1.0, 0.25])
@pytest.mark.parametrize("bias", [False, True])
def test_value_and_gradient_are_those_of_torch(softcap: float | None, scale: float, bias: bool) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(ROWS, TOKENS, HIDDEN, dtype=torch.float64, requires_grad=True)
    head = Head(
        torch.randn(WORDS, HIDDEN, dtype=torch.float64),
        torch.randn(WORDS, dtype=torch.float64) if bias else None,
        scale,
        softcap,
    )
    ids = torch.randint(0, WORDS, (ROWS, TOKENS))
    ours = next_token_loss(hidden, labels_of(ids), head, count=7)
    (gradient,) = torch.autograd.grad(3 * ours, hidden)
    logits = head.logits(hidden.reshape(-1, HIDDEN)).view(ROWS, TOKENS, WORDS)[:, :-1].reshape(-1, WORDS)
    own = functional.cross_entropy(logits, labels_of(ids)[:, 1:].reshape(-1), ignore_index=-100, reduction="sum") / 7
    (expected,) = torch.autograd.grad(3 * own, hidden)
    assert ours.item() == pytest.approx(own.item(), rel=1e-5)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-6)


def test_a_batch_without_labels_has_no_loss_and_still_a_gradient() -> None:
    hidden = torch.randn(1, 4, HIDDEN, requires_grad=True)
    loss = next_token_loss(hidden, torch.full((1, 4), -100), Head(torch.randn(WORDS, HIDDEN)))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert hidden.grad is not None
    assert hidden.grad.abs().max() == 0.0


def adapted(kind: str, target: Any = "all-linear", **options: Any) -> Any:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**SMALL, **options}))
    return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules=target, r=4, init_lora_weights=False))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("llama", {}),
        ("qwen3", {"tie_word_embeddings": True}),
        ("gemma2", {"final_logit_softcapping": 5.0}),
        ("granite", {"logits_scaling": 8.0}),
        ("cohere", {"logit_scale": 0.25}),
    ],
)
def test_a_familys_own_loss_and_the_adapters_gradients(kind: str, options: dict[str, Any]) -> None:
    ids = torch.arange(3, 51).view(2, 24)
    plain, ours = adapted(kind, **options), adapted(kind, **options)
    assert use_frozen_head(ours)
    losses = [model(input_ids=ids, labels=labels_of(ids)).loss for model in (plain, ours)]
    for loss in losses:
        loss.backward()
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=1e-4)
    gradients = {name: value.grad for name, value in ours.named_parameters() if value.requires_grad}
    assert gradients
    for name, value in plain.named_parameters():
        if value.requires_grad:
            torch.testing.assert_close(gradients[name], value.grad, rtol=1e-3, atol=1e-6)


def test_without_labels_the_model_gives_its_logits() -> None:
    ids = torch.arange(3, 27)[None]
    plain, ours = adapted("llama"), adapted("llama")
    assert use_frozen_head(ours)
    torch.testing.assert_close(ours(input_ids=ids).logits, plain(input_ids=ids).logits)


def test_a_trained_output_layer_is_left_alone() -> None:
    assert not use_frozen_head(adapted("llama", ["q_proj", "lm_head"]))


def test_a_family_that_does_something_else_with_its_logits_is_left_alone() -> None:
    base = adapted("granite", logits_scaling=8.0).get_base_model()
    head = frozen_head(base)
    assert head is not None
    assert not gives_own_logits(base, Head(head.weight, head.bias))
