"""The Export tab in headless Chromium: sizes, stages, the table of checks, a download, Ollama (a fake), the chat."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.workspace import Workspace
from tests.export.conftest import FACTS
from tests.export.conftest import trained_adapter as trained_adapter
from tests.export.conftest import wrong_model as wrong_model
from tests.export.ollama.fake_server import FakeOllama
from tests.export.test_job import make_training
from tests.ui.browser import Served, field_of, open_tab
from tests.ui.page_process import free_port

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")

pytestmark = [pytest.mark.browser, pytest.mark.heavy]
JOB_MILLISECONDS = 180_000


@pytest.fixture
def ollama(tmp_path: Path) -> Iterator[FakeOllama]:
    with FakeOllama(tmp_path / "ollama") as server:
        yield server


@pytest.fixture
def served(
    tmp_path: Path, ollama: FakeOllama, wrong_model: Path, trained_adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    """The page, with a trained toy in its workspace and the fake Ollama as its server."""
    monkeypatch.setenv("OLLAMA_HOST", ollama.address)
    workspace = Workspace(tmp_path / "workspace")
    make_training(workspace, wrong_model, trained_adapter)
    server = Served(workspace, free_port())
    server.start()
    yield server
    server.kill()


def choose_sizes(page: Any, wanted: set[str]) -> None:
    for label in page.locator("#export-quantisations label").all():
        name = label.inner_text().split(":")[0].strip()
        label.locator("input").set_checked(name in wanted)


def test_from_sizes_to_a_chat_in_ollama(page: Any, ollama: FakeOllama, tmp_path: Path) -> None:
    open_tab(page, "Export")
    choose_sizes(page, {"Q8_0", "Q4_K_M"})
    playwright.expect(page.locator("#export-plan")).to_contain_text(
        re.compile("About .* on this machine. The disk has .* free, the export takes .* of them")
    )
    playwright.expect(page.locator("#export-plan")).to_contain_text("quantising to Q4_K_M")
    page.locator("#export").click()
    stages = page.locator("#export-stages")
    playwright.expect(stages).to_contain_text("Merging the adapter into the base model", timeout=60_000)
    playwright.expect(page.locator("#skip-check")).to_be_visible(timeout=JOB_MILLISECONDS)
    playwright.expect(page.locator("#export-job .hearth-job[data-state=succeeded]")).to_be_visible(
        timeout=JOB_MILLISECONDS
    )
    table = page.locator("#parity")
    playwright.expect(table).to_contain_text("Same answers")
    playwright.expect(table.locator("tr")).to_have_count(4)  # head, merged, two files
    playwright.expect(page.locator("#exported .verdict").first).to_contain_text("costs")
    with page.expect_download() as download:
        page.locator("#exported").get_by_role("link", name=re.compile("Q8_0.gguf")).click()
    download.value.save_as(tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes()[:4] == b"GGUF"
    create_in_ollama(page, ollama)
    chat_with_it(page)


def create_in_ollama(page: Any, ollama: FakeOllama) -> None:
    page.get_by_role("button", name="Next: put it into Ollama").click()
    playwright.expect(field_of(page, "ollama-gguf")).to_have_value(re.compile("Q[48].*gguf"))
    field_of(page, "ollama-name").fill("toy-facts")
    page.locator("#create-in-ollama").click()
    playwright.expect(page.locator("#created-in-ollama")).to_contain_text(
        "toy-facts is in Ollama", timeout=JOB_MILLISECONDS
    )
    assert any(line.startswith("POST /api/create") for line in ollama.asked)
    page.locator("#ollama-server").get_by_text("The server").click()
    page.locator("#look-at-ollama").click()
    playwright.expect(page.locator("#ollama-server")).to_contain_text("toy-facts:latest", timeout=20_000)


def chat_with_it(page: Any) -> None:
    question, answer = next(iter(FACTS.items()))
    page.locator("#ollama-chat").get_by_text("Chat with it").click()
    page.locator("#ollama-question textarea").fill(question)
    page.locator("#ask-ollama").click()
    playwright.expect(page.locator("#ollama-answer")).to_contain_text(answer, timeout=60_000)


def test_a_running_check_is_skipped_and_said_to_be_unverified(page: Any, served: Served) -> None:
    open_tab(page, "Export")
    choose_sizes(page, {"Q8_0"})
    page.locator("#export").click()
    skip = page.locator("#skip-check")
    playwright.expect(skip).to_be_visible(timeout=JOB_MILLISECONDS)
    deadline = time.monotonic() + JOB_MILLISECONDS / 1000
    while time.monotonic() < deadline and not served.workspace.list_jobs("export")[0].manifest:
        if skip.is_visible():
            skip.click()
        page.wait_for_timeout(300)
    playwright.expect(page.locator("#exported")).to_contain_text(
        re.compile("(answers and stopping|probabilities): skipped")
    )


def test_an_earlier_export_is_listed_with_its_size_and_deleted_after_one_question(page: Any, served: Served) -> None:
    open_tab(page, "Export")
    choose_sizes(page, {"Q8_0"})
    for label in page.locator("#export-checks label").all():
        label.locator("input").set_checked(False)
    page.locator("#export").click()
    playwright.expect(page.locator("#export-job .hearth-job[data-state=succeeded]")).to_be_visible(
        timeout=JOB_MILLISECONDS
    )
    folder = served.workspace.list_jobs("export")[0].path
    page.get_by_role("tab", name="Earlier exports").click()
    playwright.expect(page.locator("#earlier-exports")).to_contain_text("Toy-facts-Q8_0.gguf", timeout=20_000)
    page.locator("#delete-export").click()
    assert folder.exists()
    page.locator("#delete-for-good").click()
    playwright.expect(page.locator("#earlier-exports")).to_contain_text("Nothing exported yet", timeout=20_000)
    assert not folder.exists()
