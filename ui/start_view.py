"""The Start tab's path and its list of jobs as HTML. Knows nothing of gradio."""

from __future__ import annotations

from html import escape

from jobs.directory import JobDirectory
from jobs.kinds import KINDS
from jobs.workspace import Workspace
from trainer.memory.known_shapes import known_shape
from trainer.memory.reach import EMBEDDED, Reach
from ui.clicks import button
from ui.job_view import empty
from ui.start_goals import GOALS, Goal, chosen_goal
from ui.start_path import BUTTONS, Step, model_name, next_step
from ui.words import STATES, duration, size, when, without_visitors

LISTED = 5
MARKS = {"done": "✓", "running": "…", "failed": "!"}
SPOKEN = {"done": "done", "running": "under way", "failed": "needs you", "next": "next", "later": "later"}
NO_JOBS = "Nothing has run yet. What you start on the other tabs shows here."
ALL_DONE = "From rows to Ollama: done"


def path_html(workspace: Workspace, steps: list[Step], reach: Reach) -> str:
    """The steps, of which the next one is open and has the one button that stands out."""
    now = next_step(steps)
    title = f"Next: {now.title[:1].lower()}{now.title[1:]}" if now else ALL_DONE
    again = "" if now and now.key == "goal" else button("again", "", "Begin another model")
    lines = "".join(_step(workspace, number, step, reach) for number, step in enumerate(steps, 1))
    return (
        f'<section class="hearth-start" aria-label="Your path"><div class="top"><h2>{escape(title)}</h2>{again}</div>'
        f'<ol class="hearth-path">{lines}</ol></section>'
    )


def _step(workspace: Workspace, number: int, step: Step, reach: Reach) -> str:
    mark = MARKS.get(step.stand, str(number))
    spoken = f'<span class="mark" role="img" aria-label="{SPOKEN[step.stand]}">{mark}</span>'
    current = ' aria-current="step"' if step.stand in ("next", "running", "failed") else ""
    inside = _goal_step(workspace, step) if step.key == "goal" else _acts(step, reach)
    return (
        f'<li class="{step.stand}" data-step="{step.key}"{current}>{spoken}<div><h3>{escape(step.title)}</h3>'
        f"<p>{escape(without_visitors(step.says))}</p>{inside}</div></li>"
    )


def _goal_step(workspace: Workspace, step: Step) -> str:
    goal = chosen_goal(workspace)
    cards = f'<div class="goals">{"".join(_goal(each, each == goal) for each in GOALS)}</div>'
    if step.stand == "done":
        return f"<details><summary>Choose another</summary>{cards}</details>"
    return cards


def _goal(goal: Goal, chosen: bool) -> str:
    pressed = "true" if chosen else "false"
    named = f'data-do="goal" data-about="{goal.key}" aria-pressed="{pressed}"'
    return (
        f'<button type="button" class="hearth-act goal" {named}>'
        f"<b>{escape(goal.title)}</b><span>{escape(goal.about)}</span></button>"
    )


def _acts(step: Step, reach: Reach) -> str:
    """The buttons of a step: those of the next one stand out, of later ones there are none."""
    if step.stand == "later":
        return ""
    words = BUTTONS[step.key]
    if step.key == "model" and step.stand == "next":
        other = button("open", "model", "Choose another")
        return f'<p>{_first_model(reach)}</p><div class="acts">{_takes(reach)}{other}</div>'
    if step.stand == "done":
        return f'<div class="acts">{button("open", step.key, words, label=f"{words}: {step.title}")}</div>'
    return f'<div class="acts main">{button("open", step.key, words)}</div>'


def _first_model(reach: Reach) -> str:
    if reach.begin == EMBEDDED:
        return "SmolLM2-135M comes along with Hearth, without a download, and learns a narrow task in minutes."
    shape = known_shape(reach.begin)
    assert shape is not None
    return (
        f"A good one to begin with on this card is {escape(shape.name)}: free, {size(2 * shape.parameters)} to "
        "download once. SmolLM2-135M comes along with Hearth: small, but ready at once."
    )


def _takes(reach: Reach) -> str:
    first = f'<span class="main">{_take(reach.begin)}</span>'
    return first if reach.begin == EMBEDDED else first + _take(EMBEDDED)


def _take(model: str) -> str:
    return button("take", model, f"Take {model_name(model)}")


def jobs_html(workspace: Workspace) -> str:
    """What runs, and what was done last."""
    jobs = workspace.list_jobs()[: LISTED * 4]
    active = [job for job in jobs if job.status().state.active]
    shown = [*active, *(job for job in jobs if job not in active)][:LISTED]
    lines = "".join(_job(job) for job in shown)
    listed = f'<ul class="hearth-recent">{lines}</ul>' if shown else empty(NO_JOBS)
    return f'<section class="hearth-start" aria-label="Jobs"><h2>Running and done last</h2>{listed}</section>'


def _job(job: JobDirectory) -> str:
    status, header = job.status(), job.header
    kind = KINDS[header["kind"]].label if header["kind"] in KINDS else str(header["kind"])
    chip = f'<span class="chip {status.state}">{STATES[status.state]}</span>'
    about = f"{kind} · {when(header['created'])}"
    if status.state.active and status.progress is not None:
        left = f", about {duration(status.eta_seconds)} left" if status.eta_seconds is not None else ""
        about = f"{about} · {status.progress:.0%}{left}"
    title = button("job", job.id, without_visitors(str(header["title"])), label=f"Open {header['title']}")
    return f'<li>{chip}<div>{title}<span class="quiet">{escape(about)}</span></div></li>'
