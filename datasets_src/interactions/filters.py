"""What a filter on interactions and votes means in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from datasets_src.interactions.records import InteractionFilter

USED_ANSWER = "coalesce(edit, answer)"
CHOSEN_ANSWER = "CASE preferred WHEN 'a' THEN answer_a ELSE answer_b END"


@dataclass(frozen=True)
class Where:
    """A condition in SQL and the values of its question marks."""

    sql: str
    values: tuple[Any, ...]


def interaction_where(chosen: InteractionFilter) -> Where:
    """The condition of a filter on interactions."""
    terms = _common_terms(chosen, USED_ANSWER)
    if chosen.model is not None:
        terms.append(("model = ?", (chosen.model,)))
    if chosen.min_rating is not None:
        terms.append(("(rating >= ? OR edit IS NOT NULL)", (chosen.min_rating,)))
    if chosen.only_edited:
        terms.append(("edit IS NOT NULL", ()))
    return _joined(terms)


def vote_where(chosen: InteractionFilter) -> Where:
    """The condition of a filter on votes."""
    terms = _common_terms(chosen, CHOSEN_ANSWER)
    if chosen.model is not None:
        terms.append(("(model_a = ? OR model_b = ?)", (chosen.model, chosen.model)))
    return _joined(terms)


def _common_terms(chosen: InteractionFilter, answer: str) -> list[tuple[str, tuple[Any, ...]]]:
    day = timedelta(days=1)
    given: list[tuple[str, Any]] = [
        (f"length({answer}) >= ?", chosen.min_length),
        (f"length({answer}) <= ?", chosen.max_length),
        ("tag = ?", chosen.tag),
        ("reasoning_mode = ?", chosen.reasoning_mode),
        ("time >= ?", _midnight(chosen.date_from) if chosen.date_from else None),
        ("time < ?", _midnight(chosen.date_to + day) if chosen.date_to else None),
    ]
    return [(term, (value,)) for term, value in given if value is not None]


def _joined(terms: Sequence[tuple[str, tuple[Any, ...]]]) -> Where:
    sql = " AND ".join(term for term, _ in terms) or "TRUE"
    return Where(sql, tuple(value for _, values in terms for value in values))


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
