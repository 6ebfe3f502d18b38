"""Routes as HTML: what the rules say, which model a question would go to and why, how good a classifier is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from serving.router.decision import Decision
from serving.router.spec import RouterSpec
from ui.job_view import empty
from ui.words import count

NO_RULES = "No rules yet: the first model answers. Write some, or begin with the example."


def rules_html(spec: RouterSpec | None, problems: Sequence[str] = ()) -> str:
    """What the rules come to, and which names in them mean nothing to the chosen models."""
    if spec is None:
        return empty(NO_RULES)
    asked = ", ".join(escape(name) for name in spec.models)
    words = f"{count(len(spec.rules), 'rule')}, {count(len(spec.ensembles), 'ensemble')}; they send to {asked}."
    warned = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    hint = "<p class='quiet'>A server can only send to models that it serves: choose them under “Serve”.</p>"
    wrong = f'<div class="warning"><ul>{warned}</ul>{hint}</div>' if warned else ""
    good = "" if wrong else "<span class='good'>✓</span> "
    return f"<div class='hearth-result'><p>{good}{words}</p>{wrong}</div>"


def decision_html(decision: Decision, members: Mapping[str, float], spec: RouterSpec) -> str:
    """The decision: who would answer, why, and for each rule before it why it did not fit."""
    asks = ", ".join(f"{escape(name)} (weight {weight:g})" for name, weight in members.items())
    voting = f"<p>Its members are asked: {asks}.</p>" if members else ""
    passed = "".join(f"<li>{escape(why)}</li>" for why in decision.passed)
    others = f"<h4>Rules that did not fit</h4><ul>{passed}</ul>" if passed else ""
    fallback = [name for name in spec.fallback if name != decision.target]
    then = f"<p class='quiet'>If it fails: {escape(', then '.join(fallback))}.</p>" if fallback else ""
    return (
        f'<div class="hearth-result"><div class="verdict small">{escape(decision.target)} would answer'
        f"<span class='plain'>{escape(decision.route)}: {escape(decision.reason)}</span></div>"
        f"{voting}{then}{others}</div>"
    )


def classifiers_html(reports: Mapping[str, dict[str, Any] | None]) -> str:
    """Every classifier with how often it is right on rows it never saw; None for one that can't be read."""
    if not reports:
        return empty("No classifier yet. It learns a dataset's tags from its questions; rules can then ask it.")
    lines = "".join(_classifier(name, report) for name, report in reports.items())
    head = (
        "<tr><th>Classifier</th><th>Learned from</th><th>Tags</th><th class='number'>Right</th>"
        "<th class='number'>Always guessing the commonest</th></tr>"
    )
    return f"<div class='hearth-result scroll'><table>{head}{lines}</table></div>"


def _classifier(name: str, report: dict[str, Any] | None) -> str:
    if report is None:
        return f"<tr><td>{escape(name)}</td><td colspan=4>can't be read; train it again under the same name</td></tr>"
    right, low, high, always = (100 * report[key] for key in ("accuracy", "low", "high", "always"))
    return (
        f"<tr><td>{escape(name)}</td><td>{escape(str(report['data']))}</td>"
        f"<td>{escape(', '.join(report['confusion']))}</td>"
        f"<td class='number'>{right:.0f} % (95 % CI {low:.0f} to {high:.0f})</td>"
        f"<td class='number'>{always:.0f} %</td></tr>"
    )


def example_rules(names: Sequence[str]) -> str:
    """Rules to begin with, over the models that are chosen."""
    first, last = names[0], names[-1]
    return (
        f"default: {first}\n"
        "rules:\n"
        "  - name: code\n"
        "    when: {any_words: [python, function, error]}\n"
        f"    to: {last}\n"
        "  - name: think\n"
        "    when: {reasoning_modes: [deep]}\n"
        f"    to: {last}\n"
        f"fallback: [{first}]\n"
    )
