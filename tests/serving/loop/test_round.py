"""A round's mechanics with fake step jobs: the chain, its ends, and that a kill at any moment costs nothing."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from datasets_src.interactions import Interactions
from jobs import children, launcher
from jobs.context import JobContext
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, OutOfRoom, Stopped
from jobs.workspace import Workspace
from serving.loop import job, rounds, state
from serving.loop.chats import choose
from serving.loop.memory import Memory
from serving.loop.rounds import approve, begin, due, reject
from serving.loop.spec import LoopSpec
from serving.registry import Registry
from tests.serving.loop.conftest import FakeSteps, Say, context_of_round
from tests.serving.registry.conftest import finished, stages

STEPS = ["new chats", "all rows", "training", "new chats", "regression set", "general abilities"]


def run_round(place: Workspace, spec: LoopSpec) -> tuple[JobDirectory, dict[str, Any]]:
    """One round in this process, ended as its worker would end it."""
    context = context_of_round(place, spec)
    figures = job.run(context)
    return finished(context.directory, figures), figures


def test_a_round_that_proves_better_is_promoted_with_the_verdict_as_reason(
    place: Workspace, plan: LoopSpec, say: Say, steps: FakeSteps
) -> None:
    say(8)
    done, figures = run_round(place, plan)
    assert steps.launched == STEPS
    assert (figures["outcome"], figures["version"], figures["against"]) == ("promoted", "bot@2", "bot@1")
    registry = Registry(place)
    version = registry.resolve("bot")
    assert (version.number, version.lineage.data) == (2, "bot-loop@fake")
    assert version.tags == ("loop", "bot-loop")
    assert {each.outcome for each in version.evidence} == {"better", "no difference shown"}
    reason = registry.history("bot")[-1].reason
    assert reason == figures["sentence"]
    assert reason.startswith("Better on the new chats, and worse nowhere: the new chats: better (fake); the regression")
    assert figures["chosen"]["rows"] == 8
    assert not (done.path / "rows.jsonl").exists(), "what people said is kept in the dataset alone"
    assert choose(place, plan).chats == (), "they are new no more"


@pytest.mark.usefixtures("steps")
def test_by_hand_a_round_waits_and_is_approved_once(place: Workspace, plan: LoopSpec, say: Say) -> None:
    say(8)
    done, figures = run_round(place, plan.model_copy(update={"promote": "by hand"}))
    assert figures["outcome"] == "waiting"
    assert stages(Registry(place)) == {1: "production", 2: "candidate"}
    say(8)
    assert "waits for approval" in begin(place, plan, force=True).sentence
    assert approve(place, done.id[-4:], "looks fine").outcome == "approved"
    assert stages(Registry(place)) == {1: "retired", 2: "production"}
    assert Registry(place).history("bot")[-1].reason.startswith("Approved by hand. looks fine Better on")
    with pytest.raises(BadInput, match="doesn't wait for approval"):
        approve(place, done.id)


@pytest.mark.usefixtures("steps")
def test_a_rejected_round_retires_its_version_and_its_chats_stay_used(
    place: Workspace, plan: LoopSpec, say: Say
) -> None:
    say(8)
    done, _ = run_round(place, plan.model_copy(update={"promote": "by hand"}))
    with pytest.raises(BadInput, match="No reason"):
        reject(place, done.id, " ")
    assert reject(place, done.id, "it swears").outcome == "rejected"
    assert stages(Registry(place)) == {1: "production", 2: "retired"}
    assert Registry(place).history("bot")[-1].reason == "it swears"
    assert choose(place, plan).chats == ()
    assert "No round" in begin(place, plan).sentence, "nothing waits any more"
    with pytest.raises(BadInput, match="is no round"):
        reject(place, place.list_jobs("train")[0].id, "x")


def test_chats_that_make_the_regression_set_worse_are_not_promoted_nor_taken_again(
    place: Workspace, plan: LoopSpec, say: Say, steps: FakeSteps
) -> None:
    say(8, answer="no.")
    steps.outcomes["regression set"] = "worse"
    _, figures = run_round(place, plan)
    assert figures["outcome"] == "worse"
    assert figures["sentence"].startswith("Worse on the regression set: ")
    assert stages(Registry(place)) == {1: "production", 2: "retired"}
    assert choose(place, plan).chats == ()


def test_a_round_that_shows_nothing_leaves_a_candidate_and_its_chats_for_the_next(
    place: Workspace, plan: LoopSpec, say: Say, steps: FakeSteps
) -> None:
    say(8)
    steps.outcomes["new chats"] = "too few items"
    _, figures = run_round(place, plan)
    assert figures["outcome"] == "unproven"
    assert stages(Registry(place)) == {1: "production", 2: "candidate"}
    say(1)
    chosen = choose(place, plan)
    assert (len(chosen.chats), chosen.new) == (9, 1)


def test_production_replaced_meanwhile_is_not_overruled(
    place: Workspace, plan: LoopSpec, say: Say, steps: FakeSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(8)
    registry = Registry(place)

    def meanwhile(job: JobDirectory) -> None:
        if str(job.header["title"]).endswith("general abilities"):
            registry.register("bot", "ollama:other")
            registry.promote("bot", 2, "somebody knew better")
        steps(job)

    monkeypatch.setattr(launcher, "_launch", meanwhile)
    done, figures = run_round(place, plan)
    assert figures["outcome"] == "waiting"
    assert "bot@1 was replaced while the round ran" in figures["sentence"]
    assert registry.resolve("bot").number == 2
    with pytest.raises(BadInput, match="bot@2 is in production now"):
        approve(place, done.id)


class Killed(BaseException):
    """Stands for a process that is gone from one instruction to the next."""


class KillAt:
    """Ends the process before or after the n-th thing that a round does to the world."""

    def __init__(self, at: int) -> None:
        self.at, self.seen = at, 0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            self._maybe()
            result = function(*arguments, **options)
            self._maybe()
            return result

        return wrapped

    def _maybe(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise Killed


def watched(monkeypatch: pytest.MonkeyPatch, kill: KillAt) -> None:
    """Everything that a round writes or starts."""
    monkeypatch.setattr(state, "write_json", kill.wrap(state.write_json))
    monkeypatch.setattr(launcher, "_launch", kill.wrap(launcher._launch))
    monkeypatch.setattr(children.JobDirectory, "create", kill.wrap(children.JobDirectory.create))
    monkeypatch.setattr(job, "write_chats", kill.wrap(job.write_chats))
    for owner, name in ((Memory, "use"), (Memory, "settle"), (Registry, "register"), (Registry, "promote")):
        monkeypatch.setattr(owner, name, kill.wrap(getattr(owner, name)))


def moments(place: Workspace, plan: LoopSpec, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many moments there are in a whole round at which it could be killed."""
    counter, context = KillAt(-1), context_of_round(place, plan)
    with monkeypatch.context() as patched:
        watched(patched, counter)
        job.run(context)
    return counter.seen


