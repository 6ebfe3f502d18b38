"""Where no bar can be drawn, a followed job still says what it does."""

from __future__ import annotations

import io

from rich.console import Console

from jobs.directory import State
from jobs.follow import follow
from jobs.lease import Lease
from tests.jobs.conftest import Start


def test_a_file_gets_each_phase_once_and_why_a_job_waits(start: Start) -> None:
    written = io.StringIO()
    blocker = start(seconds=1.0)
    while Lease("cpu").holder() is None:
        assert blocker.status().state.active
    status = follow(start(), Console(file=written, width=500))
    lines = [line.strip() for line in written.getvalue().splitlines()]
    assert status.state is State.SUCCEEDED
    assert any(line.startswith(f"Waiting for {blocker.header['title']}") for line in lines)
    assert len([line for line in lines if line.startswith("Waiting for")]) == 1
