"""A job as HTML: state, progress, message, time left, error, files. Knows nothing of gradio."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import quote

from jobs.directory import JobDirectory, State, Status
from jobs.silence import silence_words
from ui.errors import job_error
from ui.words import STATES, duration, size, when, without_visitors

EMPTY = '<div class="hearth-empty">{}</div>'
LISTED_FILES = 12


def empty(text: str) -> str:
    """What stands where nothing is yet: what to do."""
    return EMPTY.format(escape(text))


def job_html(job: JobDirectory, status: Status) -> str:
    """The state of a job, for people."""
    chip = f'<span class="chip {status.state}">{STATES[status.state]}</span>'
    title = f'<span class="title">{escape(job.header["title"])}</span><span class="quiet">{_times(job, status)}</span>'
    text = "" if status.error else _message(status)
    message = f'<div class="message">{escape(text)}</div>' if text not in ("", STATES[status.state]) else ""
    parts = [f'<div class="head">{chip}{title}</div>', _bar(status), message, _silence(job, status)]
    parts.append(job_error(job, status))
    return f'<div class="hearth-job" data-state="{status.state}" data-job="{escape(job.id)}">{"".join(parts)}</div>'


def _message(status: Status) -> str:
    text = without_visitors(status.message[:1].upper() + status.message[1:])
    if status.state is State.RUNNING and status.eta_seconds is not None:
        return f"{text} · about {duration(status.eta_seconds)} left"
    return text


def _silence(job: JobDirectory, status: Status) -> str:
    words = silence_words(job, status)
    if not words:
        return ""
    advice = "It may hang, or other programs keep the machine busy. Stop saves and ends it; it can go on from there."
    return f'<div class="warning" role="status"><b>{words.capitalize()}.</b> {advice}</div>'


def _times(job: JobDirectory, status: Status) -> str:
    """When it began, and how long it took."""
    text = f"started {when(job.header['created'])}"
    manifest = job.manifest
    if status.state is State.SUCCEEDED and manifest:
        return f"{text}, took {duration(manifest['seconds'])}"
    return text


def _bar(status: Status) -> str:
    """The progress bar; one that only moves where nobody knows how far it is; none when it is over."""
    if status.state is State.SUCCEEDED:
        return ""
    if status.progress is None:
        return '<div class="bar unknown"><i></i></div>' if status.state.active else ""
    percent = 100 * min(1.0, max(0.0, status.progress))
    label = f'role="progressbar" aria-valuenow="{percent:.0f}" aria-valuemin="0" aria-valuemax="100"'
    return f'<div class="bar {status.state}" {label}><i style="width:{percent:.1f}%"></i></div>'


def job_label(job: JobDirectory) -> str:
    """A job as a line of a list: title, time, state."""
    header = job.header
    return f"{header['title']} · {when(header['created'])} · {STATES[job.status().state].lower()}"


def file_links(job: JobDirectory, paths: list[Path]) -> str:
    """Links that download files of a job, straight from where they lie."""
    if not paths:
        return ""
    shown = "".join(_file_link(job, path) for path in paths[:LISTED_FILES])
    rest = f"<div class='quiet'>and {len(paths) - LISTED_FILES} more in the job's folder</div>"
    return f'<div class="hearth-files">{shown}{rest if len(paths) > LISTED_FILES else ""}</div>'


def _file_link(job: JobDirectory, path: Path) -> str:
    name = escape(str(path.relative_to(job.path)))
    address = f"gradio_api/file={quote(str(path))}"
    length = f'<span class="quiet">{size(path.stat().st_size)}</span>'
    return f'<a href="{address}" download="{escape(path.name)}">{name} {length}</a>'


def artifacts(job: JobDirectory) -> list[Path]:
    """The files that a finished job registered, in order; checkpoints and the like are not among them."""
    manifest = job.manifest or {}
    paths = [job.path / name for name in manifest.get("artifacts", {})]
    return [path for path in paths if path.is_file()]