@pytest.mark.slow
@pytest.mark.usefixtures("steps")
def test_a_kill_at_any_moment_costs_nothing_and_starts_nothing_twice(
    place: Workspace, plan: LoopSpec, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, known = Registry(place), {each.id for each in place.list_jobs()}
    say(8)
    # Nothing here survives a power cut anyway, and there are thousands of small files.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    many = moments(place, plan, monkeypatch)
    assert many > 40
    registry.roll_back("bot", "begin again")
    for at in range(1, many + 1):
        for each in place.list_jobs():
            if each.id not in known:
                shutil.rmtree(each.path)
        (place.root / "loops.sqlite").unlink()
        versions = len(registry.find(name="bot"))
        promoted = sum(change.action == "promote" for change in registry.history("bot"))
        context = context_of_round(place, plan)
        with monkeypatch.context() as patched:
            watched(patched, KillAt(at))
            with pytest.raises(Killed):
                job.run(context)
        figures = job.run(JobContext(context.directory, attempt=2, started=time.time()))

        assert figures["outcome"] == "promoted", f"killed at {at} of {many}"
        assert len(registry.find(name="bot")) == versions + 1
        assert sum(change.action == "promote" for change in registry.history("bot")) == promoted + 1
        new = [each for each in place.list_jobs() if each.id not in known and each.id != context.directory.id]
        titles = Counter(str(each.header["title"]).rpartition(": ")[2] for each in new)
        assert titles == Counter(STEPS), f"killed at {at} of {many}"
        assert figures["jobs"].keys() == {
            "build_new", "build", "train", "evaluate_new", "evaluate_regression", "evaluate_general"
        }  # fmt: skip
        assert choose(place, plan).chats == ()
        registry.roll_back("bot", "begin again")


@pytest.mark.parametrize("title", ["new chats", "all rows", "training", "regression set", "general abilities"])
def test_a_step_that_fails_fails_the_round_with_its_own_words_and_is_gone_on_with(
    place: Workspace, plan: LoopSpec, say: Say, steps: FakeSteps, title: str
) -> None:
    say(8)
    steps.fails.append(title)
    context = context_of_round(place, plan)
    with pytest.raises(OutOfRoom, match=rf"{title} did not end well: The disk is full"):
        job.run(context)
    done_before = len(steps.launched) - 1
    figures = job.run(JobContext(context.directory, attempt=2, started=time.time()))
    assert figures["outcome"] == "promoted"
    assert steps.launched[done_before] == title == steps.launched[done_before + 1], "the same step again, no other"
    assert len(steps.launched) == len(STEPS) + 1
    assert len(place.list_jobs("train")) == 2


def test_stopping_a_round_stops_its_step_which_later_goes_on(
    place: Workspace, plan: LoopSpec, say: Say, steps: FakeSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(8)
    context = context_of_round(place, plan)
    running: list[str] = []

    def hang(job: JobDirectory) -> None:
        """A training that runs until it is asked to stop."""
        if job.header["kind"] != "train":
            steps(job)
            return
        job.write_status(Status(State.RUNNING, updated=time.time()))
        running.append(job.id)
        context.directory.request_stop()

    def alive(job: JobDirectory) -> bool:
        if job.stop_requested:
            job.write_status(Status(State.STOPPED, updated=time.time()))
        return job.id in running and not job.stop_requested

    with monkeypatch.context() as patched:
        patched.setattr(launcher, "_launch", hang)
        patched.setattr(JobDirectory, "alive", alive)
        with pytest.raises(Stopped):
            job.run(context)
    (training,) = (each for each in place.list_jobs("train") if each.header["title"].endswith("training"))
    assert training.status().state is State.STOPPED
    context.directory.clear_stop()
    assert job.run(JobContext(context.directory, attempt=2, started=time.time()))["outcome"] == "promoted"
    assert len(place.list_jobs("train")) == 2


@pytest.mark.usefixtures("steps")
def test_a_round_is_due_by_number_or_by_the_clock_and_never_without_new_chats(
    place: Workspace, plan: LoopSpec, say: Say
) -> None:
    hourly = plan.model_copy(update={"when": plan.when.model_copy(update={"min_new": None, "every_hours": 2.0})})
    assert not due(place, hourly).due
    say(3)
    assert due(place, plan).sentence == "3 of 4 new rated chats are there."
    assert due(place, hourly).due, "there was no round yet"
    say(1)
    assert due(place, plan).due
    run_round(place, plan)
    assert not due(place, plan).due
    say(1)
    assert "due in 2.0 hours" in due(place, hourly).sentence
    both = hourly.model_copy(update={"when": hourly.when.model_copy(update={"min_new": 1})})
    assert due(place, both).due


def test_a_plan_has_one_round_at_a_time_and_goes_on_with_an_unfinished_one(
    place: Workspace, plan: LoopSpec, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[str] = []
    monkeypatch.setattr(launcher, "_launch", lambda job: launched.append(job.id))
    assert begin(place, plan).job is None
    with pytest.raises(BadInput, match="no chats to learn from"):
        begin(place, plan, force=True)
    assert place.list_jobs("loop") == []
    say(2)
    assert "2 of 4" in begin(place, plan).sentence
    first = begin(place, plan, force=True).job
    assert first is not None
    first.write_status(Status(State.STOPPED, updated=time.time()))
    again = begin(place, plan)
    assert again.job is not None and again.job.id == first.id
    assert launched == [first.id, first.id]
    monkeypatch.setattr(JobDirectory, "alive", lambda _self: True)
    first.write_status(Status(State.RUNNING, updated=time.time()))
    assert begin(place, plan, force=True).job is None
    (listed,) = rounds.rounds(place, "bot-loop")
    assert (listed.job, listed.state, listed.outcome) == (first.id, State.RUNNING, None)


@pytest.mark.usefixtures("steps")
def test_chats_deleted_while_a_round_waits_to_build_are_left_out(place: Workspace, plan: LoopSpec, say: Say) -> None:
    say(6, user="alice")
    say(2, user="bob")
    Interactions(place).delete_user("alice")
    _, figures = run_round(place, plan)
    assert figures["chosen"]["rows"] == 2
