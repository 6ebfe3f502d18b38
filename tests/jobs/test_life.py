"""A job's life in a real detached process: done, failed, stopped, killed, resumed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.errors import BadInput
from jobs.workspace import Workspace
from tests.jobs.conftest import Start, wait_for, wait_until_over


def kill(job: JobDirectory) -> None:
    pid = job.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)


def test_a_finished_job_has_a_manifest_with_hashes_and_figures(start: Start) -> None:
    job = start()
    assert wait_until_over(job) is State.SUCCEEDED
    manifest = job.manifest
    assert manifest is not None
    assert manifest["figures"] == {"count": 3}
    assert manifest["artifacts"]["result.txt"]["bytes"] == 4
    assert [event["step"] for event in job.metrics()] == [1, 2, 3]


def test_bad_input_fails_with_what_why_and_what_to_do(start: Start) -> None:
    job = start(end="bad_input")
    assert wait_until_over(job) is State.FAILED
    status = job.status()
    assert status.error_kind == "bad_input"
    assert status.error == "The rows are wrong. Row 3 is empty."
    assert status.hint == "Fill it."
    assert job.manifest is None


def test_a_full_disk_is_said_in_words_and_what_was_saved_stays(start: Start) -> None:
    job = start(end="disk_full")
    assert wait_until_over(job) is State.FAILED
    status = job.status()
    assert status.error_kind == "out_of_room"
    assert "model.bin" in (status.error or "")
    assert (job.path / "count.txt").read_text() == "2"


def test_a_defect_shows_as_internal_error_with_its_traceback_in_the_log(start: Start) -> None:
    job = start(end="defect")
    assert wait_until_over(job) is State.FAILED
    assert job.status().error_kind == "internal"
    assert "ZeroDivisionError: a defect" in job.log_tail()


def test_a_stopped_job_saves_and_resumes_where_it_was(start: Start) -> None:
    job = start(steps=400, seconds=0.01)
    wait_for(job, lambda job: len(job.metrics()) > 5)
    assert launcher.stop(job, wait_seconds=10) is State.STOPPED
    done = int((job.path / "count.txt").read_text())
    assert done >= 4
    (job.path / "spec.json").write_text(
        (job.path / "spec.json").read_text().replace('"steps": 400', f'"steps": {done + 4}')
    )
    launcher.resume(job)
    assert wait_until_over(job) is State.SUCCEEDED
    assert job.status().attempt == 2
    assert [event["step"] for event in job.metrics()] == list(range(1, done + 5))


def test_a_killed_worker_shows_as_lost_and_its_children_are_ended(start: Start) -> None:
    job = start(steps=400, seconds=0.05, child=True)
    wait_for(job, lambda job: len(job.metrics()) > 2)
    (worker,) = [process for process in psutil.process_iter() if process.pid == job.status().pid]
    children = worker.children()
    assert len(children) == 1
    kill(job)
    assert launcher.observe(job).state is State.LOST
    psutil.wait_procs(children, timeout=5)
    assert not children[0].is_running()


def test_resolved_values_are_kept_when_a_lost_job_is_resumed(start: Start) -> None:
    job = start(steps=40, seconds=0.05)
    wait_for(job, lambda job: len(job.metrics()) > 3)
    before = job.resolved
    kill(job)
    launcher.resume(job)
    assert wait_until_over(job) is State.SUCCEEDED
    assert job.resolved == before
    steps = [event["step"] for event in job.metrics()]
    assert steps == list(range(1, 41)), "steps done twice appear once"


def test_only_an_ended_job_can_be_resumed(start: Start) -> None:
    job = start(steps=400, seconds=0.05)
    wait_for(job, lambda job: job.status().state is State.RUNNING)
    with pytest.raises(BadInput, match="can't be resumed"):
        launcher.resume(job)


def test_two_jobs_of_one_second_never_get_the_same_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr("jobs.workspace.secrets.token_hex", lambda _: next(drawn))
    monkeypatch.setattr("jobs.workspace.time.strftime", lambda _: "20260101-120000")
    workspace = Workspace(tmp_path)
    ids = []
    for _ in range(2):
        path = workspace.new_job_path("train")
        ids.append(JobDirectory.create(path, kind="train", title="t", spec={}, resource=None).id)
    assert ids == ["20260101-120000-train-aaaa", "20260101-120000-train-bbbb"]


def test_a_line_cut_short_by_a_kill_is_passed_over_and_does_not_swallow_the_next(tmp_path: Path) -> None:
    job = JobDirectory(tmp_path)
    job.append_event({"type": "metric", "attempt": 1, "step": 1, "time": 0})
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"type": "metric", "att')
    job.append_event({"type": "metric", "attempt": 2, "step": 2, "time": 0})
    assert [event["step"] for event in job.metrics()] == [1, 2]


def test_a_job_sees_its_own_card_alone_counted_as_the_lease_counts(tmp_path: Path) -> None:
    job = JobDirectory.create(tmp_path / "job", kind="train", title="t", spec={}, resource="gpu1")
    assert launcher._only_card(job) == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1"}
    assert (
        launcher._only_card(JobDirectory.create(tmp_path / "o", kind="train", title="t", spec={}, resource="cpu")) == {}
    )
