"""The Training tab in headless Chromium: preset, make it fit, start, stop, resume, done, and over another run."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace
from tests.toys import write_rows
from tests.ui.browser import Served, field_of, open_page, open_tab

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")

pytestmark = [pytest.mark.browser, pytest.mark.heavy]
JOB_MILLISECONDS = 240_000
STEPS = 40
# A card for which the preset's eight rows at once are too many, short as they are.
CARD_GB = 0.85


def build_sums(workspace: Workspace) -> None:
    rows: list[dict[str, object]] = [
        {"prompt": f"{number} + 1?", "completion": str(number + 1)} for number in range(80)
    ]
    write_rows(workspace.uploads / "sums.jsonl", rows)
    build(DatasetSpec.parse({"name": "sums", "sources": [{"path": "uploads/sums.jsonl"}]}), workspace)


def said_beside(page: Any, name: str) -> str:
    """What stands beside a field about where its value comes from."""
    script = "field => getComputedStyle(field, '::after').content"
    return str(page.locator(f"#training-{name}").evaluate(script)).strip('"')


def expect_beside(page: Any, name: str, words: str) -> None:
    for _ in range(100):
        if said_beside(page, name) == words:
            return
        page.wait_for_timeout(100)
    assert said_beside(page, name) == words


def points(page: Any) -> int:
    """Points of the longest line of the loss chart; 0 while it isn't drawn."""
    lines = page.locator(".hearth-chart:visible").first.locator(".mark-line path")
    drawn = lines.evaluate_all("all => all.map(e => e.getAttribute('d') || '')")
    return max((len(re.findall("[ML]", path)) for path in drawn), default=0)


def expect_points(page: Any, least: int) -> int:
    deadline = time.monotonic() + 30
    while points(page) < least and time.monotonic() < deadline:
        page.wait_for_timeout(200)
    assert points(page) >= least
    return points(page)


def job_in(page: Any, state: str) -> None:
    box = page.locator(f"#training-job .hearth-job[data-state={state}]")
    playwright.expect(box).to_be_visible(timeout=JOB_MILLISECONDS)


def steps_of(job: JobDirectory) -> list[int]:
    return [event["step"] for event in job.metrics() if "loss" in event]


def halt_after(job: JobDirectory, steps: int) -> int:
    """Stop the worker's clock once it has done so many steps, so that it surely is in mid-training while we look."""
    deadline = time.monotonic() + JOB_MILLISECONDS / 1000
    while time.monotonic() < deadline:
        if len(steps_of(job)) >= steps:
            worker = job.status().pid
            assert worker is not None and job.status().state is State.RUNNING
            os.killpg(worker, signal.SIGSTOP)
            return worker
        time.sleep(0.02)
    raise AssertionError(f"{steps} steps weren't trained in time")


def test_from_a_preset_that_is_made_to_fit_to_two_runs_over_one_another(
    page: Any, served: Served, tiny_model: Path
) -> None:
    build_sums(served.workspace)
    open_tab(page, "Training")
    choose_preset_and_model(page, tiny_model)
    make_it_fit(page)
    open_page(page, served)
    expect_beside(page, "optimisation-max_steps", "yours")
    playwright.expect(page.locator("#memory")).to_contain_text("Changed to make it fit")

    page.locator("#train").click()
    job_in(page, "running")
    (job,) = served.workspace.list_jobs("train")
    watch_it_grow_and_stop_it(page, job)
    page.get_by_role("button", name="Resume").click()
    job_in(page, "succeeded")
    expect_points(page, STEPS)
    assert steps_of(job) == list(range(1, STEPS + 1))

    take_the_run_again(page, job)
    job_in(page, "running")
    job_in(page, "succeeded")
    page.get_by_role("tab", name="Runs").click()
    (other,) = [run for run in served.workspace.list_jobs("train") if run.id != job.id]  # the first is picked still
    page.locator(f"#runs-table [data-about='{other.id}']").click()
    playwright.expect(page.locator("#runs .hearth-chart:visible .mark-line path")).to_have_count(2, timeout=20_000)
    playwright.expect(page.locator("#runs-difference")).to_contain_text("optimisation.max_steps")


def choose_preset_and_model(page: Any, model: Path) -> None:
    field = field_of(page, "training-model")
    field.fill(str(model))
    field.press("Enter")
    field_of(page, "training-preset").click()
    page.get_by_role("option", name="quick_lora").click()
    steps = field_of(page, "training-optimisation-max_steps")
    playwright.expect(steps).to_have_value("100")
    expect_beside(page, "optimisation-max_steps", "preset quick_lora")
    steps.fill(str(STEPS))
    expect_beside(page, "optimisation-max_steps", "yours")
    field_of(page, "training-optimisation-epochs").fill("100")
    playwright.expect(page.locator("#memory")).to_contain_text("Memory: fits.")


def make_it_fit(page: Any) -> None:
    """On a card that is too small for so many rows at once."""
    page.get_by_role("button", name="Common settings").click()
    field_of(page, "memory-plan").fill(str(CARD_GB))
    playwright.expect(page.locator("#memory")).to_contain_text("does not fit")
    page.locator("#make-it-fit").click()
    playwright.expect(page.locator("#memory")).to_contain_text("Memory: fits.")
    assert int(field_of(page, "training-optimisation-batch_size").input_value()) < 8
    expect_beside(page, "optimisation-batch_size", "made to fit")
    playwright.expect(field_of(page, "training-optimisation-max_steps")).to_have_value(str(STEPS))


def watch_it_grow_and_stop_it(page: Any, job: JobDirectory) -> None:
    worker = halt_after(job, 5)
    try:
        seen = expect_points(page, 2)
        os.killpg(worker, signal.SIGCONT)
        halt_after(job, seen + 5)
        expect_points(page, seen + 5)
        page.get_by_role("button", name="Stop", exact=True).click()
    finally:
        os.killpg(worker, signal.SIGCONT)
    job_in(page, "stopped")


def take_the_run_again(page: Any, job: JobDirectory) -> None:
    """Load an earlier run's options into the form, change one, and start it."""
    page.get_by_role("tab", name="Runs").click()
    page.locator(f"#runs-table [data-about='{job.id}']").click()
    page.locator("#runs-clone").click()
    expect_beside(page, "optimisation-epochs", "from an earlier run")
    field_of(page, "training-optimisation-max_steps").fill("8")
    expect_beside(page, "optimisation-max_steps", "yours")
    page.locator("#train").click()
