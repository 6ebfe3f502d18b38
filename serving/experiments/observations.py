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
from serving.experiments.outcomes import Measure
from serving.experiments.store import Experiments

GRACE_SECONDS = 600.0
# Beside the only min() or max() of a group stand the values of its row: the first request, the latest figure.
_HOLDERS = """
SELECT unit, arm, revision, request, min(time) AS start FROM exposures WHERE experiment = :experiment
GROUP BY unit HAVING start <= :until
"""
_IN_ORDER = f"{_HOLDERS} ORDER BY start, unit"
_FIRST = f"""
SELECT holders.*, max(ending.id) AS ended, {{value}} AS value
FROM ({_HOLDERS}) AS holders LEFT JOIN outcomes AS ending ON ending.request = holders.request
    AND ending.error IS NOT NULL
GROUP BY holders.unit ORDER BY start, holders.unit
"""
_WINDOWS = f"""
SELECT exposures.unit, max(outcomes.id), {{column}} AS value
FROM ({_HOLDERS}) AS holders JOIN exposures ON exposures.experiment = :experiment
    AND exposures.unit = holders.unit AND exposures.arm = holders.arm AND exposures.time <= holders.start + :window
LEFT JOIN outcomes ON outcomes.request = exposures.request AND {{column}} IS NOT NULL
    AND outcomes.time <= holders.start + :window + :grace {{also}}
GROUP BY exposures.request
"""
_ANSWERS = """
SELECT arm, count(DISTINCT exposures.request) AS answers FROM exposures
JOIN outcomes ON outcomes.request = exposures.request AND outcomes.error IS NOT NULL
WHERE experiment = :experiment GROUP BY arm
"""
NO_END = 1e18


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


def settled(experiments: Experiments, experiment: Experiment, measure: Measure, now: float) -> Observed:
    """The mean over the window of each user for whom it is over; without those of whom nothing became known."""
    import numpy as np

    # How long a failed answer took says nothing of how long answers take.
    also = "AND coalesce(outcomes.error, 0) = 0" if measure.is_ratio else ""
    sql = _WINDOWS.format(column=f"outcomes.{measure.column}", also=also)
    over = _over(experiment, now)
    holders = _rows(experiments, experiment, _IN_ORDER, over)
    places = {holder["unit"]: place for place, holder in enumerate(holders)}
    figures = ((places[row["unit"]], _scaled(row, measure)) for row in _rows(experiments, experiment, sql, over))
    known = [(place, value) for place, value in figures if value is not None]
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

    column = f"ending.{measure.column}"
    value = f"CASE WHEN ending.error = 0 THEN {column} END" if measure.is_ratio else column
    over = _over(experiment, now)
    kept, found = [], []
    for row in _rows(experiments, experiment, _FIRST.format(value=value)):
        if row["ended"] is None and row["start"] > over:
            break
        scaled = _scaled(row, measure)
        if scaled is not None:
            kept.append(row)
            found.append(scaled)
    return _observed(kept, np.array(found, dtype=float))


def holders_of(experiments: Experiments, experiment: Experiment) -> Observed:
    """Everybody who met an arm, at once; the values are all 1."""
    import numpy as np

    holders = _rows(experiments, experiment, _IN_ORDER)
    return _observed(holders, np.ones(len(holders)))


def answers_of(experiments: Experiments, experiment: Experiment) -> dict[str, int]:
    """How many requests of each arm ended, right or failed."""
    counts = {row["arm"]: int(row["answers"]) for row in _rows(experiments, experiment, _ANSWERS)}
    return dict.fromkeys(experiment.spec.shares, 0) | counts


def _rows(experiments: Experiments, experiment: Experiment, sql: str, until: float = NO_END) -> list[sqlite3.Row]:
    """What a query says of the users who first came up to a time (seconds since 1970)."""
    values = {
        "experiment": experiment.spec.name,
        "until": until,
        "window": _window_seconds(experiment),
        "grace": GRACE_SECONDS,
    }
    with experiments.database.reading() as connection:
        return connection.execute(sql, values).fetchall()


def _observed(rows: list[sqlite3.Row], values: Any) -> Observed:
    import numpy as np

    arms = np.array([row["arm"] for row in rows], dtype=str)
    return Observed(values, arms, np.array([row["revision"] for row in rows], dtype=int))


def _scaled(row: sqlite3.Row, measure: Measure) -> float | None:
    return measure.absent if row["value"] is None else measure.scaled(row["value"])


def _window_seconds(experiment: Experiment) -> float:
    return experiment.spec.window_hours * 3600


def _over(experiment: Experiment, now: float) -> float:
    """Whoever came until then has their window, and the minutes after it, behind them."""
    return now - _window_seconds(experiment) - GRACE_SECONDS
