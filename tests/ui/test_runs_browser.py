"""The list of runs in headless Chromium: overlay, difference, tags, bin; and what a refresh must not lose."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.directory import JobDirectory, State, Status
from tests.ui.browser import Served, field_of, open_page, open_tab
from ui.drafts import read_draft

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")

pytestmark = [pytest.mark.browser, pytest.mark.heavy]


def run(served: Served, title: str, rank: int, first: float) -> JobDirectory:
    spec = {"model": "embedded", "data": "sums", "method": {"rank": rank}}
    place = served.workspace.new_job_path("train")
    job = JobDirectory.create(place, kind="train", title=title, spec=spec, resource="cpu")
    for step in range(1, 30):
        job.append_event({"type": "metric", "attempt": 1, "step": step, "time": 0.0, "loss": first / step})
    job.write_status(Status(State.SUCCEEDED))
    return job


def pick(page: Any, title: str) -> None:
    page.locator("#runs-table").get_by_role("button", name=f"Pick {title}").click()


def overlaid(page: Any) -> Any:
    return page.locator("#runs .hearth-chart:visible .mark-line path")


def test_runs_are_laid_over_one_another_tagged_deleted_and_brought_back(page: Any, served: Served) -> None:
    run(served, "small", 8, 2.0)
    run(served, "large", 32, 3.0)
    open_tab(page, "Training")
    open_tab(page, "^Runs$")
    pick(page, "small")
    playwright.expect(overlaid(page)).to_have_count(1)
    pick(page, "large")
    playwright.expect(overlaid(page)).to_have_count(2)
    playwright.expect(page.locator("#runs-difference")).to_contain_text("method.rank")
    page.reload()
    playwright.expect(overlaid(page)).to_have_count(2, timeout=30_000)
    pick(page, "large")
    field_of(page, "runs-tags").fill("keeper")
    page.locator("#runs-save").click()
    playwright.expect(page.locator("#runs-table")).to_contain_text("keeper")
    page.locator("#runs-clone").click()
    playwright.expect(page.get_by_role("tab", name="Train", exact=True)).to_have_attribute("aria-selected", "true")
    assert read_draft(served.workspace, "training")["form"]["method.rank"] == 8
    # The run's own chart, drawn only now: since the page was opened anew, the list of runs was shown.
    own = page.locator(".hearth-chart").first.locator(".mark-line path")
    playwright.expect(own.first).to_be_visible(timeout=30_000)
    open_tab(page, "^Runs$")
    page.locator("#runs-delete").click()
    page.locator("#runs-confirm").click()
    playwright.expect(page.locator("#runs-table")).not_to_contain_text("small")
    assert [job.header["title"] for job in served.workspace.list_jobs()] == ["large"]
    page.get_by_role("button", name="Bin").click()
    page.locator("#runs-bin").get_by_role("button", name="Restore").click()
    playwright.expect(page.locator("#runs-table")).to_contain_text("keeper")
    open_page(page, served)
    playwright.expect(page.locator("#runs-table")).to_contain_text("small")
