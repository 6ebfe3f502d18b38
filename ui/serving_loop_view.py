"""The learning loop as HTML: plans and their rounds, and one round with its steps and its decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from serving.loop.rounds import Round
from serving.loop.spec import LoopSpec
from ui.clicks import button
from ui.job_view import empty
from ui.words import STATES, count, when

NOTHING = (
    "No round yet. Register and promote the model it improves, serve it with “Keep chats” on, and rate "
    "its answers; a round then makes the next version of them, and says whether it is better."
)
NO_MODEL = empty(
    "No model is in production. Train one, register it under “Models” and promote it: a plan then begins with how that "
    "one was trained and judged."
)
OUTCOMES = {
    "promoted": ("succeeded", "promoted"),
    "approved": ("succeeded", "approved"),
    "waiting": ("running", "waits for you"),
    "rejected": ("stopped", "rejected"),
    "worse": ("failed", "worse: not promoted"),
    "unproven": ("stopped", "not proven better"),
}
TONES = {"promoted": "better", "approved": "better", "waiting": "better", "worse": "worse"}
STEPS = {
    "build_new": "The new chats as a dataset",
    "build": "All rows to train on",
    "train": "Training",
    "evaluate_new": "New chats, against production",
    "evaluate_regression": "Regression set, against production",
    "evaluate_general": "General abilities, against production",
}


@dataclass(frozen=True)
class Step:
    """A step of a round: its key, the job that does it and how that stands; both "" before it began."""

    key: str
    job: str = ""
    state: str = ""


def rounds_html(found: Sequence[Round], chosen: str) -> str:
    """A line for each round of any plan, the newest first."""
    if not found:
        return empty(NOTHING)
    lines = "".join(
        f"<tr><td>{button('choose', each.job, each.plan, pressed=each.job == chosen)}</td><td>{when(each.created)}</td>"
        f"<td>{outcome_chip(each)}</td><td>{escape(each.version or each.model)}</td>"
        f"<td class='said'>{escape(each.sentence)}</td></tr>"
        for each in found
    )
    head = "<tr><th>Plan</th><th>Begun</th><th>Outcome</th><th>Version</th><th>Why</th></tr>"
    return f"<div class='hearth-result hearth-registry scroll'><table>{head}{lines}</table></div>"


def outcome_chip(found: Round) -> str:
    state, words = OUTCOMES.get(found.outcome or "", (found.state, STATES[found.state].lower()))
    return f'<span class="chip {state}">{escape(words)}</span>'


def round_html(found: Round, steps: Sequence[Step], figures: dict[str, Any]) -> str:
    """The decision first; then what was learned from, what was found, and the steps with their jobs."""
    decision = ""
    if found.outcome is not None:
        tone = TONES.get(found.outcome, "open")
        decision = f'<div class="verdict small {tone}">{escape(found.sentence)}</div>'
    chosen = (figures.get("chosen") or {}).get("sentence")
    learned = f"<p>Learned from {escape(str(chosen))}.</p>" if chosen else ""
    findings = "".join(
        f"<li>{escape(str(each['about'][:1].upper() + each['about'][1:]))}: {escape(str(each['sentence']))}</li>"
        for each in (figures.get("findings") or {}).values()
    )
    lines = "".join(_step(each) for each in steps)
    against = f" against {escape(str(figures['against']))}" if figures.get("against") else ""
    head = f"<h3>{escape(found.version or found.model)}{against} {outcome_chip(found)}</h3>"
    found_out = f"<h4>Found</h4><ul>{findings}</ul>" if findings else ""
    return (
        f"<div class='hearth-result'>{head}{decision}{learned}{found_out}<h4>Steps</h4>"
        f"<ul class='hearth-stages'>{lines}</ul></div>"
    )


def _step(step: Step) -> str:
    if not step.job:
        return f"<li class=quiet>○ {STEPS[step.key]}</li>"
    done = step.state == "succeeded"
    state = "" if done else f", {STATES.get(step.state, step.state).lower()}"
    over = done or step.state == "deleted"
    return f"<li>{'●' if over else '◐'} {STEPS[step.key]} <span class=quiet>job {escape(step.job)}{state}</span></li>"


def plan_html(plan: LoopSpec) -> str:
    """What a plan will do, in words."""
    every = f"every {plan.when.every_hours:g} hours" if plan.when.every_hours else ""
    enough = f"as soon as there are {count(plan.when.min_new, 'new rated chat')}" if plan.when.min_new else ""
    due = " or ".join(part for part in (enough, every) if part)
    passes = "is promoted by itself" if plan.promote == "automatic" else "waits for your approval"
    wanted = (
        "One that is better on new chats, and worse neither on the regression set nor in general"
        if plan.accept == "better"
        else "One that is worse neither on new chats, nor on the regression set, nor in general"
    )
    return (
        f"<div class='hearth-result'><p><span class='good'>✓</span> Makes the next version of "
        f"<b>{escape(plan.model)}</b>, {due}. {wanted}, {passes}.</p></div>"
    )
