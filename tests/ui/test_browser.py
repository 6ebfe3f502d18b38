"""The page in headless Chromium: the tabs up to Export on a tiny model, and what must outlive refreshes and kills."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from jobs.directory import State
from tests.toys import write_rows
from tests.ui.browser import Served, field_of, leave, open_page, open_tab
from ui.head import progress_part

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")

pytestmark = [pytest.mark.browser, pytest.mark.slow]
JOB_MILLISECONDS = 120_000
STEPS = 8
LONGER = 150
# Sets down, at each sign of progress that Gradio's page gets, how many components it keeps one for.
COUNT_WHAT_IS_KEPT = """async (part) => {
  for (const { prototype } of Object.values(await import(`/${part}`))) {
    if (!prototype?.resolve_args) continue;
    const update = prototype.update;
    window.kept = [];
    prototype.update = function (sign) {
      update.call(this, sign);
      window.kept.push(Object.keys(this.current).length);
    };
  }
}"""


def rows(path: Path) -> Path:
    lines = [{"prompt": f"What is {number} + 1?", "completion": str(number + 1)} for number in range(80)]
    return write_rows(path, [dict(line) for line in lines])


def build_dataset(page: Any, path: Path) -> None:
    page.get_by_label("My own rows").check()
    playwright.expect(field_of(page, "datasets-name")).to_have_value("my-data")
    page.locator("#datasets-uploads input[type=file]").set_input_files(path)
    playwright.expect(page.locator(".hearth-look")).to_contain_text("Every row can be used", timeout=20_000)
    field_of(page, "datasets-name").fill("sums")
    page.locator("#build").click()
    playwright.expect(page.locator("#dataset")).to_contain_text("rows to train on", timeout=30_000)


def start_training(page: Any, model: Path, steps: int = STEPS) -> None:
    open_tab(page, "Training")
    field = field_of(page, "training-model")
    field.fill(str(model))
    field.press("Enter")
    field_of(page, "training-optimisation-max_steps").fill(str(steps))
    page.locator("#train").click()


def freeze_in_mid_training(served: Served) -> int:
    """Stop the worker's clock as soon as it has done a step, so that it surely is in mid-training while we look."""
    deadline = time.monotonic() + JOB_MILLISECONDS / 1000
    while time.monotonic() < deadline:
        jobs = served.workspace.list_jobs("train")
        if jobs and jobs[0].metrics():
            worker = jobs[0].status().pid
            assert worker is not None
            os.killpg(worker, signal.SIGSTOP)
            assert jobs[0].status().state is State.RUNNING
            return worker
        time.sleep(0.02)
    raise AssertionError("no step was trained in time")


def job_in(page: Any, tab: str, state: str) -> Any:
    """The job's box, once it is in that state."""
    box = page.locator(f"#{tab}-job .hearth-job[data-state={state}]")
    playwright.expect(box).to_be_visible(timeout=JOB_MILLISECONDS)
    return box


def points_of_chart(page: Any) -> int:
    """Points of the longest line of the loss chart."""
    playwright.expect(page.locator(".hearth-chart .mark-line path").first).to_be_visible(timeout=30_000)
    drawn = (
        page.locator(".hearth-chart")
        .first.locator(".mark-line path")
        .evaluate_all("all => all.map(e => e.getAttribute('d'))")
    )
    return max(len(re.findall("[ML]", path)) for path in drawn)


@pytest.mark.heavy
def test_clicking_through_the_tabs_leads_from_rows_to_a_gguf(page: Any, tiny_model: Path, tmp_path: Path) -> None:
    build_dataset(page, rows(tmp_path / "sums.jsonl"))
    start_training(page, tiny_model)
    job_in(page, "training", "succeeded")
    assert points_of_chart(page) > 1
    # All lines, without opening the page again: the held-out loss comes steps after the chart was first drawn.
    playwright.expect(page.locator(".hearth-chart").first).to_contain_text("held-out rows")
    drawn = page.locator(".hearth-chart").first.locator(".mark-line path")
    playwright.expect(drawn).to_have_count(3)  # each step, smoothed, held-out
    page.get_by_role("button", name="Next: see whether it got better").click()
    field_of(page, "evaluation-max_items").fill("8")
    page.locator("#evaluate").click()
    job_in(page, "evaluation", "succeeded")
    playwright.expect(page.locator("#verdict .verdict").first).to_contain_text(re.compile("better|worse|difference"))
    page.get_by_role("button", name="Next: make files of it").click()
    for kind in ("f16", "q4_k_m"):
        page.locator("#export-quantisations").locator(f"input[name={kind}]").uncheck()
    page.locator("#export").click()
    job_in(page, "export", "succeeded")
    with page.expect_download() as download:
        page.locator("#exported").get_by_role("link", name=re.compile("Q8_0.gguf")).click()
    saved = tmp_path / "model.gguf"
    download.value.save_as(saved)
    from gguf import GGUFReader

    assert saved.read_bytes()[:4] == b"GGUF"
    assert len(GGUFReader(saved).tensors) > 0


def test_training_outlives_a_refresh_and_a_killed_server(
    page: Any, served: Served, tiny_model: Path, tmp_path: Path
) -> None:
    build_dataset(page, rows(tmp_path / "sums.jsonl"))
    open_tab(page, "Training")
    field_of(page, "training-optimisation-epochs").fill("100")
    start_training(page, tiny_model, LONGER)
    worker = freeze_in_mid_training(served)
    try:
        page.reload()
        job_in(page, "training", "running")
        playwright.expect(field_of(page, "training-optimisation-max_steps")).to_have_value(str(LONGER))
        playwright.expect(field_of(page, "training-model")).to_have_value(str(tiny_model))
        leave(page)
        served.kill()
        served.start()
        open_page(page, served)
        job_in(page, "training", "running")
    finally:
        os.killpg(worker, signal.SIGCONT)
    job_in(page, "training", "succeeded")
    assert points_of_chart(page) == LONGER


def test_an_error_stays_on_the_page_and_nothing_entered_is_lost(page: Any, served: Served) -> None:
    open_tab(page, "Training")
    field_of(page, "training-optimisation-max_steps").fill("7")
    page.locator("#train").click()
    box = page.locator(".hearth-error:visible")
    playwright.expect(box).to_contain_text("There is no dataset yet.")
    playwright.expect(box).to_contain_text("What to do")
    playwright.expect(field_of(page, "training-optimisation-max_steps")).to_have_value("7")
    assert not served.workspace.list_jobs()


def test_what_somebody_does_makes_the_next_thing_no_slower(page: Any, tmp_path: Path) -> None:
    """Left alone, Gradio's page would look up some hundred components, each by a walk over all, at every click."""
    page.evaluate(COUNT_WHAT_IS_KEPT, progress_part())
    build_dataset(page, rows(tmp_path / "sums.jsonl"))
    open_tab(page, "Training")
    playwright.expect(field_of(page, "training-data")).to_have_value(re.compile("sums"))
    field_of(page, "training-optimisation-max_steps").fill("7")
    own = page.locator("#tab-training")
    own.get_by_text("YAML and command").first.click()
    playwright.expect(own.locator(".hearth-code textarea").first).to_have_value(re.compile("max_steps: 7"))
    kept = page.evaluate("window.kept")
    assert len(kept) > 10
    assert max(kept) < 10
