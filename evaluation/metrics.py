"""Per-item metrics: exact match, its lenient form, and the negative log-likelihood behind perplexity."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.load import LoadedModel

TOKENS_PER_FORWARD = 2048
IGNORED = -100


def exact_match(answer: str, reference: str) -> float:
    """1 when equal but for surrounding white space, else 0."""
    return float(answer.strip() == reference.strip())


def contains(answer: str, reference: str) -> float:
    """1 when the reference's words stand in the answer in that order, whatever their case; else 0."""
    wanted, given = _words(reference), _words(answer)
    if not wanted:
        return exact_match(answer, reference)
    return float(any(given[at : at + len(wanted)] == wanted for at in range(len(given) - len(wanted) + 1)))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


@dataclass(frozen=True)
class ItemLoss:
    """Mean negative log-likelihood (nats per token) of the assistant tokens of one conversation; None without any."""

    nll: float | None
    tokens: int


def perplexity(losses: Sequence[ItemLoss]) -> float:
    """exp of the mean negative log-likelihood over all assistant tokens together; NaN where there are none."""
    tokens = sum(loss.tokens for loss in losses)
    total = sum(loss.nll * loss.tokens for loss in losses if loss.nll is not None)
    return exp(total / tokens) if tokens else float("nan")


def conversation_losses(
    loaded: LoadedModel,
    tokenised: Sequence[tuple[Sequence[int], Sequence[int]]],
    *,
    batch_size: int,
    on_progress: Callable[[int], None] | None = None,
) -> list[ItemLoss]:
    """Losses of conversations given as (input_ids, labels), in the given order; labels of -100 do not count.

    Position t predicts token t + 1. Batches are right-padded: with causal attention padding cannot reach what stands
    before it. `on_progress` gets the number of conversations done after each batch.
    """
    import torch

    results: dict[int, ItemLoss] = {}
    for batch in _batches([len(ids) for ids, _ in tokenised], batch_size):
        with torch.inference_mode():
            batch_losses = _batch_losses(loaded, [tokenised[index] for index in batch])
        results.update(zip(batch, batch_losses, strict=True))
        if on_progress is not None:
            on_progress(len(results))
    return [results[index] for index in range(len(tokenised))]


def _batches(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Indices sorted by length, in batches of bounded rows and padded tokens (logits take memory by the token)."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        full = not batches or len(batches[-1]) >= batch_size
        if full or (len(batches[-1]) + 1) * lengths[index] > TOKENS_PER_FORWARD:
            batches.append([])
        batches[-1].append(index)
    return batches


def _batch_losses(loaded: LoadedModel, rows: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[ItemLoss]:
    import torch

    width = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), width), loaded.tokenizer.pad_id)
    labels = torch.full((len(rows), width), IGNORED)
    attention = torch.zeros((len(rows), width), dtype=torch.long)
    for index, (row_ids, row_labels) in enumerate(rows):
        ids[index, : len(row_ids)] = torch.tensor(row_ids)
        labels[index, : len(row_labels)] = torch.tensor(row_labels)
        attention[index, : len(row_ids)] = 1
    logits: Any = loaded.model(
        input_ids=ids.to(loaded.device), attention_mask=attention.to(loaded.device), use_cache=False
    ).logits
    targets = labels[:, 1:].to(loaded.device)
    counted = targets != IGNORED
    nll = torch.nn.functional.cross_entropy(logits[:, :-1][counted].float(), targets[counted], reduction="none")
    sums = torch.zeros(counted.shape, dtype=torch.float64)
    sums[counted.cpu()] = nll.double().cpu()
    counts = counted.sum(dim=1).tolist()
    totals = sums.sum(dim=1).tolist()
    return [ItemLoss(total / count if count else None, count) for total, count in zip(totals, counts, strict=True)]
