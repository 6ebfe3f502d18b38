"""The Models tab in headless Chromium: searching, a download that is stopped and resumed, deleting, a narrow screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.workspace import Workspace
from tests.models.downloads import conftest
from tests.models.downloads.conftest import MODEL
from tests.models.downloads.fake_hub import FakeHub
from tests.ui.browser import Served, field_of, open_tab
from tests.ui.page_process import free_port

pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")

pytestmark = pytest.mark.browser
JOB_MILLISECONDS = 60_000

hub = conftest.hub


@pytest.fixture
def served(tmp_path: Path, hub: FakeHub) -> Iterator[Served]:
    """The page, whose Hub is the fake one; slow enough for a download to be stopped."""
    hub.slow = 0.6
    server = Served(Workspace(tmp_path / "workspace"), free_port())
    server.start()
    yield server
    server.kill()


def state(page: Any, name: str) -> Any:
    return page.locator(f"#models-job [data-state={name}]")


def test_a_model_is_searched_for_and_carried_over_to_training(page: Any) -> None:
    open_tab(page, "Models")
    page.locator("#model-search input, #model-search textarea").first.press_sequentially("qwen3 4b instruct")
    card = page.locator('[data-model="Qwen/Qwen3-4B-Instruct-2507"]')
    card.wait_for()
    page.locator(".hearth-model").nth(1).wait_for(state="detached")
    card.get_by_role("button", name="Train this model").click()
    page.get_by_role("tab", name="Training", selected=True).wait_for()
    model = field_of(page, "training-model")
    page.wait_for_function("(field) => field.value === 'Qwen/Qwen3-4B-Instruct-2507'", arg=model.element_handle())


def test_a_download_is_stopped_resumed_and_deleted(page: Any, hub: FakeHub) -> None:
    open_tab(page, "Models")
    page.locator("#other-model input, #other-model textarea").first.fill(MODEL)
    page.locator("#download-other").click()
    state(page, "running").get_by_text("a second").wait_for(timeout=JOB_MILLISECONDS)
    page.get_by_role("button", name="Stop").click()
    state(page, "stopped").wait_for(timeout=JOB_MILLISECONDS)
    hub.slow = 0.0
    page.get_by_role("button", name="Resume").click()
    state(page, "succeeded").get_by_text("every checksum right").wait_for(timeout=JOB_MILLISECONDS)
    page.get_by_role("tab", name="On this machine").click()
    row = page.locator(f'#cached-models [data-model="{MODEL}"]')
    row.get_by_role("button", name=f"Delete {MODEL}").click()
    row.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text("are free again").wait_for()
    page.get_by_text("Nothing downloaded yet").wait_for()


def test_a_narrow_screen_needs_no_scrolling_sideways(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_tab(page, "Models")
    page.locator(".hearth-model").first.wait_for()
    page.get_by_role("button", name="Show").click()
    page.locator(".hearth-model").nth(40).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("tab", name="On this machine").click()
    page.locator("#place-folder").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
