"""The strip at the top names what runs, whether or not it has to wait its turn for the machine."""

from __future__ import annotations

from filelock import FileLock

from jobs.directory import JobDirectory, State, Status
from jobs.workspace import Workspace
from ui.machine import strip_view
from ui.page import SKIP


def job_of(workspace: Workspace, title: str, state: State) -> JobDirectory:
    job = JobDirectory.create(workspace.new_job_path("serve"), kind="serve", title=title, spec={}, resource=None)
    job.write_status(Status(state))
    return job


def test_a_job_that_runs_beside_the_queue_is_named_and_a_finished_or_killed_one_is_not(workspace: Workspace) -> None:
    job_of(workspace, "ended", State.SUCCEEDED)
    job_of(workspace, "killed", State.RUNNING)
    assert "idle" in strip_view(workspace, "")[0]
    server = job_of(workspace, "my <server>", State.RUNNING)
    with FileLock(server.lock_path):
        html = strip_view(workspace, "")[0]
        assert "<b>Running</b> my &lt;server&gt;</span>" in html
        assert "idle" not in html and "killed" not in html and "ended" not in html
        assert strip_view(workspace, html) == [SKIP, SKIP]
