"""Following a job in a terminal: a progress bar with the time left, and Ctrl-C that asks before it stops anything.

Where the output goes into a file or a pipe, a line now and then says what the bar would.
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from jobs import launcher
from jobs.directory import JobDirectory, Status
from jobs.silence import silence_words

POLL_SECONDS = 0.25
LINE_SECONDS = 30.0


@dataclass
class _Lines:
    """What is told where no bar can be drawn: other words at once, other numbers every half minute."""

    console: Console
    phase: str = ""
    said: str = ""
    next_at: float = 0.0

    def tell(self, job: JobDirectory, status: Status) -> None:
        words, percent = _words(job, status), "" if status.progress is None else f"{100 * status.progress:.0f} %"
        said, phase = " · ".join(filter(None, [words, percent, _left(status)])), re.sub(r"[\d.,]+", "", words)
        if phase != self.phase or (said != self.said and time.monotonic() >= self.next_at):
            self.console.print(f"  {said}", markup=False)
            self.phase, self.said, self.next_at = phase, said, time.monotonic() + LINE_SECONDS


def follow(job: JobDirectory, console: Console) -> Status:
    """Show the job until it ends (or the user leaves it running); returns how it stands then."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, lines = bar.add_task(job.header["title"], total=1.0, left=""), _Lines(console)
        while (status := launcher.observe(job)).state.active:
            try:
                if console.is_terminal:
                    _show(bar, task, job, status)
                else:
                    lines.tell(job, status)
                time.sleep(POLL_SECONDS)
            except KeyboardInterrupt:
                bar.stop()
                if not _asked_to_stop(job, console):
                    return launcher.observe(job)
                bar.start()
    return status


def _show(bar: Progress, task: TaskID, job: JobDirectory, status: Status) -> None:
    bar.update(task, description=_words(job, status), left=_left(status))
    # Without a total the bar only shows that something happens, which is all that is known then.
    bar.update(task, total=None if status.progress is None else 1.0, completed=status.progress or 0.0)


def _words(job: JobDirectory, status: Status) -> str:
    return " · ".join(filter(None, [status.message or str(status.state), silence_words(job, status)]))


def _left(status: Status) -> str:
    return f"{_duration(status.eta_seconds)} left" if status.eta_seconds else ""


def _asked_to_stop(job: JobDirectory, console: Console) -> bool:
    """Whether the user, having pressed Ctrl-C, wants the job stopped. Without a terminal to ask on, yes."""
    if sys.stdin.isatty():
        answer = console.input("Stop the job (it saves first), or leave it running? [s/L] ").strip().lower()
        if answer not in ("s", "stop"):
            console.print(f"It goes on. See it with: python cli.py jobs show {job.id}")
            return False
    launcher.stop(job)
    console.print("Stopping: it finishes its step and saves …")
    return True


def _duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 3 min, 2 h 10 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
