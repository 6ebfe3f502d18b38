"""From single requests to one figure for each user, in an order that no arm can have an influence on.

Answers to one user are alike, so a user counts once, by the mean of theirs. Two ways of taking it hold at any look:
- settled: the mean over a window of time that begins with the user's first request. Users are in order of that request
  and counted once the window, and some minutes more for late answers and ratings, are over. As the window is the same
  for all, those that are counted are always the first so many users.
- first: the user's first answer alone, at once. Users after one whose first answer is still being written wait for it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from serving.experiments.experiment import Experiment
from serving.experiments.outcomes import MEASURES, Measure
from serving.experiments.store import Experiments

GRACE_SECONDS = 600.0
_HOLDERS = """
SELECT unit, arm, revision, request, min(time) AS start FROM exposures WHERE experiment = :experiment
GROUP BY unit ORDER BY start, unit
"""
# Beside the only max() of a group stand the values of its row: the latest figure of each request.
_LATEST = """
SELECT exposures.unit, exposures.arm, exposures.time AS asked, exposures.request, max(outcomes.id) AS last,
    {column} AS value
FROM exposures JOIN (SELECT unit, arm, min(time) AS start FROM exposures WHERE experiment = :experiment GROUP BY unit)
    AS first ON first.unit = exposures.unit AND first.arm = exposures.arm
LEFT JOIN outcomes ON outcomes.request = exposures.request AND {column} IS NOT NULL
    AND outcomes.time <= first.start + :window + :grace {also}
WHERE exposures.experiment = :experiment AND exposures.time <= first.start + :window
GROUP BY exposures.request
"""


@dataclass(frozen=True)
class Observed:
    """Users in order of their coming (numpy arrays): scaled value, arm's name, revision of the percentages then."""

    values: Any
    arms: Any
    revisions: Any

    def of(self, arms: tuple[str, ...]) -> Observed:
        """Those of some arms alone."""
        import numpy as np

        kept = np.isin(self.arms, arms)
        return Observed(self.values[kept], self.arms[kept], self.revisions[kept])


@dataclass(frozen=True)
class _Holder:
    """A user and what they met first. `value`: none yet, or never."""

    unit: str
    arm: str
    revision: int
    request: str
    start: float


def settled(experiments: Experiments, experiment: Experiment, measure: Measure, now: float) -> Observed:
    """The mean over the window of each user for whom it is over; without those of whom nothing became known."""
    import numpy as np

    holders, figures = _read(experiments, experiment, measure)
    over = now - _window_seconds(experiment) - GRACE_SECONDS
    holders = [holder for holder in holders if holder.start <= over]
    places = {holder.unit: place for place, holder in enumerate(holders)}
    known = [(places[row["unit"]], value) for row in figures if row["unit"] in places
             for value in (_value(row, measure),) if value is not None]  # fmt: skip
    where = np.array([place for place, _ in known], dtype=int)
    counts = np.bincount(where, minlength=len(holders))
    sums = np.bincount(where, weights=[value for _, value in known], minlength=len(holders))
    kept = counts > 0
    return _observed([holder for holder, keep in zip(holders, kept, strict=True) if keep], sums[kept] / counts[kept])


def first(experiments: Experiments, experiment: Experiment, measure: Measure, now: float) -> Observed:
    """Each user's first answer, up to the first user whose answer is still to come.

    For what is known when an answer ends (error, latency), not for what people say of it later.
    """
    import numpy as np

    holders, figures = _read(experiments, experiment, measure)
    values = {row["request"]: row["value"] for row in figures}
    ended = _ended(experiments, experiment)
    over = now - _window_seconds(experiment) - GRACE_SECONDS
    kept, found = [], []
    for holder in holders:
        if holder.request not in ended and holder.start > over:
            break
        value = values.get(holder.request)
        value = measure.absent if value is None else measure.scaled(value)
        if value is not None:
            kept.append(holder)
            found.append(value)
    return _observed(kept, np.array(found, dtype=float))


def holders_of(experiments: Experiments, experiment: Experiment) -> Observed:
    """Everybody who met an arm, at once; the values are all 1."""
    import numpy as np

    holders = _holders(experiments, experiment)
    return _observed(holders, np.ones(len(holders)))


def answers_of(experiments: Experiments, experiment: Experiment) -> dict[str, int]:
    """How many requests of each arm ended, right or failed."""
    counts = dict.fromkeys(experiment.spec.shares, 0)
    for arm in _ended(experiments, experiment).values():
        counts[arm] += 1
    return counts


def _observed(holders: list[_Holder], values: Any) -> Observed:
    import numpy as np

    arms = np.array([holder.arm for holder in holders], dtype=str)
    return Observed(values, arms, np.array([holder.revision for holder in holders], dtype=int))


def _value(row: sqlite3.Row, measure: Measure) -> float | None:
    return measure.absent if row["value"] is None else measure.scaled(row["value"])


def _window_seconds(experiment: Experiment) -> float:
    return experiment.spec.window_hours * 3600


def _holders(experiments: Experiments, experiment: Experiment) -> list[_Holder]:
    with experiments.database.reading() as connection:
        rows = connection.execute(_HOLDERS, {"experiment": experiment.spec.name})
        return [_Holder(row["unit"], row["arm"], row["revision"], row["request"], row["start"]) for row in rows]


def _read(
    experiments: Experiments, experiment: Experiment, measure: Measure
) -> tuple[list[_Holder], list[sqlite3.Row]]:
    """Users in order of their first request, and the requests of their windows with the latest figure of each."""
    column = f"outcomes.{measure.column}"
    # How long a failed answer took says nothing of how long answers take.
    also = "AND coalesce(outcomes.error, 0) = 0" if measure.is_ratio else ""
    values = {"experiment": experiment.spec.name, "window": _window_seconds(experiment), "grace": GRACE_SECONDS}
    with experiments.database.reading() as connection:
        figures = connection.execute(_LATEST.format(column=column, also=also), values).fetchall()
    return _holders(experiments, experiment), figures


def _ended(experiments: Experiments, experiment: Experiment) -> dict[str, str]:
    """The arm of each request of which it is known whether it failed."""
    sql = (
        "SELECT exposures.request, exposures.arm FROM exposures JOIN outcomes ON outcomes.request = exposures.request"
        f" AND outcomes.{MEASURES['error'].column} IS NOT NULL WHERE exposures.experiment = ? GROUP BY 1"
    )
    with experiments.database.reading() as connection:
        return {row["request"]: row["arm"] for row in connection.execute(sql, (experiment.spec.name,))}
