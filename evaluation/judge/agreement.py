"""How far two people, or a judge and a person, agree beyond chance: Cohen's kappa and its interval."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

DRAWS = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa with its 95 % interval. None where it is not defined: both gave one and the same label alone."""

    kappa: float | None
    low: float | None
    high: float | None
    items: int
    agreed: float


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """(p_o − p_e) / (1 − p_e), with p_e from each one's own frequencies: Cohen, "A coefficient of agreement for nominal
    scales" (1960). None without items, and where p_e is 1."""
    if not first:
        return None
    labels = sorted({*first, *second})
    table = _tables(first, second, labels).sum(axis=0)
    (value,) = _kappas(table[None])
    return None if value != value else float(value)


def measure_agreement(
    first: Sequence[str], second: Sequence[str], groups: Sequence[Hashable], seed: int = 0
) -> Agreement:
    """Kappa with a percentile bootstrap interval (2,000 draws) that draws whole groups: items of one are not
    independent. The interval is None for fewer than two groups, and where most draws have no kappa."""
    import numpy as np

    kappa = cohens_kappa(first, second)
    agreed = sum(one == other for one, other in zip(first, second, strict=True)) / len(first) if first else 0.0
    names = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    if kappa is None or len(names) < 2:
        return Agreement(kappa, None, None, len(first), agreed)
    labels = sorted({*first, *second})
    tables = np.zeros((len(names), len(labels), len(labels)))
    np.add.at(tables, [names[group] for group in groups], _tables(first, second, labels))
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    found = _kappas(np.tensordot(drawn, tables, axes=1))
    found = found[~np.isnan(found)]
    if len(found) < DRAWS / 2:
        return Agreement(kappa, None, None, len(first), agreed)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return Agreement(kappa, float(low), float(high), len(first), agreed)


def _tables(first: Sequence[str], second: Sequence[str], labels: Sequence[str]) -> Any:
    """A table of one 1 for each item, (items, labels, labels)."""
    import numpy as np

    place = {label: number for number, label in enumerate(labels)}
    tables = np.zeros((len(first), len(labels), len(labels)))
    for item, (one, other) in enumerate(zip(first, second, strict=True)):
        tables[item, place[one], place[other]] = 1
    return tables


def _kappas(tables: Any) -> Any:
    """Kappa of each of (draws, labels, labels) tables; NaN where chance alone would give full agreement."""
    import numpy as np

    totals = tables.sum(axis=(1, 2))
    observed = np.trace(tables, axis1=1, axis2=2) / totals
    expected = (tables.sum(axis=2) * tables.sum(axis=1)).sum(axis=1) / totals**2
    with np.errstate(invalid="ignore", divide="ignore"):
        kappas = (observed - expected) / (1 - expected)
    return np.where(expected > 1 - 1e-12, np.nan, kappas)
