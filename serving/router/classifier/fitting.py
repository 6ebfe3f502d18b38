"""The numbers of a classifier: logistic regression by L-BFGS, and the temperature that makes its probabilities true.

Pure functions over a sparse matrix of features (rows, BUCKETS) and label numbers (rows).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.router.classifier.features import BUCKETS, Counts, weighted
from serving.router.classifier.model import softmax

Numbers = NDArray[np.float64]
Labels = NDArray[np.int64]
# How much is allowed to be learned from each row: with more, weights may grow larger (C of other libraries).
STRENGTHS = (1.0, 10.0, 100.0)
MOST_STEPS = 100
HOTTEST = 10.0


@dataclass(frozen=True)
class Weights:
    """Coefficients (BUCKETS, labels) and intercepts (labels)."""

    coefficients: Numbers
    intercepts: Numbers

    def scores(self, features: Any) -> Numbers:
        """The scores (rows, labels) of a matrix of features."""
        return np.asarray(features @ self.coefficients + self.intercepts)


def rarity_of(rows: Sequence[Counts]) -> NDArray[np.float32]:
    """For each bucket how much it tells: log((1 + rows) / (1 + rows with it)) + 1, smooth inverse document frequency.

    (Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 6.2.) 0 for buckets of no row, so that
    what was never learned counts for nothing.
    """
    with_it = np.zeros(BUCKETS)
    for row in rows:
        with_it[row.buckets] += 1
    rarity = np.log((1 + len(rows)) / (1 + with_it)) + 1
    return np.where(with_it > 0, rarity, 0).astype(np.float32)


def matrix_of(rows: Sequence[Counts], rarity: NDArray[np.float32]) -> Any:
    """The features as a scipy CSR matrix (rows, BUCKETS)."""
    from scipy.sparse import csr_matrix

    ends = np.cumsum([0, *(len(row.buckets) for row in rows)])
    values = np.concatenate([weighted(row, rarity) for row in rows])
    columns = np.concatenate([row.buckets for row in rows])
    return csr_matrix((values, columns, ends), shape=(len(rows), BUCKETS))


def fit(features: Any, labels: Labels, count: int, strength: float) -> Weights:
    """The weights for `count` labels: least mean cross-entropy + |coefficients|² / (2 · strength · rows)."""
    from scipy.optimize import minimize

    used = np.unique(features.indices)
    columns, rows = features[:, used], len(labels)
    transposed = columns.T.tocsr()
    penalty = 1.0 / (strength * rows)
    split = len(used) * count

    def loss(flat: Numbers) -> tuple[float, Numbers]:
        coefficients, intercepts = flat[:split].reshape(len(used), count), flat[split:]
        chances = softmax(columns @ coefficients + intercepts)
        right = chances[np.arange(rows), labels]
        value = -np.log(np.maximum(right, 1e-300)).mean() + penalty / 2 * (coefficients**2).sum()
        chances[np.arange(rows), labels] -= 1
        chances /= rows
        gradient = np.concatenate([(transposed @ chances + penalty * coefficients).ravel(), chances.sum(axis=0)])
        return float(value), gradient

    found = minimize(loss, np.zeros(split + count), jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS})
    coefficients = np.zeros((BUCKETS, count))
    coefficients[used] = found.x[:split].reshape(len(used), count)
    return Weights(coefficients, found.x[split:])


def temperature_for(scores: Numbers, labels: Labels) -> float:
    """What scores of rows that were not learned from have to be divided by for true probabilities (Guo et al. 2017).

    The right label's target is not 1 but (rows + 1) / (rows + 2), after Platt (1999): a few rows, all of them right,
    are no proof that it never errs.
    """
    from scipy.optimize import minimize_scalar

    rows, count = scores.shape
    sure = (rows + 1) / (rows + 2)
    targets = np.full(scores.shape, (1 - sure) / (count - 1))
    targets[np.arange(rows), labels] = sure

    def loss(exponent: float) -> float:
        chances = softmax(scores / np.exp(exponent))
        return float(-(targets * np.log(np.maximum(chances, 1e-300))).sum(axis=1).mean())

    limit = np.log(HOTTEST)
    return float(np.exp(minimize_scalar(loss, bounds=(-limit, limit), method="bounded").x))


def mean_loss(scores: Numbers, labels: Labels, temperature: float) -> float:
    """The mean cross-entropy, in nats, of the labels under the scores."""
    chances = softmax(scores / temperature)
    return float(-np.log(np.maximum(chances[np.arange(len(labels)), labels], 1e-300)).mean())
