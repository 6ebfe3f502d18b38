"""Curves are read as they are written, say what all events say, and stay small however long a run is."""

from __future__ import annotations

import json
import random
import time
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest

from jobs.curves import KEPT_POINTS, SMOOTHING, EventReader, curves, stamp
from jobs.directory import JobDirectory


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    return JobDirectory.create(tmp_path / "jobs" / "j", kind="train", title="t", spec={}, resource=None)


def metric(job: JobDirectory, step: int, attempt: int = 1, **values: float) -> None:
    job.append_event({"type": "metric", "attempt": attempt, "step": step, "time": 0.0, **values})


def test_what_is_written_later_is_added_and_a_line_still_being_written_waits(job: JobDirectory) -> None:
    assert curves(job).lines == {}
    metric(job, 1, loss=3.0)
    before = stamp(job)
    assert [point.value for point in curves(job).lines["loss"]] == [3.0]
    with job.events_path.open("a", encoding="utf-8") as file:
        file.write('{"type": "metric", "attempt": 1, "step": 2,')
    assert len(curves(job).lines["loss"]) == 1
    with job.events_path.open("a", encoding="utf-8") as file:
        file.write(' "loss": 2.0}\n')
    assert [point.value for point in curves(job).lines["loss"]] == [3.0, 2.0]
    assert stamp(job) != before


def test_a_line_cut_by_a_kill_is_passed_over(job: JobDirectory) -> None:
    metric(job, 1, loss=3.0)
    with job.events_path.open("a", encoding="utf-8") as file:
        file.write('{"type": "metric", "att')
    metric(job, 2, loss=2.0)
    assert [point.step for point in curves(job).lines["loss"]] == [1, 2]


def test_the_smoothed_line_is_the_bias_corrected_average(job: JobDirectory) -> None:
    values = [random.Random(0).uniform(0, 3) for _ in range(50)]
    for step, value in enumerate(values, start=1):
        metric(job, step, loss=value)
    mean = sum((1 - SMOOTHING) * SMOOTHING ** (49 - place) * value for place, value in enumerate(values))
    points = curves(job).lines["loss"]
    assert points[-1].smoothed == pytest.approx(mean / (1 - SMOOTHING**50))
    assert points[0].smoothed == pytest.approx(values[0]), "without the correction it would begin near zero"


def test_steps_that_a_resumed_attempt_did_again_replace_the_earlier_ones(job: JobDirectory) -> None:
    for step in range(1, 8):
        metric(job, step, loss=float(step))
    curves(job)
    for step in range(5, 9):
        metric(job, step, attempt=2, loss=10.0 * step)
    points = curves(job).lines["loss"]
    assert [(point.step, point.value) for point in points] == [
        (event["step"], event["loss"]) for event in job.metrics()
    ]
    assert [point.step for point in points] == list(range(1, 9))
    assert points[-1].smoothed == pytest.approx(EventReader(job.events_path).read().lines["loss"][-1].smoothed)


def test_a_loss_that_is_not_a_number_leaves_a_gap(job: JobDirectory) -> None:
    for step, value in enumerate([1.0, float("nan"), 0.5], start=1):
        metric(job, step, loss=value)
    assert [point.step for point in curves(job).lines["loss"]] == [1, 3]


def test_samples_come_in_order_and_other_metrics_do_not_mind_them(job: JobDirectory) -> None:
    metric(job, 1, loss=1.0)
    for step in (1, 2):
        job.append_event(
            {"type": "sample", "attempt": 1, "step": step, "time": 0.0, "prompt": "Hi", "answer": f"at {step}"}
        )
    assert [(sample.step, sample.answer) for sample in curves(job).samples] == [(1, "at 1"), (2, "at 2")]


def test_a_hundred_thousand_steps_stay_few_points_and_a_poll_reads_only_what_is_new(job: JobDirectory) -> None:
    lines = (f'{{"type": "metric", "attempt": 1, "step": {step}, "loss": {1 / step}}}\n' for step in range(1, 100_001))
    job.events_path.write_text("".join(lines), encoding="utf-8")
    points = curves(job).lines["loss"]
    assert len(points) <= 2 * KEPT_POINTS + 1
    assert points[0].step == 1 and points[-1].step == 100_000
    gaps = {after.step - before.step for before, after in pairwise(points[:-1])}
    assert len(gaps) == 1, "evenly"
    metric(job, 100_001, loss=0.0)
    started = time.perf_counter()
    assert curves(job).lines["loss"][-1].step == 100_001
    assert time.perf_counter() - started < 0.05


def test_many_threads_read_every_event_once(job: JobDirectory) -> None:
    reader = EventReader(job.events_path)

    def write() -> None:
        for step in range(1, 301):
            metric(job, step, loss=1.0)

    threads = [Thread(target=write), *(Thread(target=lambda: [reader.read() for _ in range(100)]) for _ in range(4))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [point.step for point in reader.read().lines["loss"]] == list(range(1, 301))


def test_a_file_that_was_replaced_is_read_anew(job: JobDirectory) -> None:
    for step in (1, 2, 3):
        metric(job, step, loss=1.0)
    curves(job)
    other = job.events_path.with_name("other")
    other.write_text(json.dumps({"type": "metric", "attempt": 1, "step": 9, "loss": 2.0}) + "\n", encoding="utf-8")
    other.replace(job.events_path)
    assert [point.step for point in curves(job).lines["loss"]] == [9]
