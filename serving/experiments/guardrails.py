"""Guardrails: an arm that fails or slows is stopped, but not for noise, however often that is looked at.

Each guardrail looks at users' first answers, which are known at once, and at the means over their windows, which also
hold what breaks later. The chance of a false stop, `alpha` of the experiment, is shared out evenly for each arm.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import log

from serving.experiments.analysis import pair_of
from serving.experiments.betting import log_capital
from serving.experiments.experiment import Experiment
from serving.experiments.observations import Observed, answers_of, first, settled
from serving.experiments.outcomes import MEASURES, MOST_TIMES, Measure
from serving.experiments.store import Experiments

VIEWS = 2
View = Callable[[Experiments, Experiment, Measure, float], Observed]


@dataclass(frozen=True)
class Breach:
    """An arm that broke a guardrail, and how."""

    arm: str
    reason: str


def watch(experiments: Experiments, name: str, now: float | None = None) -> list[Breach]:
    """Stop the arms that broke a guardrail; which these are. To be called every few seconds. Raises Missing.

    It really looks when there is 2 % more to see than the last time, or ten minutes later: when one looks is free.
    """
    moment = time.time() if now is None else now
    if not experiments.worth_a_look(name, moment):
        return []
    found = breaches(experiments, name, moment)
    for breach in found:
        experiments.stop(name, breach.reason, breach.arm)
    return found


def breaches(experiments: Experiments, name: str, now: float | None = None) -> list[Breach]:
    """The arms that break a guardrail and were not stopped yet, the first reason of each. Raises Missing."""
    experiment = experiments.find(name)
    rails = experiment.spec.guardrails
    answers = answers_of(experiments, experiment)
    watched = [arm for arm in experiment.spec.others if arm not in experiment.stopped_arms]
    watched = [arm for arm in watched if answers[arm] >= rails.least_answers] if experiment.running else []
    moment = time.time() if now is None else now
    checks = [check for check, limit in ((_errs, rails.most_error_rate), (_slows, rails.most_latency_times)) if limit]
    found: dict[str, Breach] = {}
    for check, view in ((check, view) for check in checks if watched for view in (first, settled)):
        observed = view(experiments, experiment, MEASURES["error" if check is _errs else "latency"], moment)
        for arm in watched:
            reason = check(experiment, arm, observed, log(VIEWS * len(checks) / experiment.spec.alpha))
            if reason is not None:
                found.setdefault(arm, Breach(arm, reason))
    return list(found.values())


def _errs(experiment: Experiment, arm: str, observed: Observed, needed: float) -> str | None:
    """How an arm errs: the mean of its users' shares of failed requests is surely above the limit."""
    limit = experiment.spec.guardrails.most_error_rate
    values = observed.of((arm,)).values
    # A step lies at most `limit` below the limit: that much may be bet.
    if limit is None or log_capital(values, limit, limit) < needed:
        return None
    return (
        f"{arm} fails: {100 * values.mean():.0f} % of the requests of {len(values)} {experiment.spec.unit}s, and "
        f"surely more than the {100 * limit:g} % allowed"
    )


def _slows(experiment: Experiment, arm: str, observed: Observed, needed: float) -> str | None:
    """How an arm slows: its answers surely take more than the allowed multiple of control's time."""
    times = experiment.spec.guardrails.most_latency_times
    measure = MEASURES["latency"]
    pair = pair_of(experiment, arm, observed)
    steps = pair.steps(measure)
    if times is None or log_capital(steps, pair.limits, log(times) / log(MOST_TIMES)) < needed:
        return None
    found = 1 + measure.told(float(steps.mean())) / 100
    return (
        f"{arm} is slow: its answers take {found:.1f} times as long as {experiment.spec.control_arm.label}'s, with "
        f"{len(steps)} {experiment.spec.unit}s, and surely more than the {times:g} times allowed"
    )
