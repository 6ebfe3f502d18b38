"""The watching job: it begins what is due, leaves a person's decisions alone, and ends when it is stopped."""

from __future__ import annotations

import time

import pytest

from jobs import launcher
from jobs.context import JobContext
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Stopped
from jobs.workspace import Workspace
from serving.loop import watch
from serving.loop.spec import LoopSpec
from serving.loop.watch import run
from tests.serving.loop.conftest import Say


@pytest.fixture
def watching(place: Workspace, plan: LoopSpec) -> JobContext:
    """A watch job that looks all the time."""
    spec = {**plan.model_dump(mode="json"), "look_every_seconds": 0.01}
    job = JobDirectory.create(place.new_job_path("loop.watch"), kind="loop.watch", title="w", spec=spec, resource=None)
    return JobContext(job, attempt=1, started=time.time())


def look(context: JobContext, monkeypatch: pytest.MonkeyPatch, times: int = 3) -> list[str]:
    """Let it look some times, then stop it; what it said."""
    looks = watch._look

    def counted(*arguments: object) -> str:
        nonlocal times
        times -= 1
        if times <= 0:
            context.directory.request_stop()
        return looks(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(watch, "_look", counted)
        with pytest.raises(Stopped):
            run(context)
    context.directory.clear_stop()
    return [event["message"] for event in context.directory.events() if event["type"] == "log"]


def test_it_waits_begins_a_round_when_due_and_no_second_beside_it(
    place: Workspace, watching: JobContext, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[str] = []

    def start(job: JobDirectory) -> None:
        running.append(job.id)
        job.write_status(Status(State.RUNNING, updated=time.time()))

    monkeypatch.setattr(launcher, "_launch", start)
    monkeypatch.setattr(JobDirectory, "alive", lambda self: self.id in running)
    say(2)
    assert look(watching, monkeypatch) == ["No round of bot-loop is due. 2 of 4 new rated chats are there."]
    say(2)
    said = look(watching, monkeypatch)
    assert len(running) == len(place.list_jobs("loop")) == 1
    assert "begins. 4 new rated chats; 4 are enough." in said[1]
    assert "one round at a time" in said[2]


def test_it_resumes_a_killed_round_and_leaves_failed_and_stopped_ones_to_people(
    place: Workspace, watching: JobContext, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[str] = []
    monkeypatch.setattr(launcher, "_launch", lambda job: launched.append(job.id))
    say(4)
    look(watching, monkeypatch, times=1)
    (job,) = place.list_jobs("loop")
    look(watching, monkeypatch, times=1)
    assert launched == [job.id, job.id], "nobody was alive for it"
    for state in (State.FAILED, State.STOPPED):
        job.write_status(Status(state, updated=time.time()))
        assert "resume or delete it" in look(watching, monkeypatch)[-1]
    assert len(launched) == 2


def test_a_plan_that_can_not_be_carried_out_ends_the_watch_in_words(
    watching: JobContext, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(4)
    values = {**watching.spec, "train": {"optimisation": {"epoch": 1}}}
    monkeypatch.setattr(watching, "spec", values)
    with pytest.raises(BadInput, match="did you mean epochs"):
        run(watching)
