"""Always-valid inference by betting: how sure it is that a mean lies above a value, however often that is looked at.

A gambler bets on the next user's figure. If its mean were `value` or less, no way of betting could be expected to win,
and by Ville's inequality (1939) the capital would ever reach 1/α times its beginning in a share α of cases at most,
whenever one looks: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (JRSS B, 2024).
Here the bets are constant shares of what may be bet, and the capital is the mean over them (Robbins' method of
mixtures, 1970). No normal approximation is made: it holds from the first user on, for any shape of bounded figures.

The difference of two arms is the mean of each user's figure weighted by the inverse of the known chance of their arm,
after subtracting what earlier users did, whatever their arm: the confidence sequences for a treatment effect of Howard,
Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences" (Annals of Statistics
49, 2021, section 4.2), and the design-based ones of Ham, Bojinov, Lindon and Tingley (2022). Only the chance of the arm
counts, so users may differ, and change from day to day or by night, in any way.

Arrays have users in their last axis, in the order in which they came; more axes before it are more experiments.
"""

from __future__ import annotations

from math import ceil, inf, log, sqrt
from typing import Any

# Shares of the largest possible bet: from those that show an effect within ten users to those for a hundred thousand.
FRACTIONS = tuple(0.85 / 2 ** (step / 2) for step in range(13))
USERS_AT_ONCE = 20_000
HALVINGS = 24
# 80 % of experiments end in time: the normal distribution's quantile.
POWER_QUANTILE = 0.8416
# Neighbouring bets win as well, so that the best of them costs less than one of so many.
NEIGHBOURS = 5


def difference_steps(values: Any, treated: Any, share: Any, *, is_ratio: bool) -> Any:
    """A step for each user of two arms whose mean is the difference, treated less control, in the scale of `values`.

    `values`: 0 to 1, or for ratios logarithms, of which what lies more than 1 from the mean before counts as 1 away.
    `treated`: whether the user is in that arm; `share`: the chance of that, from 0 to 1, for each user or for all.
    """
    import numpy as np

    weights = np.where(treated, 1 / np.asarray(share), -1 / (1 - np.asarray(share)))
    before = np.arange(values.shape[-1])
    seen = np.cumsum(values, axis=-1) - values
    if not is_ratio:
        return weights * (values - (0.5 + seen) / (1 + before))
    deviations = np.clip(values - seen / np.maximum(before, 1), -1, 1)
    # The first user only says where the scale stands.
    deviations[..., :1] = 0
    return weights * deviations


def step_limits(share: Any) -> Any:
    """How far a step can lie below a difference from -1 to 1, by the chance of the treated arm."""
    import numpy as np

    return 1 + np.maximum(1 / np.asarray(share), 1 / (1 - np.asarray(share)))


def capital_path(steps: Any, limits: Any, value: float) -> Any:
    """The capital after each user of bets that the steps' mean is above `value`; 1 at the start."""
    import numpy as np

    distance = (steps - value) / limits
    # Endless riches are more than any threshold.
    with np.errstate(over="ignore"):
        return sum(np.cumprod(1 + fraction * distance, axis=-1) for fraction in FRACTIONS) / len(FRACTIONS)


def log_capital(steps: Any, limits: Any, value: float) -> float:
    """The logarithm of the last of `capital_path`, for one experiment with any number of users."""
    import numpy as np

    logs = np.zeros(len(FRACTIONS))
    fractions = np.array(FRACTIONS)[:, None]
    limits = np.broadcast_to(limits, steps.shape)
    for start in range(0, len(steps), USERS_AT_ONCE):
        part = slice(start, start + USERS_AT_ONCE)
        logs += np.log1p(fractions * ((steps[part] - value) / limits[part])).sum(axis=1)
    return float(np.logaddexp.reduce(logs)) - log(len(FRACTIONS))


def lower_end(steps: Any, limits: Any, alpha: float, low: float = -1.0, high: float = 1.0) -> float:
    """The value above which the mean lies, but for an error that ever happens with a chance of at most `alpha`.

    The capital falls as the value rises, so halving finds where it is 1/α. `low` when nothing is known yet.
    """
    needed = log(1 / alpha)
    if log_capital(steps, limits, low) < needed:
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if log_capital(steps, limits, middle) >= needed:
            low = middle
        else:
            high = middle
    return low


def interval(steps: Any, limits: Any, alpha: float) -> tuple[float, float]:
    """Both ends, within -1 and 1: together they ever miss the mean with a chance of at most `alpha`."""
    return lower_end(steps, limits, alpha / 2), -lower_end(-steps, limits, alpha / 2)


def users_needed(variance: float, limit: float, gap: float, alpha: float) -> int | None:
    """About how many users show a true difference of `gap` with 80 % probability; None when nothing tells the spread.

    The logarithm of a bet's capital rises by λ·gap - λ²·variance/2 with each user, and spreads by λ·σ·√n; solved for n
    at the bet that gets there first.
    """
    if variance <= 0:
        return None
    goal = log(2 / alpha) + log(len(FRACTIONS) / NEIGHBOURS)
    fewest = inf
    for fraction in FRACTIONS:
        bet = fraction / limit
        gain = bet * gap - bet**2 * (variance + gap**2) / 2
        if gain > 0:
            spread = POWER_QUANTILE * bet * sqrt(variance)
            fewest = min(fewest, ((spread + sqrt(spread**2 + 4 * gain * goal)) / (2 * gain)) ** 2)
    return None if fewest == inf else ceil(fewest)
