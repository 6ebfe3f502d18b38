"""How errors look on the page: what, why, what to do, in a box that stays until the next try."""

from __future__ import annotations

import traceback
from html import escape

from jobs.directory import JobDirectory, Status
from jobs.errors import UserError

LINES_SHOWN = 5


def error_box(what: str, why: str = "", fix: str = "") -> str:
    """The HTML of an error."""
    parts = [f'<div class="what">{_folded(what)}</div>']
    if why:
        parts.append(f"<div><b>Why</b> {_lines(why)}</div>")
    if fix:
        parts.append(f"<div><b>What to do</b> {_lines(fix)}</div>")
    return f'<div class="hearth-error" role="alert">{"".join(parts)}</div>'


def explain(error: Exception) -> str:
    """An exception as an error box. What is not the user's to mend goes to the server's log with its traceback."""
    if isinstance(error, UserError):
        return error_box(error.what, error.why, error.fix)
    traceback.print_exception(error)
    return error_box(
        "Internal error: this is a defect in Hearth, not something you did.",
        f"{type(error).__name__}: {error}",
        "What you entered is kept. The traceback is in the terminal that runs the page; please report it.",
    )


def job_error(job: JobDirectory, status: Status) -> str:
    """The error box of a failed job; empty without an error."""
    if not status.error:
        return ""
    if status.error_kind == "internal":
        return error_box(f"Internal error in job {job.id}.", status.error, status.hint or "")
    why = status.error.removeprefix(status.message).strip()
    return error_box(status.message, why, status.hint or "")


def _folded(text: str) -> str:
    """The first line, and a long list after it behind a fold."""
    first, *rest = text.splitlines() or [""]
    if len(rest) <= LINES_SHOWN:
        return _lines(text)
    listed = _lines("\n".join(rest))
    return f"{escape(first)}<details><summary>Show the list</summary>{listed}</details>"


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")
