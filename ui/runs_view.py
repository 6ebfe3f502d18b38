"""Training runs as HTML: the table to pick from, how two differ, what is in the bin. Knows nothing of gradio."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from jobs.annotations import Annotations, annotations_of
from jobs.bin import Binned
from jobs.compare import Comparison, Difference, figures
from jobs.curves import stamp
from jobs.directory import JobDirectory, Status
from ui.clicks import button
from ui.words import STATES, duration, size, when

RUNS_SHOWN = 50
KEPT_FIGURES = 500
LONGEST_VALUE = 60
NUMBERS = {"loss": "Loss", "eval_loss": "Held-out loss", "speed": "Tokens/s", "took": "Took"}


@dataclass(frozen=True)
class Run:
    """A training run as a row. Losses are nats per token, `speed` is tokens per second, `took` in seconds."""

    job: JobDirectory
    status: Status
    said: Annotations
    loss: float | None
    eval_loss: float | None
    speed: float | None
    took: float | None


_FIGURES: dict[Path, tuple[str, dict[str, Any]]] = {}


def run_of(job: JobDirectory) -> Run:
    """A job's row: the figures of its manifest, or the last ones that it wrote."""
    status, found = job.status(), _figures(job)
    seconds = (job.manifest or {}).get("seconds")
    if seconds is None and status.started and status.updated:
        seconds = status.updated - status.started
    return Run(
        job,
        status,
        annotations_of(job),
        loss=_number(found, "final_loss", "loss"),
        eval_loss=_number(found, "eval_loss"),
        speed=_number(found, "tokens_per_second"),
        took=seconds,
    )


def _figures(job: JobDirectory) -> dict[str, Any]:
    """Looked up once per change: reading a long run's events takes a moment."""
    now = f"{stamp(job)} {job.results_stamp}"
    known = _FIGURES.get(job.path)
    if known is None or known[0] != now:
        if len(_FIGURES) >= KEPT_FIGURES:
            _FIGURES.clear()
        _FIGURES[job.path] = known = (now, figures(job))
    return known[1]


def _number(found: dict[str, Any], *names: str) -> float | None:
    values = [found[name] for name in names if isinstance(found.get(name), int | float)]
    return float(values[0]) if values else None


def runs_html(runs: Sequence[Run], picked: Sequence[str], total: int, searched: str) -> str:
    """The table; each row begins with the button that picks it."""
    if not runs:
        words = f"No run has “{escape(searched)}” in it. Try fewer words." if searched.strip() else NO_RUNS
        return f'<div class="hearth-empty">{words}</div>'
    heads = ["Run", "State", "Dataset", "Model"]
    head = "".join(f"<th>{name}</th>" for name in heads)
    head += "".join(f'<th class="number">{name}</th>' for name in NUMBERS.values())
    rows = "".join(_row(run, run.job.id in picked) for run in runs)
    more = f'<p class="quiet">{total - len(runs)} older runs: search for them.</p>' if total > len(runs) else ""
    return f'<div class="scroll hearth-runs"><table><tr>{head}</tr>{rows}</table></div>{more}'


NO_RUNS = "No runs yet. Each training shows up here; pick several to lay their curves over one another."


def _row(run: Run, picked: bool) -> str:
    header = run.job.header
    spec = header["spec"]
    pick = button("pick", run.job.id, str(header["title"]), pressed=picked, label=f"Pick {header['title']}")
    tags = "".join(f' <span class="chip tag">{escape(tag)}</span>' for tag in run.said.tags)
    note = f'<div class="quiet">{escape(run.said.note)}</div>' if run.said.note else ""
    state = f'<span class="chip {run.status.state}">{STATES[run.status.state]}</span>'
    numbers = (_loss(run.loss), _loss(run.eval_loss), _speed(run.speed), duration(run.took) if run.took else "–")
    cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
    named = "".join(f"<td>{escape(str(spec.get(name, '–')))}</td>" for name in ("data", "model"))
    when_started = f'<div class="quiet">{when(header["created"])}</div>'
    return f"<tr><td>{pick}{tags}{note}</td><td>{state}{when_started}</td>{named}{cells}</tr>"


def _loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _speed(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def difference_html(comparison: Comparison, names: tuple[str, str]) -> str:
    """What differs between two runs: options, values used, figures; a column each."""
    parts = [
        ("Options that differ", comparison.spec, "Both were started with the same options."),
        ("Values used that differ", comparison.resolved, "Both used the same values."),
        ("Figures", [each for each in comparison.figures if _is_number(each)], "Neither has figures yet."),
    ]
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    shown = "".join(_part(title, rows, heads, nothing) for title, rows, nothing in parts)
    return f'<div class="hearth-result">{shown}</div>'


def _is_number(row: Difference) -> bool:
    return any(isinstance(value, int | float) for value in (row.first, row.second))


def _part(title: str, rows: Iterable[Difference], heads: str, nothing: str) -> str:
    cells = "".join(
        f"<tr><td>{escape(row.path)}</td><td>{_value(row.first)}</td><td>{_value(row.second)}</td></tr>" for row in rows
    )
    body = (
        f"<div class='scroll'><table><tr><th></th>{heads}</tr>{cells}</table></div>" if cells else f"<p>{nothing}</p>"
    )
    return f"<h4>{title}</h4>{body}"


def _value(value: Any) -> str:
    text = "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    short = text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
    return f'<span title="{escape(text)}">{escape(short)}</span>' if short != text else escape(text)


def question_html(jobs: Sequence[JobDirectory], builds: Sequence[JobDirectory]) -> str:
    """What deleting would move, and what builds on it."""
    names = ", ".join(f"<b>{escape(str(job.header['title']))}</b>" for job in jobs)
    on_it = ", ".join(f"{escape(str(job.header['title']))} ({escape(job.id)})" for job in builds)
    warns = f" What builds on it would miss it until it is restored: {on_it}." if builds else ""
    return f'<div class="warning"><p>Move {names} to the bin? It can be restored from there.{warns}</p></div>'


def bin_html(held: Sequence[Binned]) -> str:
    """What the bin holds, each with the button that restores it."""
    if not held:
        return '<div class="hearth-empty">The bin is empty. What you delete comes here first.</div>'
    rows = "".join(
        f"<tr><td>{escape(str(each.job.header['title']))}</td><td>{when(each.job.header['created'])}</td>"
        f'<td class="number">{size(each.size_bytes)}</td>'
        f"<td>{button('restore', each.job.id, 'Restore', label=f'Restore {each.job.id}')}</td></tr>"
        for each in held
    )
    total = size(sum(each.size_bytes for each in held))
    head = '<tr><th>Job</th><th>Started</th><th class="number">On disk</th><th></th></tr>'
    told = f"<p>{total} come free when it is emptied.</p>"
    return f'<div class="scroll"><table>{head}{rows}</table></div>{told}'
