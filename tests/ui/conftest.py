"""A served page and an open browser page, for the tests that drive one; a list of sources for those that look at it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from datasets_src.spec import SourceSpec
from jobs.workspace import Workspace
from tests.ui.browser import Served, open_page, watched_page
from tests.ui.page_process import free_port
from ui import spec_list
from ui.dataset_draft import SOURCES, TAB
from ui.sources import card_of, option_applies
from ui.spec_list import SpecList

PATIENCE_MILLISECONDS = 20_000


@pytest.fixture
def listed() -> SpecList:
    """The list of a dataset's sources, as the Datasets tab draws it."""
    with gr.Blocks():
        listed = spec_list.lay_out(SourceSpec, TAB, SOURCES, card_of, applies=option_applies, hide=("path",))
        spec_list.lay_out_options(listed, [each.path for each in listed.fields])
        return listed


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    server = Served(Workspace(tmp_path / "workspace"), free_port())
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed (apt install chromium)")
    # How quick the page is, benchmarks measure: here a machine that does something else meanwhile may take its time.
    playwright.expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, served: Served) -> Iterator[Any]:
    """An open page; what it asked of other machines, and what its scripts complained of, fails the test."""
    with watched_page(chromium, served) as page:
        open_page(page, served)
        yield page
