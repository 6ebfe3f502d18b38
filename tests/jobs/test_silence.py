"""A running job that has said nothing for minutes is said to be silent, in the terminal and on the page."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from jobs.directory import JobDirectory, State, Status
from jobs.silence import silence_words
from ui.job_view import job_html


def job_of(folder: Path, kind: str) -> JobDirectory:
    return JobDirectory.create(folder / kind, kind=kind, title="A job", spec={}, resource=None)


@pytest.mark.parametrize(
    ("kind", "state", "seconds", "words"),
    [
        ("train", State.RUNNING, 250, "no news for 4 min"),
        ("train", State.RUNNING, 170, ""),
        ("train", State.QUEUED, 9000, ""),
        ("train", State.SUCCEEDED, 9000, ""),
        ("serve", State.RUNNING, 9000, ""),
        ("a kind of an earlier version", State.RUNNING, 3600, "no news for 60 min"),
    ],
)
def test_silence_is_said_where_it_is_unusual(
    tmp_path: Path, kind: str, state: State, seconds: float, words: str
) -> None:
    job, status = job_of(tmp_path, kind), Status(state, message="Step 3 of 9", updated=time.time() - seconds)
    assert silence_words(job, status) == words
    assert ("No news" in job_html(job, status)) == bool(words)
