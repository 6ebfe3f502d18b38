"""Bradley-Terry ratings of many resampled vote counts at once, by Newton's method. Pure functions on numbers.

The probability that i is preferred to j is 1 / (1 + exp(s_j - s_i)) (Bradley and Terry 1952); a tie counts half to
each. Ratings are 400/ln(10) · s, shifted to a mean of 1000, so that 400 points are odds of ten to one, as with Elo's.
"""

from __future__ import annotations

from math import log
from typing import Any

SCALE = 400 / log(10)
CENTRE = 1000.0
STEPS = 100
LONGEST_STEP = 2.0
CLOSE_ENOUGH = 1e-10


def components(met: Any) -> list[list[int]]:
    """Models that are linked by votes, directly or through others. `met`: (models, models), true where a pair met."""
    from scipy.sparse.csgraph import connected_components

    count, labels = connected_components(met, directed=False)
    return [[int(place) for place in range(len(labels)) if labels[place] == label] for label in range(count)]


def ratings(wins: Any, met: Any) -> Any:
    """Ratings (tables, models) of one component; `wins`: (tables, models, models), how often row beat column.

    A table has finite ratings only if every model can be reached from every other by a chain of wins (Ford 1957). Where
    it can't, each pair that met (`met`) is given one tie more.
    """
    import numpy as np

    wins = np.where(_strongly_connected(wins)[:, None, None], wins, wins + 0.5 * met)
    played = wins + wins.transpose(0, 2, 1)
    strengths = np.zeros(wins.shape[:2])
    for _ in range(STEPS):
        expected = 1 / (1 + np.exp(strengths[:, None, :] - strengths[:, :, None]))
        gradient = (wins - played * expected).sum(2)
        information = -played * expected * (1 - expected)
        places = np.arange(wins.shape[1])
        information[:, places, places] = -information.sum(2)
        # All strengths may be shifted alike: a constant added everywhere takes that freedom, and changes nothing else.
        step = np.linalg.solve(information + 1 / wins.shape[1], gradient[..., None])[..., 0]
        strengths += np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        if np.abs(step).max() < CLOSE_ENOUGH:
            break
    return CENTRE + SCALE * (strengths - strengths.mean(1, keepdims=True))


def is_separated(wins: Any) -> bool:
    """Whether some models have won against the others without ever losing (or tying), so that no rating fits."""
    return not bool(_strongly_connected(wins[None])[0])


def _strongly_connected(wins: Any) -> Any:
    """For each table whether chains of wins lead from every model to every other."""
    import numpy as np

    reached = (wins > 0) | np.eye(wins.shape[1], dtype=bool)
    for _ in range(max(1, wins.shape[1].bit_length())):
        reached = reached @ reached
    return reached.all(axis=(1, 2))
