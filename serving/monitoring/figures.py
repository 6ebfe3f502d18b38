"""Figures of a window of time by model or version: how much, how quick, how reliable, and what people thought of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Literal

from datasets_src.interactions import Interaction
from evaluation.intervals import Interval, mean_interval
from jobs.workspace import Workspace
from serving.monitoring.chats import chats_between, person_of
from serving.monitoring.columns import UNKNOWN, Columns, read_columns
from serving.monitoring.differences import CONFIDENCE
from serving.monitoring.request_log import LEFT

By = Literal["model", "version"]


@dataclass(frozen=True)
class Percentiles:
    """The middle (p50) and what 95 of 100 stay below (p95); None where nothing was measured."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True)
class Figures:
    """One model's, or one version's, figures.

    `failed`: answered with a fault of the server (HTTP 500 and above); `refused`: with one of the client's (400 to 498,
    too many requests among them); `left`: the client did not wait. Times in seconds, of answers that were completed;
    `tokens_per_second` of one answer, from when its turn came. `ratings` from 1 to 5: their mean, its 95 % interval
    (None for fewer than two people), and of how many people.
    """

    model: str
    version: str | None
    requests: int
    failed: int
    refused: int
    left: int
    seconds: Percentiles
    first_token_seconds: Percentiles
    queue_seconds: Percentiles
    tokens_per_second: Percentiles
    prompt_tokens: int
    answer_tokens: int
    ratings: int
    rating: float | None
    rating_interval: Interval | None
    people: int


def figures(workspace: Workspace, since: float, until: float, by: By = "model") -> list[Figures]:
    """Figures of all models (or all versions of each) that were asked between two times (seconds since 1970).

    A million requests take about a second. Ratings are those of chats that were kept.
    """
    columns = read_columns(workspace, since, until, ["model"] if by == "model" else ["model", "version"])
    if columns is None:
        return []
    rated: dict[tuple[str | None, ...], list[Interaction]] = defaultdict(list)
    for chat in chats_between(workspace, since, until, only_rated=True):
        rated[(chat.model,) if by == "model" else (chat.model, chat.model_version)].append(chat)
    return [_of_group(columns, number, rated[group]) for number, group in enumerate(columns.groups)]


def _of_group(columns: Columns, number: int, rated: list[Interaction]) -> Figures:
    import numpy as np

    here = columns.codes == number
    status = columns.status[here]
    done = here & (columns.status < 400)
    seconds, queue = columns.seconds[done], columns.queue_seconds[done]
    tokens = columns.answer_tokens[done]
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = np.where(tokens > 0, tokens / (seconds - np.nan_to_num(queue)), np.nan)
    model, *version = columns.groups[number]
    scores = [chat.rating for chat in rated if chat.rating is not None]
    people = [person_of(chat) for chat in rated if chat.rating is not None]
    return Figures(
        model=model or "",
        version=version[0] if version else None,
        requests=int(here.sum()),
        failed=int((status >= 500).sum()),
        refused=int(((status >= 400) & (status < LEFT)).sum()),
        left=int((status == LEFT).sum()),
        seconds=percentiles(seconds),
        first_token_seconds=percentiles(columns.first_token_seconds[done]),
        queue_seconds=percentiles(queue),
        tokens_per_second=percentiles(speed[np.isfinite(speed)]),
        prompt_tokens=_total(columns.prompt_tokens[here]),
        answer_tokens=_total(columns.answer_tokens[here]),
        ratings=len(scores),
        rating=sum(scores) / len(scores) if scores else None,
        rating_interval=rating_interval(scores, people),
        people=len(set(people)),
    )


def percentiles(values: Any) -> Percentiles:
    """Of the values that are known."""
    import numpy as np

    known = values[~np.isnan(values)]
    if len(known) == 0:
        return Percentiles(None, None)
    middle, most = np.percentile(known, [50, 95])
    return Percentiles(float(middle), float(most))


def rating_interval(scores: list[int], people: list[str]) -> Interval | None:
    """The interval of a mean rating, within 1 to 5; ratings of one person are alike."""
    if len(set(people)) < 2:
        return None
    # As shares of the scale they are bounded, which an interval has to know.
    scaled = [(score - 1) / 4 for score in scores]
    found = mean_interval(scaled, people, CONFIDENCE)
    return Interval(1 + 4 * found.low, 1 + 4 * found.high, found.method) if found is not None else None


def _total(tokens: Any) -> int:
    return int(tokens[tokens != UNKNOWN].sum())
