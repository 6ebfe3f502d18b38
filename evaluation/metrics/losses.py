"""The negative log-likelihood behind perplexity, also of texts longer than the model's context (sliding window)."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Any

from models.attention import use_quickest_attention

if TYPE_CHECKING:
    from models.load import LoadedModel

TOKENS_PER_FORWARD = 2048
IGNORED = -100


@dataclass(frozen=True)
class ItemLoss:
    """Mean negative log-likelihood (nats per token) of the assistant tokens of one conversation; None without any."""

    nll: float | None
    tokens: int


@dataclass(frozen=True)
class Window:
    """How a text longer than `tokens` is read: in windows of that many, each beginning `stride` after the one before.

    Every token is predicted once, in the first window that holds it, so with at least `tokens - stride` tokens before
    it (https://huggingface.co/docs/transformers/perplexity). A smaller stride is closer to a model without a limit, and
    slower.
    """

    tokens: int
    stride: int

    def __post_init__(self) -> None:
        assert 1 <= self.stride < self.tokens, "a stride of the whole window would leave tokens without any before them"


@dataclass(frozen=True)
class _Piece:
    """A window of row `row`: its tokens, and its labels with what an earlier window predicted left out."""

    row: int
    ids: Sequence[int]
    labels: Sequence[int]


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
    window: Window | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> list[ItemLoss]:
    """Losses of conversations given as (input_ids, labels), in the given order; labels of -100 do not count.

    Position t predicts token t + 1. `on_progress` gets the number of conversations done after each batch.
    """
    results: dict[int, ItemLoss] = {}
    for batch in loss_batches(loaded, tokenised, batch_size=batch_size, window=window):
        results.update(batch)
        if on_progress is not None:
            on_progress(len(results))
    return [results[index] for index in range(len(tokenised))]


def loss_batches(
    loaded: LoadedModel,
    tokenised: Sequence[tuple[Sequence[int], Sequence[int]]],
    *,
    batch_size: int,
    window: Window | None = None,
    known: Container[int] = (),
) -> Iterator[dict[int, ItemLoss]]:
    """The same by the conversations' places, a batch at a time; batches never depend on the places that are `known`.

    Batches are right-padded: with causal attention padding cannot reach what stands before it.
    """
    import torch

    for batch in _batches([len(ids) for ids, _ in tokenised], batch_size):
        if all(place in known for place in batch):
            continue
        pieces = [piece for place in batch for piece in _pieces(place, *tokenised[place], window)]
        totals = dict.fromkeys(batch, (0.0, 0))
        for some in _forwards(pieces):
            with torch.inference_mode():
                sums = _sums(loaded, some)
            for piece, (total, count) in zip(some, sums, strict=True):
                before = totals[piece.row]
                totals[piece.row] = (before[0] + total, before[1] + count)
        yield {place: ItemLoss(total / count if count else None, count) for place, (total, count) in totals.items()}


def _batches(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Indices sorted by length, in batches of bounded rows and padded tokens (logits take memory by the token)."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        full = not batches or len(batches[-1]) >= batch_size
        if full or (len(batches[-1]) + 1) * lengths[index] > TOKENS_PER_FORWARD:
            batches.append([])
        batches[-1].append(index)
    return batches


def _pieces(row: int, ids: Sequence[int], labels: Sequence[int], window: Window | None) -> Iterator[_Piece]:
    """The row whole where it fits, else its windows."""
    if window is None or len(ids) <= window.tokens:
        yield _Piece(row, ids, labels)
        return
    predicted = 0
    for begin in range(0, len(ids), window.stride):
        end = min(begin + window.tokens, len(ids))
        fresh = [IGNORED] * (predicted - begin) + list(labels[predicted:end])
        yield _Piece(row, ids[begin:end], fresh)
        predicted = end
        if end == len(ids):
            return


def _forwards(pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
    """Pieces that go through the model together: as many as stay within the bound on padded tokens."""
    some: list[_Piece] = []
    for piece in pieces:
        widest = max([len(piece.ids), *(len(each.ids) for each in some)])
        if some and (len(some) + 1) * widest > TOKENS_PER_FORWARD:
            yield some
            some = []
        some.append(piece)
    if some:
        yield some


def _sums(loaded: LoadedModel, rows: Sequence[_Piece]) -> list[tuple[float, int]]:
    """For each piece the summed negative log-likelihood of its labels, and their number."""
    import torch

    width = max(len(row.ids) for row in rows)
    # Never as whatever ran before left it: the two implementations differ by rounding.
    use_quickest_attention(loaded.model, width)
    ids = torch.full((len(rows), width), loaded.tokenizer.pad_id)
    labels = torch.full((len(rows), width), IGNORED)
    attention = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = torch.tensor(row.ids)
        labels[index, : len(row.labels)] = torch.tensor(row.labels)
        attention[index, : len(row.ids)] = 1
    logits: Any = loaded.model(
        input_ids=ids.to(loaded.device), attention_mask=attention.to(loaded.device), use_cache=False
    ).logits
    targets = labels[:, 1:].to(loaded.device)
    counted = targets != IGNORED
    nll = torch.nn.functional.cross_entropy(logits[:, :-1][counted].float(), targets[counted], reduction="none")
    sums = torch.zeros(counted.shape, dtype=torch.float64)
    sums[counted.cpu()] = nll.double().cpu()
    return list(zip(sums.sum(dim=1).tolist(), counted.sum(dim=1).tolist(), strict=True))
