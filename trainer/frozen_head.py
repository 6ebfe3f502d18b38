"""The next-token loss of a model whose output layer isn't trained, in one pass over the vocabulary.

Where the output layer is frozen, the gradient of a token's log-probability with respect to its hidden state can be
computed together with the log-probability itself, and only has to be scaled later. So the logits are made once, chunk
by chunk and only where a label is; they are neither kept for the backward pass nor made a second time there.
"""

from __future__ import annotations

import inspect
import types
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from trainer.collate import IGNORED

# Tokens at once. Their logits are the largest thing held: 50 MB in 32 bit for a vocabulary of 49,152.
CHUNK = 256
# How far our logits may be from the model's own before another way is taken: both are rounded to 16 bit at times.
LOGITS_MAY_DIFFER = 0.05


@dataclass(frozen=True)
class Head:
    """What turns hidden states into logits: `weight` (vocabulary, hidden), `bias` (vocabulary,); the product times
    `scale`, then squeezed into ±`softcap` by a tangent (Gemma)."""

    weight: torch.Tensor
    bias: torch.Tensor | None = None
    scale: float = 1.0
    softcap: float | None = None

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(tokens, vocabulary) for hidden states of (tokens, hidden)."""
        logits = functional.linear(hidden.to(self.weight.dtype), self.weight, self.bias)
        if self.scale != 1.0:
            logits = logits * self.scale
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)


def _chunk(
    hidden: torch.Tensor, labels: torch.Tensor, head: Head, with_gradient: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Log-probabilities of labels (tokens,), and the gradient of each towards its own hidden state."""
    logits, own = head.logits(hidden), labels[:, None]
    log_probabilities = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
    values = log_probabilities.gather(1, own)[:, 0]
    if not with_gradient:
        return values, None
    slope = log_probabilities.exp_().neg_()
    slope.scatter_add_(1, own, torch.ones_like(own, dtype=slope.dtype))
    if head.softcap is not None:
        slope.mul_(1 - (logits.float() / head.softcap) ** 2)
    return values, slope.to(head.weight.dtype) @ head.weight * head.scale


class _LogProbabilities(torch.autograd.Function):  # type: ignore[misc]
    """Log-probabilities of labels (tokens,) under hidden states (tokens, hidden)."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, labels: torch.Tensor, head: Head) -> torch.Tensor:
        values = torch.empty(len(labels), dtype=torch.float32, device=hidden.device)
        gradients = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        for start in range(0, len(labels), CHUNK):
            part = slice(start, start + CHUNK)
            values[part], gradient = _chunk(hidden[part], labels[part], head, gradients is not None)
            if gradients is not None:
                gradients[part] = gradient
        ctx.save_for_backward(gradients)
        return values

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None]:  # type: ignore[override]
        (gradients,) = ctx.saved_tensors
        return (gradients * upstream[:, None]).to(gradients.dtype), None, None


def next_token_loss(hidden: torch.Tensor, labels: torch.Tensor, head: Head, count: Any = None) -> torch.Tensor:
    """Sum over labelled tokens of −log p, over `count` of them (all processes' and micro-batches'; None: the batch's).

    `hidden` (rows, tokens, hidden), `labels` (rows, tokens), `IGNORED` where none is; each token is told from the
    state before it.
    """
    wanted = labels[:, 1:] != IGNORED
    states, targets = hidden[:, :-1][wanted], labels[:, 1:][wanted]
    total = -_LogProbabilities.apply(states, targets, head).sum()  # type: ignore[no-untyped-call]
    return total / (max(1, len(targets)) if count is None else count)


def frozen_head(model: Any) -> Head | None:
    """The output layer of a transformers model, None where it is trained or isn't a plain matrix."""
    layer = model.get_output_embeddings()
    if type(layer) is not torch.nn.Linear or not layer.weight.is_floating_point():
        return None
    if any(parameter.requires_grad for parameter in layer.parameters()):
        return None
    config = model.config.get_text_config()
    scale = getattr(config, "logit_scale", None) or 1.0 / (getattr(config, "logits_scaling", None) or 1.0)
    return Head(layer.weight, layer.bias, float(scale), getattr(config, "final_logit_softcapping", None))


def gives_own_logits(model: Any, head: Head) -> bool:
    """Whether `head` over the model's last hidden states gives the model's logits: families differ in what they do
    after the output layer, and mixtures of experts add a loss of their own."""
    if getattr(model.config.get_text_config(), "output_router_logits", False):
        return False
    ids = torch.arange(1, 9, device=head.weight.device)[None]
    training = model.training
    model.eval()
    with torch.no_grad():
        own = model(input_ids=ids, use_cache=False).logits.float()[0]
        ours = head.logits(model.base_model(input_ids=ids, use_cache=False).last_hidden_state[0]).float()
    model.train(training)
    spread = own.std().clamp(min=1e-6)
    return bool((own - ours).abs().max() <= LOGITS_MAY_DIFFER * spread)


def use_frozen_head(model: Any) -> bool:
    """Let a PEFT model that is given labels compute its loss this way; False where that wouldn't be the same loss."""
    base = model.get_base_model()
    head = frozen_head(base)
    if head is None or not gives_own_logits(base, head):
        return False
    whole = base.forward

    def forward(self: Any, *positional: Any, labels: Any = None, num_items_in_batch: Any = None, **inputs: Any) -> Any:
        from transformers.modeling_outputs import CausalLMOutput

        if labels is None:
            return whole(*positional, **inputs)
        # Asked for here: a sharded model's weights are whole only during its forward pass.
        own = Head(self.get_output_embeddings().weight, head.bias, head.scale, head.softcap)
        hidden = self.base_model(*positional, **inputs).last_hidden_state
        return CausalLMOutput(loss=next_token_loss(hidden, labels, own, num_items_in_batch))

    # transformers reads in it which arguments the model takes.
    forward.__signature__ = inspect.signature(whole)  # type: ignore[attr-defined]
    base.forward = types.MethodType(forward, base)
    return True


class FrozenHeadLoss:
    """Mixed into TRL's SFTTrainer, before it, for a model that computes its loss this way."""

    def compute_loss(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        """transformers' own: TRL's asks for an entropy and an accuracy, which cost passes over all logits."""
        from transformers import Trainer

        inputs.pop("_prediction_loss_only", None)
        inputs["use_cache"] = False
        return Trainer.compute_loss(self, model, inputs, *arguments, **options)  # type: ignore[arg-type]
