"""A synthesis job that is killed in its real process repeats no paid call, loses no row and doubles none."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.files import read_json_lines
from jobs.workspace import Workspace
from tests.datasets_src.synthesis.conftest import MakeSpec, rows_of, well_behaved
from tests.models.endpoints.fake_chat_server import Asked, FakeChatServer, Reply

Start = Callable[[dict[str, Any]], JobDirectory]


@pytest.fixture
def start(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a synthesis job detached; what still runs at the end of the test is ended."""
    monkeypatch.setenv("HEARTH_CACHE", str(tmp_path / "cache"))
    started: list[JobDirectory] = []

    def begin(spec: dict[str, Any]) -> JobDirectory:
        job = launcher.start(workspace, "data.synthesise", spec, title="Toy", resource="cpu")
        started.append(job)
        return job

    yield begin
    for job in started:
        launcher.end_process_group(job)


def wait_for(job: JobDirectory, condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{job.status()}\n{job.log_tail()}"
        time.sleep(0.02)


def kill(job: JobDirectory) -> None:
    pid = job.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(job, lambda: job.status().state is State.LOST)


def recorded(job: JobDirectory) -> list[str]:
    """The texts of the answers in the ledger."""
    return [line["text"] for line in read_json_lines(job.path / "ledger.jsonl") if "text" in line]


def require_complete(job: JobDirectory) -> None:
    assert job.status().state is State.SUCCEEDED, f"{job.status()}\n{job.log_tail()}"
    rows = rows_of(job)
    assert Counter(row["parent"] for row in rows) == {f"documents.jsonl:{n}": 2 for n in range(1, 13)}
    assert len({row["messages"][0]["content"] for row in rows}) == 24
    assert job.manifest is not None
    assert job.manifest["figures"]["rows"] == 24


def test_a_job_killed_half_way_asks_nothing_again_that_was_answered(
    start: Start, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    back_up = threading.Event()
    lock, begun = threading.Lock(), Counter[str]()

    def behave(asked: Asked) -> Reply:
        with lock:
            begun["all"] += 1
            silent = begun["all"] > 5 and not back_up.is_set()
        return Reply(fault="hang") if silent else well_behaved(asked)

    server.behave = behave
    job = start(make_spec({"concurrency": 3}, domains=[{"name": "things"}]))
    # Five answers have come, and three more requests are under way, when it is killed.
    wait_for(job, lambda: len(recorded(job)) == 5 and len(server.asked) == 8)
    kill(job)
    assert job.manifest is None
    answered_before = set(server.answered)
    assert len(answered_before) == 5

    back_up.set()
    launcher.resume(job)
    wait_for(job, lambda: not job.status().state.active)
    require_complete(job)
    assert set(server.answered.values()) == {1}
    prompts = server.prompts()
    assert len(prompts) == 12
    assert all(prompts[prompt] == 1 for prompt in answered_before)
    assert sorted(prompts.values()) == [1] * 9 + [2] * 3, "only what was under way is asked again"
    assert job.manifest is not None
    assert job.manifest["figures"]["answers"] == 12
    assert "Going on from 10 rows and 5 answers." in job.log_tail()


@pytest.mark.slow
def test_a_job_killed_again_and_again_at_any_moment_ends_with_every_row_once(
    start: Start, make_spec: MakeSpec, server: FakeChatServer
) -> None:
    prompt_of: dict[str, str] = {}
    allowed = threading.Semaphore(0)

    def behave(asked: Asked) -> Reply:
        allowed.acquire(timeout=60)
        reply = well_behaved(asked)
        prompt_of[reply.text] = asked.prompt
        return reply

    server.behave = behave
    job = start(make_spec({"concurrency": 3}, domains=[{"name": "things"}]))
    settled: Counter[str] = Counter()
    for _ in range(3):
        # More may be answered than are waited for, so that it is killed while answers are on their way.
        allowed.release(4)
        kept = len(recorded(job))
        wait_for(job, lambda kept=kept: len(recorded(job)) > kept)  # type: ignore[misc]
        kill(job)
        asked_until_now = server.prompts()
        settled |= Counter({prompt_of[text]: asked_until_now[prompt_of[text]] for text in recorded(job)})
        launcher.resume(job)
    allowed.release(100)
    wait_for(job, lambda: not job.status().state.active)
    require_complete(job)
    assert len(settled) >= 3
    asked_in_all = server.prompts()
    assert {prompt: asked_in_all[prompt] for prompt in settled} == settled, "an answer in the ledger is for good"
    assert Counter(recorded(job)).most_common(1)[0][1] == 1
