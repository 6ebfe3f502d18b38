"""The Serving tab in headless Chromium: a server on a toy, a chat with a thumb, both among the figures, a version put
into production, which model would answer a question, and a plan for the next version."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datasets_src.interactions.store import Interactions
from jobs import launcher
from jobs.workspace import Workspace
from serving.registry.store import Registry
from tests.ui.browser import Served, field_of, leave, open_tab
from tests.ui.page_process import free_port
from ui.drafts import save_draft
from ui.serving_running import curl_line, python_lines, shown_server

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")

pytestmark = [pytest.mark.browser, pytest.mark.heavy]
JOB_MILLISECONDS = 120_000


@pytest.fixture
def served(tmp_path: Path, tiny_model: Path) -> Iterator[Served]:
    """The page, with the toy chosen as the model to serve at a free port."""
    workspace = Workspace(tmp_path / "workspace")
    form = {"port": 0, "limits.answer_tokens": 24, "precision": "fp32"}
    save_draft(workspace, "serving", models=[f"toy={tiny_model}"], form=form)
    server = Served(workspace, free_port())
    server.start()
    yield server
    for job in workspace.list_jobs("serve"):
        if job.status().state.active:
            launcher.stop(job, wait_seconds=30)
    server.kill()


def open_part(page: Any, name: str) -> None:
    page.locator("#serving-parts").get_by_role("tab", name=name, exact=True).click()


def start_server(page: Any) -> None:
    page.locator("#serving-logging-chats input").check()
    page.wait_for_timeout(500)  # what is entered is kept by a call of its own
    page.locator("#start-server").click()
    playwright.expect(page.locator("#server-url textarea, #server-url input")).to_have_value(
        re.compile(r"http://127\.0\.0\.1:\d+/v1"), timeout=JOB_MILLISECONDS
    )


def chat(page: Any, question: str) -> Any:
    page.locator("#serving-message textarea").fill(question)
    page.locator("#serving-send").click()
    answer = page.locator("#serving-talk .answer.done").last
    playwright.expect(answer.locator(".who")).to_contain_text("toy", timeout=60_000)
    return answer


def test_serve_chat_rate_register_promote_and_ask_who_would_answer(page: Any, served: Served, tiny_model: Path) -> None:
    open_tab(page, "Serving")
    start_server(page)
    answer = chat(page, "Who are you?")
    playwright.expect(answer.locator(".who")).to_contain_text("default")
    answer.get_by_role("button", name="A good answer").click()
    playwright.expect(page.get_by_role("button", name="A good answer")).to_have_attribute("aria-pressed", "true")
    assert [each.rating for each in Interactions(served.workspace).find()] == [5]
    see_it_in_monitoring(page)
    run_the_lines_to_copy(served.workspace)
    register_and_promote(page, served, tiny_model)
    ask_who_would_answer(page)
    plan_the_next_version(page)
    leave(page)


def see_it_in_monitoring(page: Any) -> None:
    open_part(page, "Monitoring")
    figures = page.locator("#monitored")
    playwright.expect(figures).to_contain_text("Together 1 request", timeout=30_000)
    playwright.expect(figures).to_contain_text("5.00")
    playwright.expect(page.locator("#servers-now")).to_contain_text("0 requests being answered, 0 waiting")


def run_the_lines_to_copy(workspace: Workspace) -> None:
    """What the page offers to copy works as it stands."""
    running = shown_server(workspace, None)
    answer = subprocess.run(["bash", "-c", curl_line(running)], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(answer.stdout)["choices"][0]["message"]["role"] == "assistant"
    command = [sys.executable, "-c", python_lines(running)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 0, said.stderr


def register_and_promote(page: Any, served: Served, tiny_model: Path) -> None:
    open_part(page, "Models")
    model = page.locator("#register-model input").first
    model.fill(str(tiny_model))
    model.press("Enter")
    field_of(page, "register-name").fill("helper")
    page.locator("#register").click()
    playwright.expect(page.locator("#registry")).to_contain_text("helper@1", timeout=20_000)
    page.locator("#promote").click()
    playwright.expect(page.get_by_text("No reason is given.")).to_be_visible()
    field_of(page, "registry-reason").fill("the first one")
    page.locator("#promote").click()
    playwright.expect(page.locator("#registry .chip.succeeded")).to_have_text("production", timeout=20_000)
    assert Registry(served.workspace).resolve("helper").number == 1


def ask_who_would_answer(page: Any) -> None:
    open_part(page, "Routing")
    rules = "default: toy\nrules:\n  - {name: code, when: {any_words: [python]}, to: toy}\n"
    page.locator("#routing-rules textarea").fill(rules)
    page.locator("#routing-rules textarea").blur()
    playwright.expect(page.locator("#routing-shown")).to_contain_text("1 rule, 0 ensembles; they send to toy")
    page.locator("#routing-question textarea").fill("How do I sort a list in Python?")
    page.locator("#which-model").click()
    answer = page.locator("#routing-answer")
    playwright.expect(answer).to_contain_text("toy would answer")
    playwright.expect(answer).to_contain_text("the word 'python' is there")


def plan_the_next_version(page: Any) -> None:
    """The form begins with the model in production, tells what its plan does, and is the plan that a click follows."""
    open_part(page, "Learning loop")
    playwright.expect(field_of(page, "serving_loop-name")).to_have_value("helper-loop", timeout=20_000)
    told = page.locator("#plan-shown")
    playwright.expect(told).to_contain_text("as soon as there are 200 new rated chats")
    field_of(page, "serving_loop-when-every_hours").fill("24")
    playwright.expect(told).to_contain_text("or every 24 hours", timeout=20_000)
    page.locator("#is-due").click()
    playwright.expect(page.locator("#loop-said")).to_contain_text("rated chat", timeout=20_000)
    page.locator("#begin-round").click()
    playwright.expect(page.get_by_text("names no dataset")).to_be_visible(timeout=20_000)
