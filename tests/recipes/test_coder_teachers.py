"""The campaigns for real: two teachers at once, scores by tests, targets by domain, killed and resumed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from datasets_src.synthesis.job import run
from datasets_src.synthesis.preview import estimate
from datasets_src.synthesis.spec import SynthesisSpec
from jobs import launcher
from jobs.context import JobContext
from jobs.directory import JobDirectory, State
from jobs.files import read_json_lines
from jobs.workspace import Workspace
from recipes.coder.exercises import exercise_of, exercises
from recipes.coder.generate import generate
from recipes.coder.programs import passes
from recipes.coder.teachers import MODELS, WRONG, quick, reviewer, serving

ROWS = 60


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as found:
        yield found


def campaign(workspace: Workspace, address: str, name: str) -> dict[str, Any]:
    """A campaign's spec as a job takes it, with the teachers at `address`."""
    place = workspace.uploads / "coder"
    generate(place, ROWS)
    spec = SynthesisSpec.load(place / f"{name}.yaml").with_absolute_paths(place)
    teachers = [teacher.model_copy(update={"base_url": address}) for teacher in spec.teachers]
    return spec.model_copy(update={"teachers": teachers}).model_dump(mode="json")


def create(workspace: Workspace, spec: dict[str, Any]) -> JobDirectory:
    path = workspace.new_job_path("data.synthesise")
    return JobDirectory.create(path, kind="data.synthesise", title="campaign", spec=spec, resource=None)


def rows_of(job: JobDirectory) -> list[dict[str, Any]]:
    return list(read_json_lines(job.path / "rows.jsonl"))


def test_the_quick_teacher_is_wrong_in_about_a_quarter_and_says_the_same_again() -> None:
    prompts = list(exercises())
    wrong = [quick(prompt) != exercise_of(prompt).answer for prompt in prompts]
    assert sum(wrong) / len(wrong) == pytest.approx(WRONG, abs=0.06)
    assert quick(prompts[0]) == quick(prompts[0])


def test_the_reviewer_gives_scores_by_the_tests() -> None:
    exercise = next(iter(exercises().values()))

    def asked(answer: str) -> str:
        return (
            f"Judge.\n\n<conversation>\nUser: {exercise.prompt}\n\nAssistant: {answer}\n</conversation>\n\nWhat counts"
        )

    assert json.loads(reviewer(asked(exercise.answer)))["score"] == 10
    assert json.loads(reviewer(asked("def f(xs):\n    return None")))["score"] == 2


def test_the_endpoint_answers_as_the_api_does_and_refuses_what_it_can_not_read(address: str) -> None:
    with httpx.Client(trust_env=False) as client:
        assert {each["id"] for each in client.get(f"{address}/models").json()["data"]} == set(MODELS)
        place = f"{address}/chat/completions"
        prompt = next(iter(exercises()))
        body = {"model": "careful", "messages": [{"role": "user", "content": prompt}]}
        answered = client.post(place, json=body).json()["choices"][0]
        assert answered["message"]["content"] == exercise_of(prompt).answer and answered["finish_reason"] == "stop"
        for wrong in ({}, {"model": "nobody", "messages": []}, [], {**body, "messages": []}):
            assert client.post(place, json=wrong).status_code == 400
        assert client.post(place, content=b"{").status_code == 400
        unknown = {**body, "messages": [{"role": "user", "content": "Write a poem."}]}
        assert "no exercise" in client.post(place, json=unknown).json()["error"]["message"]
        assert client.post(f"{address}/else", json=body).status_code == 404


@pytest.mark.slow
def test_a_campaign_fills_its_domains_from_two_teachers_and_keeps_what_passes(
    workspace: Workspace, address: str
) -> None:
    spec = campaign(workspace, address, "first")
    told = estimate(SynthesisSpec.parse(spec), workspace.root)
    assert told.calls > 0
    job = create(workspace, spec)
    figures = run(JobContext(job, 1, time.time()))
    wanted = {domain["name"]: domain["count"] for domain in spec["domains"]}
    assert {name: made["rows"] for name, made in figures["domains"].items()} == wanted
    rows = rows_of(job)
    assert {row["teacher"] for row in rows} == {"quick", "careful"} and {row["score"] for row in rows} == {10}
    for row in rows[::6]:
        question, answer = (message["content"] for message in row["messages"])
        assert passes(answer, exercise_of(question).tests)
    assert figures["refused"].get("a score below 7", 0) > 0, "some of the quick teacher's answers were refused"


@pytest.mark.slow
def test_campaigns_combine_in_one_dataset_beside_exercises_that_no_teacher_was_asked(
    workspace: Workspace, address: str
) -> None:
    jobs = {}
    for name in ("first", "second"):
        jobs[name] = create(workspace, campaign(workspace, address, name))
        run(JobContext(jobs[name], 1, time.time()))
    place = workspace.uploads / "coder"
    text = (place / "data.yaml").read_text(encoding="utf-8")
    for name, job in jobs.items():
        text = text.replace(f"job:{name.upper()}", f"job:{job.id}")
    (place / "data.yaml").write_text(text, encoding="utf-8")
    version = build(DatasetSpec.load(place / "data.yaml").with_absolute_paths(place), workspace)
    made = {row["messages"][0]["content"] for job in jobs.values() for row in rows_of(job)}
    assert {row["messages"][0]["content"] for row in version.train()} == made
    asked = {row["messages"][0]["content"] for row in version.eval()}
    assert len(asked) == len(version.eval()) > 100 and not asked & made
    assert Counter(row["source"] for row in version.train()).keys() == {f"job:{job.id}" for job in jobs.values()}


@pytest.mark.slow
def test_a_campaign_that_is_killed_goes_on_where_it_was_and_asks_nothing_twice(
    workspace: Workspace, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTH_CACHE", str(tmp_path / "cache"))
    job = launcher.start(
        workspace, "data.synthesise", campaign(workspace, address, "first"), title="campaign", resource="cpu"
    )
    try:
        wait_for(job, lambda: len(ledger(job)) >= 6)
        pid = job.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_for(job, lambda: job.status().state is State.LOST)
        kept = ledger(job)
        launcher.resume(job)
        wait_for(job, lambda: not job.status().state.active)
        assert job.status().state is State.SUCCEEDED, f"{job.status()}\n{job.log_tail()}"
    finally:
        launcher.end_process_group(job)
    assert ledger(job)[: len(kept)] == kept and len(kept) < len(ledger(job))
    calls = Counter(line["id"] for line in ledger(job))
    assert set(calls.values()) == {1}
    questions = [row["messages"][0]["content"] for row in rows_of(job)]
    assert len(set(questions)) == len(questions) == sum(made["rows"] for made in figures_of(job)["domains"].values())


def figures_of(job: JobDirectory) -> dict[str, Any]:
    assert job.manifest is not None
    return dict(job.manifest["figures"])


def ledger(job: JobDirectory) -> list[dict[str, Any]]:
    return list(read_json_lines(job.path / "ledger.jsonl"))


def wait_for(job: JobDirectory, condition: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{job.status()}\n{job.log_tail()}"
        time.sleep(0.02)
