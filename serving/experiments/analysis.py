"""How the arms of an experiment compare with control, at this moment, valid however often it is asked.

Each arm is compared on the users of the two arms alone. With several arms the false alarms allowed are shared out
evenly among them (Bonferroni), so that all intervals of an experiment hold together.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.experiments.betting import difference_steps, interval, log_capital, step_limits, users_needed
from serving.experiments.experiment import Experiment
from serving.experiments.observations import Observed, answers_of, holders_of, settled
from serving.experiments.outcomes import MEASURES, Measure
from serving.experiments.store import Experiments
from serving.experiments.verdict import Found, Result, sentence

# So seldom is a split called uneven that is even: it would discard a whole experiment.
UNEVEN_ALPHA = 0.001


@dataclass(frozen=True)
class Comparison:
    """An arm against control. `difference` and interval: arm less control, in the measure's unit, see `Measure.told`.

    `users` by arm: those with a figure. `more_users`: about how many would settle the smallest difference worth
    knowing. `uneven`: why the arms' users can't be compared, None when they can.
    """

    arm: str
    control: str
    measure: str
    unit: str
    users: Mapping[str, int]
    difference: float
    low: float
    high: float
    result: Result
    more_users: int | None
    uneven: str | None
    sentence: str


@dataclass(frozen=True)
class Pair:
    """The users of an arm and control: scaled values, who is in the arm, and the chance of that for each of them."""

    values: Any
    treated: Any
    share: Any

    def steps(self, measure: Measure) -> Any:
        """See `betting.difference_steps`."""
        return difference_steps(self.values, self.treated, self.share, is_ratio=measure.is_ratio)

    @property
    def limits(self) -> Any:
        return step_limits(self.share)


def compare(experiments: Experiments, name: str, now: float | None = None) -> list[Comparison]:
    """Each arm against control by the experiment's outcome, as of `now`. Raises Missing."""
    experiment = experiments.find(name)
    measure = MEASURES[experiment.spec.outcome]
    observed = settled(experiments, experiment, measure, time.time() if now is None else now)
    met = holders_of(experiments, experiment)
    return [_comparison(experiment, arm, measure, observed, met) for arm in experiment.spec.others]


def arm_counts(experiments: Experiments, name: str) -> dict[str, dict[str, int]]:
    """Users met and requests ended, by arm, whether they count already or not."""
    experiment = experiments.find(name)
    met = holders_of(experiments, experiment)
    answers = answers_of(experiments, experiment)
    return {arm: {"users": int((met.arms == arm).sum()), "answers": answers[arm]} for arm in experiment.spec.shares}


def pair_of(experiment: Experiment, arm: str, observed: Observed) -> Pair:
    """The users of an arm and control, with the chances that the percentages of their time gave them."""
    import numpy as np

    control = experiment.spec.control_arm.label
    both = observed.of((arm, control))
    chances = {
        revision: shares[arm] / (shares[arm] + shares[control]) for revision, shares in experiment.shares.items()
    }
    share = np.array([chances[int(revision)] for revision in both.revisions], dtype=float)
    return Pair(both.values, both.arms == arm, share)


def uneven_split(experiment: Experiment, arm: str, observed: Observed, who: str, alpha: float) -> str | None:
    """Why the users don't split as the percentages say, always valid; None when they may well do.

    The "sample ratio mismatch" of Lindon and Malek, "Anytime-valid inference for multinomial count data" (2020): where
    it shows, an arm loses users, or keeps them from saying anything, and a comparison of those left means little.
    """
    from math import log

    pair = pair_of(experiment, arm, observed)
    if len(pair.share) == 0:
        return None
    steps = pair.treated - pair.share
    if max(log_capital(steps, 1.0, 0.0), log_capital(-steps, 1.0, 0.0)) < log(2 / alpha):
        return None
    found, meant = 100 * pair.treated.mean(), 100 * pair.share.mean()
    return f"{arm} has {found:.1f} % of {who} in place of {meant:.1f} %"


def _comparison(experiment: Experiment, arm: str, measure: Measure, observed: Observed, met: Observed) -> Comparison:
    control = experiment.spec.control_arm.label
    alpha = experiment.spec.alpha / len(experiment.spec.others)
    pair = pair_of(experiment, arm, observed)
    steps, limits = pair.steps(measure), pair.limits
    users = {arm: int(pair.treated.sum()), control: int((~pair.treated).sum())}
    low, high = interval(steps, limits, alpha)
    uneven = uneven_split(experiment, arm, met, "the users", UNEVEN_ALPHA) or uneven_split(
        experiment, arm, observed, f"the users with a figure for {measure.name}", UNEVEN_ALPHA
    )
    needed = None
    if len(steps) > 1:
        needed = users_needed(float(steps.var()), float(limits.mean()), measure.smallest_scaled, alpha)
    found = Found(
        arm=arm,
        control=control,
        measure=measure,
        users=users,
        difference=float(steps.mean()) if len(steps) else 0.0,
        low=low,
        high=high,
        confidence=1 - experiment.spec.alpha,
        more_users=max(0, needed - len(steps)) if needed is not None else None,
        uneven=uneven,
        kept_together=experiment.spec.unit,
    )
    return Comparison(
        arm=arm,
        control=control,
        measure=measure.name,
        unit=measure.unit,
        users=users,
        difference=measure.told(found.difference),
        low=measure.told(low),
        high=measure.told(high),
        result=found.result,
        more_users=found.more_users,
        uneven=uneven,
        sentence=sentence(found),
    )
