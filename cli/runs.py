"""`compare`: what differs between two jobs, and what they ended with."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cli.shared import JsonOption, WorkspaceOption, open_workspace, show
from jobs import compare as comparing

LONGEST_VALUE = 40


def compare(job_a: str, job_b: str, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Two jobs side by side: the options and values that differ, and the final figures of both."""
    place = open_workspace(workspace)
    first, second = place.job(job_a), place.job(job_b)
    found = comparing.compare(first, second)
    known = {"jobs": [first.id, second.id], **asdict(found)}
    parts = {
        "Options that differ": found.spec,
        "Values used that differ": found.resolved,
        "Figures": found.figures,
    }
    lines = [_line("", first.id, second.id)]
    for title, rows in parts.items():
        lines += ["", title, *(_line(row.path, _text(row.first), _text(row.second)) for row in rows)]
        lines += [] if rows else ["  none"]
    show(known, as_json, "\n".join(lines))


def _line(name: str, first: str, second: str) -> str:
    return f"  {name:<36} {first:<{LONGEST_VALUE}} {second}".rstrip()


def _text(value: Any) -> str:
    """A value in a column."""
    text = "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
