"""Experiments as HTML: a list, and what one shows so far: verdicts, arms with their figures, guardrails and stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from serving.experiments.analysis import Comparison
from serving.experiments.experiment import Experiment
from serving.experiments.outcomes import MEASURES, MOST_TIMES
from ui.clicks import button
from ui.job_view import empty
from ui.words import count, when

NOTHING = (
    "No experiment yet. Serve two models, give each its percentage of users under “A new experiment”, and start; "
    "results may be looked at as often as you like."
)
TONES = {"better": "better", "worse": "worse", "not comparable": "worse"}


@dataclass(frozen=True)
class ArmFigures:
    """An arm so far: users met, requests ended, users that count already, and their mean (scaled; None: none count)."""

    users: int
    answers: int
    counted: int
    mean: float | None


def experiments_html(found: Sequence[Experiment], chosen: str) -> str:
    """A line for each experiment, the newest first."""
    if not found:
        return empty(NOTHING)
    lines = "".join(_line(each, each.spec.name == chosen) for each in found)
    head = "<tr><th>Experiment</th><th>State</th><th>Judged by</th><th>Arms</th><th>Started</th></tr>"
    return f"<div class='hearth-result scroll'><table>{head}{lines}</table></div>"


def _line(experiment: Experiment, chosen: bool) -> str:
    spec = experiment.spec
    arms = ", ".join(f"{escape(arm)} {share:g} %" for arm, share in spec.shares.items())
    return (
        f"<tr><td>{button('choose', spec.name, spec.name, pressed=chosen)}</td><td>{_chip(experiment)}</td>"
        f"<td>{escape(spec.outcome)}</td><td>{arms}</td><td>{when(experiment.started)}</td></tr>"
    )


def _chip(experiment: Experiment) -> str:
    state, words = ("running", "running") if experiment.running else ("stopped", "stopped")
    return f'<span class="chip {state}">{words}</span>'


def results_html(experiment: Experiment, comparisons: Sequence[Comparison], arms: Mapping[str, ArmFigures]) -> str:
    """The verdicts first, then each arm's users and figures, then what the guardrails did."""
    said = "".join(
        f'<div class="verdict small {TONES.get(each.result, "open")}">{escape(each.sentence)}.</div>'
        for each in comparisons
    )
    head = f"<h3>{escape(experiment.spec.name)} {_chip(experiment)}</h3>"
    table = _arms_table(experiment, {each.arm: each for each in comparisons}, arms)
    return f"<div class='hearth-result hearth-experiment'>{head}{said}{table}{_guardrails(experiment)}</div>"


def _arms_table(experiment: Experiment, comparisons: Mapping[str, Comparison], arms: Mapping[str, ArmFigures]) -> str:
    measure = MEASURES[experiment.spec.outcome]
    unit = experiment.spec.unit
    head = (
        f"<tr><th>Arm</th><th class=number>Share</th><th class=number>{unit.capitalize()}s</th>"
        f"<th class=number>Requests</th><th class=number>Mean {measure.name}</th>"
        "<th class=number>Against control</th></tr>"
    )
    lines = "".join(
        f"<tr><td>{_arm_name(experiment, arm)}</td><td class=number>{share:g} %</td>"
        f"<td class=number>{arms[arm].users:,}<div class='quiet'>{arms[arm].counted:,} count</div></td>"
        f"<td class=number>{arms[arm].answers:,}</td><td class=number>{mean_told(measure.name, arms[arm].mean)}</td>"
        f"<td class=number>{_difference(comparisons.get(arm))}</td></tr>"
        for arm, share in experiment.spec.shares.items()
    )
    hours = experiment.spec.window_hours
    window = "hour" if hours == 1 else f"{hours:g} hours"
    about = f"A {unit} counts once the first {window} and ten minutes more are over, as one figure each."
    return f"<div class='scroll'><table>{head}{lines}</table></div><p class='quiet'>{about}</p>"


def _arm_name(experiment: Experiment, label: str) -> str:
    arm = experiment.spec.arm(label)
    model = f" <span class='quiet'>({escape(arm.model)})</span>" if arm.label != arm.model else ""
    control = " <span class='chip tag'>control</span>" if arm is experiment.spec.control_arm else ""
    stopped = " <span class='chip stopped'>stopped</span>" if label in experiment.stopped_arms else ""
    return f"{escape(label)}{model}{control}{stopped}"


def _difference(comparison: Comparison | None) -> str:
    """With its interval, which holds however often it is looked at."""
    if comparison is None:
        return "–"
    if min(comparison.users.values()) == 0:
        return "nothing yet"
    unit = "%" if comparison.unit == "%" else f"{comparison.unit}s"
    told = f"{comparison.difference:+.2f} {unit}"
    return f"{told}<div class='quiet'>{comparison.low:+.2f} to {comparison.high:+.2f}</div>"


def mean_told(name: str, scaled: float | None) -> str:
    """A mean in people's units: stars, per cent of answers, seconds or tokens (of ratios: the geometric mean)."""
    if scaled is None:
        return "–"
    measure = MEASURES[name]
    if measure.low is None or measure.high is None:
        value = MOST_TIMES**scaled
        return f"{value:.2f} s" if measure.column == "seconds" else f"{value:.0f} tokens"
    value = measure.low + scaled * (measure.high - measure.low)
    return f"{value:.2f} stars" if measure.unit == "star" else f"{100 * value:.1f} %"


def _guardrails(experiment: Experiment) -> str:
    rails = experiment.spec.guardrails
    errors = f"fails on more than {100 * rails.most_error_rate:g} % of requests" if rails.most_error_rate else ""
    times = f"takes more than {rails.most_latency_times:g} times as long as control" if rails.most_latency_times else ""
    rules = " or ".join(rule for rule in (errors, times) if rule)
    answers = count(rails.least_answers, "answer")
    said = f"An arm that surely {rules} is stopped, after {answers} at the earliest." if rules else "No guardrails."
    stops = "".join(
        f"<li>{when(stop.time)}: {escape(stop.arm or 'the experiment')} was stopped: {escape(stop.reason)}</li>"
        for stop in experiment.stops
    )
    return f"<h4>Guardrails</h4><p>{said}</p>{f'<ul>{stops}</ul>' if stops else ''}"
