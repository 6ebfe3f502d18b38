"""What the charts of a run draw, how often they are drawn, and the sample answers below them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from filelock import FileLock

from jobs.curves import Sample, curves
from jobs.directory import JobDirectory, State, Status
from ui import charts
from ui.charts import CHARTS, SMALL_POINTS, WIDE_POINTS, Chart, drawing, table, updates
from ui.samples_view import samples_html


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    job = JobDirectory.create(tmp_path / "jobs" / "j", kind="train", title="t", spec={}, resource=None)
    job.write_status(Status(State.SUCCEEDED))
    return job


def metric(job: JobDirectory, step: int, **values: float) -> None:
    job.append_event({"type": "metric", "attempt": 1, "step": step, "time": 0.0, **values})


def chart(title: str) -> Chart:
    return next(each for each in CHARTS if each.title == title)


def lines(job: JobDirectory, title: str) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for step, value, name in table(chart(title), curves(job))["data"]:
        found.setdefault(name, []).append((step, value))
    return found


def shown(job: JobDirectory) -> set[str]:
    values = updates(job)[: len(CHARTS)]
    return {each.title for each, value in zip(CHARTS, values, strict=True) if value.get("visible")}


def test_loss_is_drawn_raw_and_smoothed_and_held_out_loss_beside_them(job: JobDirectory) -> None:
    for step, loss in enumerate([3.0, 1.0, 2.0], start=1):
        metric(job, step, loss=loss)
    metric(job, 3, eval_loss=1.5)
    drawn = lines(job, "Loss")
    assert drawn["each step"] == [(1, 3.0), (2, 1.0), (3, 2.0)]
    assert drawn["smoothed"][0] == (1, pytest.approx(3.0))
    assert 1.0 < drawn["smoothed"][1][1] < 3.0
    assert drawn["held-out rows"] == [(3, 1.5)]


def test_a_line_without_a_point_yet_is_known_to_the_plot(job: JobDirectory) -> None:
    metric(job, 1, loss=3.0)
    assert lines(job, "Loss")["held-out rows"] == [(1, None)]


def test_only_charts_with_data_are_shown(job: JobDirectory) -> None:
    assert shown(job) == set()
    for step in (1, 2, 3):
        metric(job, step, loss=1.0, learning_rate=1e-4)
    assert shown(job) == {"Loss", "Learning rate"}
    metric(job, 4, rewards_margin=0.1, gpu_power_w=100.0)
    metric(job, 5, rewards_margin=0.2, gpu_power_w=110.0)
    assert shown(job) == {"Loss", "Learning rate", "Reward margin", "GPU power"}


def test_further_held_out_sets_are_drawn_apart_by_name(job: JobDirectory) -> None:
    for step in (1, 2):
        metric(job, step, **{"eval_loss/poems": 2.0, "eval_loss/sums": 1.0, "eval_loss": 1.5})
    assert set(lines(job, "Loss on further held-out sets")) == {"poems", "sums"}
    assert set(lines(job, "Loss")) == {"each step", "smoothed", "held-out rows"}


def test_memory_of_card_or_process_is_one_line(job: JobDirectory) -> None:
    for step in (1, 2):
        metric(job, step, gpu_memory_gb=7.0)
    assert lines(job, "Memory held") == {"memory": [(1, 7.0), (2, 7.0)]}


def test_a_long_run_is_thinned_with_both_ends_kept(job: JobDirectory) -> None:
    for step in range(1, 2001):
        metric(job, step, loss=1.0, grad_norm=1.0)
    for title, most in (("Loss", WIDE_POINTS), ("Gradient", SMALL_POINTS)):
        for points in lines(job, title).values():
            steps = [step for step, value in points if value is not None]
            if steps:
                assert most / 2 <= len(steps) <= most + 1
                assert (steps[0], steps[-1]) == (1, 2000)


def test_a_running_job_is_drawn_once_for_all_pages_until_some_seconds_passed(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.write_status(Status(State.RUNNING))
    with FileLock(job.lock_path):
        metric(job, 1, loss=1.0)
        first = drawing(job)
        metric(job, 2, loss=1.0)
        assert drawing(job) is first
        monkeypatch.setattr(charts, "REDRAW_SECONDS", 0.05)
        time.sleep(0.06)
        assert drawing(job).stamp != first.stamp


def test_what_gradio_does_to_one_pages_update_does_not_reach_the_next_page(job: JobDirectory) -> None:
    for step in (1, 2):
        metric(job, step, loss=1.0)
    updates(job)[0].clear()
    assert updates(job)[0]["value"]["data"]


def test_a_job_that_is_over_is_drawn_with_its_last_step_at_once(job: JobDirectory) -> None:
    metric(job, 1, loss=1.0)
    drawing(job)
    metric(job, 2, loss=1.0)
    assert len(drawing(job).values[0]["value"]["data"]) > 3


def test_sample_answers_stand_below_their_prompt_the_newest_first_and_harmless() -> None:
    samples = [Sample(step, prompt, f"{prompt} at {step}") for step in (1, 2, 3, 4) for prompt in ("A", "B")]
    html = samples_html([*samples, Sample(5, "A", "<script>")])
    assert (
        html.index("<h4 translate='no'>A</h4>")
        < html.index("&lt;script&gt;")
        < html.index("A at 4")
        < html.index("A at 1")
    )
    assert html.index("A at 1") < html.index("<h4 translate='no'>B</h4>") < html.index("B at 4")
    assert "2 earlier" in html
    assert samples_html([]) == ""
