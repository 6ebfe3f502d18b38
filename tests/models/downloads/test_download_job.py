"""The download as a job: stopped, killed and resumed; and a token that stands in nothing it writes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import launcher
from jobs.directory import JobDirectory, State
from jobs.errors import BadInput
from jobs.workspace import Workspace
from models.download import cached_snapshot
from models.downloads.spec import DownloadSpec
from tests.jobs.conftest import wait_for, wait_until_over
from tests.models.downloads.conftest import MODEL, WEIGHTS, small_model
from tests.models.downloads.fake_hub import BLOCK, FakeHub

TOKEN = "hf_a_token_that_must_not_be_seen"


@pytest.fixture
def job(hub: FakeHub, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobDirectory]:
    """A download that is under way, slow enough to be interrupted, of a gated model with a token."""
    hub.gated, hub.tokens, hub.slow = {MODEL}, {TOKEN: "ada"}, 0.05
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    started = launcher.start(workspace, "model.download", {"model": MODEL}, title=MODEL, resource="cpu")
    wait_for(started, lambda _: hub.bytes_sent(WEIGHTS[0]) > 3 * BLOCK)
    yield started
    launcher.end_process_group(started)


def end(job: JobDirectory) -> State:
    return wait_until_over(job, 60)


def test_a_killed_download_resumes_without_fetching_again_what_is_there(hub: FakeHub, job: JobDirectory) -> None:
    pid = job.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert end(job) is State.LOST
    before, hub.slow = hub.bytes_sent(WEIGHTS[0]), 0.0
    launcher.resume(job)
    assert end(job) is State.SUCCEEDED, job.log_tail()
    again = [each for each in hub.sent if each.path == WEIGHTS[0]][1:]
    # What the system still held in its buffers when the worker died had not arrived.
    assert again[0].start >= before - 4 * BLOCK
    assert again[0].start > 0
    assert [each.path for each in hub.sent].count("config.json") == 1
    figures = (job.manifest or {})["figures"]
    assert (
        figures["bytes"]
        == sum(map(len, small_model().values())) - len(small_model()["consolidated.safetensors"]) - 1002
    )
    assert cached_snapshot(MODEL) == Path(figures["folder"])


def test_a_stopped_download_says_how_far_it_is_and_goes_on(hub: FakeHub, job: JobDirectory) -> None:
    wait_for(job, lambda job: "a second" in job.status().message)
    status = job.status()
    assert status.progress is not None
    assert 0 < status.progress < 1
    assert f"Fetching {WEIGHTS[0]} · " in status.message
    assert status.eta_seconds is not None
    assert launcher.stop(job, wait_seconds=20) is State.STOPPED
    hub.slow = 0.0
    launcher.resume(job)
    assert end(job) is State.SUCCEEDED
    assert "every checksum right" in job.status().message


def test_the_token_stands_in_nothing_that_the_job_wrote(hub: FakeHub, job: JobDirectory) -> None:
    hub.slow = 0.0
    assert end(job) is State.SUCCEEDED
    assert hub.authorised
    for path in job.path.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_a_job_without_the_terms_accepted_fails_with_the_page_where_to(hub: FakeHub, workspace: Workspace) -> None:
    hub.gated = {MODEL}
    job = launcher.start(workspace, "model.download", {"model": MODEL}, title=MODEL, resource="cpu")
    assert end(job) is State.FAILED
    assert job.status().error_kind == "missing"
    assert f"https://huggingface.co/{MODEL}" in str(job.status().hint)


def test_an_address_of_the_hub_names_a_model_too() -> None:
    assert DownloadSpec.parse({"model": f"https://huggingface.co/{MODEL}"}).model == MODEL


@pytest.mark.parametrize("text", ["", "small", "a/b/c", "some one/x", "a/../b"])
def test_what_is_no_hub_id_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        DownloadSpec.parse({"model": text})
