"""Every tab and part of a tab in headless Chromium, light and dark: axe-core finds no serious fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.workspace import Workspace
from tests.export.conftest import trained_adapter as trained_adapter
from tests.export.conftest import wrong_model as wrong_model
from tests.export.test_job import make_training
from tests.ui.browser import Served
from tests.ui.page_process import free_port

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python isn't installed")

pytestmark = [pytest.mark.browser, pytest.mark.heavy]
GRAVE = ("serious", "critical")


@pytest.fixture
def served(tmp_path: Path, wrong_model: Path, trained_adapter: Path) -> Iterator[Served]:
    """The page, with a trained toy in its workspace."""
    workspace = Workspace(tmp_path / "workspace")
    make_training(workspace, wrong_model, trained_adapter)
    server = Served(workspace, free_port())
    server.start()
    yield server
    server.kill()


def faults(page: Any, where: str) -> list[str]:
    """Each serious fault of what is on screen, in a line."""
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{where}: {fault['id']} at {node['html'][:160]}"
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_fault_on_any_tab(page: Any, served: Served, theme: str) -> None:
    page.goto(f"{served.url}?__theme={theme}")
    page.wait_for_selector("html.hearth-filled", state="attached")
    found, parts = [], 0
    for tab in page.locator("button[role=tab][id^=tab-]").all():
        if not tab.is_visible():  # a copy that measures the width
            continue
        tab.click()
        page.wait_for_timeout(1500)
        found += faults(page, tab.inner_text())
        for part in [each for each in page.locator("[role=tabpanel] button[role=tab]").all() if each.is_visible()]:
            part.click()
            page.wait_for_timeout(700)
            found += faults(page, f"{tab.inner_text()}, {part.inner_text()}")
            parts += 1
    assert parts > 15, "the parts of the tabs are tabs too"
    assert found == []
