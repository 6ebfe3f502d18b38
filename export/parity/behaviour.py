"""What rounding did to a model's probabilities: perplexity, divergence and agreement on held-out answers.

A quantised file is loaded with transformers, which unpacks exactly the weights that were rounded; so two models of the
same shape read the same tokens, and only the weights differ. Compared is what each expects at the places where an
answer's token follows: at most `PLACES_OF_A_ROW` of a row, so that their logits fit, and of all these every so many-th
in full, so that what is kept of the trained model takes no more than `KEPT_BYTES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import exp, sqrt
from pathlib import Path
from typing import Any

KEPT_BYTES = 256_000_000
PLACES_OF_A_ROW = 256
_NORMAL_95 = 1.96

Tokens = tuple[Sequence[int], Sequence[int]]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Expected:
    """What the trained model expects. `losses`: an array for each row, nats a token; `log_probabilities`: (places,
    vocabulary) in float32, of every `step`-th token."""

    losses: list[Any]
    log_probabilities: Any
    step: int

    @property
    def perplexity(self) -> float:
        import numpy

        return exp(float(numpy.concatenate(self.losses).mean()))


@dataclass(frozen=True)
class Behaviour:
    """Of a file beside the trained model, over `tokens` tokens of held-out answers.

    `cost`: how much higher its perplexity is (0.004 is 0.4 %), with 95 % confidence from `cost_low` to `cost_high`
    (rows taken as independent, their tokens not); `divergence`: mean KL(trained ‖ file) in nats; `agreement`: share of
    the `places` at which both think the same token likeliest.
    """

    perplexity: float
    cost: float
    cost_low: float
    cost_high: float
    divergence: float
    agreement: float
    tokens: int
    places: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def expect(model: Any, rows: Sequence[Tokens], store: Path, progress: Progress) -> Expected:
    """What `model` (transformers, trained) expects at the answers of `rows` (ids, labels). `store`: a file for the
    log-probabilities, so that they take no memory."""
    import numpy

    total, words = sum(map(len, map(_places, rows))), model.get_output_embeddings().weight.shape[0]
    step = max(1, -(-total * words * 4 // KEPT_BYTES))
    kept = numpy.memmap(store, dtype=numpy.float32, mode="w+", shape=(-(-total // step), words))
    losses, done = [], 0
    for log_probabilities, targets in _read(model, rows):
        size = len(targets)
        losses.append(-log_probabilities[numpy.arange(size), targets].astype(numpy.float64))
        for at in _chosen(done, size, step):
            kept[(done + at) // step] = log_probabilities[at]
        done += size
        progress(done / total)
    return Expected(losses, kept, step)


def behaviour(model: Any, rows: Sequence[Tokens], expected: Expected, progress: Progress) -> Behaviour:
    """The same rows read by a file's `model`. Vocabularies may differ by padding: what both have is compared."""
    import numpy

    total = sum(map(len, expected.losses))
    losses: list[Any] = []
    divergences: list[float] = []
    agreeing = done = 0
    for log_probabilities, targets in _read(model, rows):
        size = len(targets)
        losses.append(-log_probabilities[numpy.arange(size), targets].astype(numpy.float64))
        for at in _chosen(done, size, expected.step):
            own = expected.log_probabilities[(done + at) // expected.step]
            words = min(len(own), log_probabilities.shape[1])
            divergences.append(divergence(own[:words], log_probabilities[at, :words]))
            agreeing += int(own[:words].argmax() == log_probabilities[at, :words].argmax())
        done += size
        progress(done / total)
    mean, error = _mean_and_error([own - other for own, other in zip(losses, expected.losses, strict=True)])
    return Behaviour(
        perplexity=exp(float(numpy.concatenate(losses).mean())),
        cost=exp(mean) - 1,
        cost_low=exp(mean - _NORMAL_95 * error) - 1,
        cost_high=exp(mean + _NORMAL_95 * error) - 1,
        divergence=max(0.0, sum(divergences) / len(divergences)),
        agreement=agreeing / len(divergences),
        tokens=total,
        places=len(divergences),
    )


def _mean_and_error(differences: Sequence[Any]) -> tuple[float, float]:
    """Mean over all tokens, and its standard error with each row's tokens as one cluster (Liang and Zeger 1986)."""
    import numpy

    total = sum(map(len, differences))
    mean = float(numpy.concatenate(differences).mean())
    return mean, sqrt(sum(float((row - mean).sum()) ** 2 for row in differences)) / total


def divergence(own: Any, other: Any) -> float:
    """KL(own ‖ other) of two rows of log-probabilities, in nats (Kullback and Leibler 1951)."""
    import numpy

    wide = own.astype(numpy.float64)
    return float((numpy.exp(wide) * (wide - other)).sum())


def _chosen(done: int, size: int, step: int) -> range:
    """Which of the next `size` places are kept in full, when `done` came before."""
    return range(-done % step, size, step)


def _places(row: Tokens) -> list[int]:
    """Where an answer's token follows."""
    labels = row[1]
    return [place for place in range(len(labels) - 1) if labels[place + 1] >= 0][:PLACES_OF_A_ROW]


def _read(model: Any, rows: Sequence[Tokens]) -> Iterator[tuple[Any, Any]]:
    """Row by row: log-probabilities (places, vocabulary), and the tokens that follow."""
    import torch

    for row in rows:
        places = _places(row)
        ids = torch.tensor([list(row[0])], device=model.device)
        wanted = torch.tensor(places, device=model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids, logits_to_keep=wanted, use_cache=False).logits[0]
            found = torch.log_softmax(logits.float(), dim=-1)
        yield found.cpu().numpy(), torch.tensor([row[1][place + 1] for place in places]).numpy()
