"""The Start tab in headless Chromium: the first look, the guided path through the real tabs, and a narrow screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ui.browser import Served, field_of, leave, open_page, open_tab, watched_page

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CHECK_MILLISECONDS = 240_000


@pytest.fixture
def start(chromium: Any, served: Served) -> Iterator[Any]:
    """The page as it opens in a fresh workspace; nothing may be fetched from elsewhere."""
    with watched_page(chromium, served) as page:
        open_page(page, served, first="start")
        yield page


def step(page: Any, key: str) -> Any:
    return page.locator(f"#path li[data-step={key}]")


def is_open(page: Any, tab: str) -> None:
    playwright.expect(page.get_by_role("tab", name=re.compile(tab))).to_have_attribute("aria-selected", "true")


def test_a_fresh_workspace_opens_with_the_machine_and_one_next_step(start: Any) -> None:
    is_open(start, "Start")
    playwright.expect(start.locator("#path h2")).to_have_text("Next: choose what it should learn")
    playwright.expect(start.locator("#path li[aria-current=step]")).to_have_count(1)
    machine = start.locator("#this-machine")
    for words in ("Graphics card", "System memory", "Disk", "Ollama", "trains models up to"):
        playwright.expect(machine).to_contain_text(words)
    playwright.expect(start.locator("#doctor")).to_contain_text(re.compile(r"\d+ checks"))
    playwright.expect(start.locator("#recent")).to_contain_text("Nothing has run yet")


def test_a_goal_opens_the_part_where_it_begins_and_a_refresh_opens_it_again(start: Any, served: Served) -> None:
    step(start, "goal").get_by_role("button", name=re.compile("Know my documents")).click()
    step(start, "rows").get_by_role("button", name="Open Datasets").click()
    made = start.locator("#tab-datasets").get_by_role("tab", name="Make rows", exact=True)
    playwright.expect(made).to_have_attribute("aria-selected", "true")
    open_page(start, served)
    playwright.expect(made).to_have_attribute("aria-selected", "true")


@pytest.mark.heavy
def test_the_path_leads_through_the_real_tabs_and_outlives_a_refresh_and_a_killed_server(
    start: Any, served: Served
) -> None:
    step(start, "goal").get_by_role("button", name=re.compile("Answer like my examples")).click()
    playwright.expect(start.locator("#path h2")).to_have_text("Next: bring rows")
    step(start, "rows").get_by_role("button", name="Open Datasets").click()
    is_open(start, "Datasets")
    playwright.expect(start.get_by_label("My own rows")).to_be_checked()
    leave(start)
    served.kill()
    served.start()
    open_page(start, served)
    is_open(start, "Datasets")
    open_tab(start, "Start")
    playwright.expect(step(start, "goal")).to_contain_text("Answer like my examples")
    open_page(start, served)
    playwright.expect(start.locator("#path h2")).to_have_text("Next: bring rows")
    step(start, "goal").get_by_text("Choose another").click()
    step(start, "goal").get_by_role("button", name=re.compile("Play Snake")).click()
    playwright.expect(step(start, "goal").locator("p").first).to_have_text("Play Snake")
    step(start, "rows").get_by_role("button", name="Open Datasets").click()
    playwright.expect(start.get_by_label("Snake example")).to_be_checked()
    open_tab(start, "Start")
    step(start, "goal").get_by_text("Choose another").click()
    step(start, "goal").get_by_role("button", name=re.compile("Know my documents")).click()
    step(start, "rows").get_by_role("button", name="Open Datasets").click()
    is_open(start, "Make rows")


@pytest.mark.heavy
def test_a_built_dataset_moves_the_path_on_and_a_model_is_taken_with_one_click(start: Any) -> None:
    step(start, "goal").get_by_role("button", name=re.compile("Answer like my examples")).click()
    step(start, "rows").get_by_role("button", name="Open Datasets").click()
    start.get_by_text("Other ways to add rows").click()
    lines = [f'{{"prompt": "What is {number} + 1?", "completion": "{number + 1}"}}' for number in range(40)]
    start.locator("#datasets-pasted textarea").fill("\n".join(lines))
    start.get_by_role("button", name="Use these rows").click()
    playwright.expect(start.locator(".hearth-look")).to_contain_text("Every row can be used", timeout=20_000)
    start.locator("#build").click()
    playwright.expect(start.locator("#dataset")).to_contain_text("rows to train on", timeout=30_000)
    open_tab(start, "Start")
    playwright.expect(start.locator("#path h2")).to_have_text("Next: pick a model")
    playwright.expect(start.locator("#recent")).to_contain_text("Build dataset")
    step(start, "model").get_by_role("button", name="Take SmolLM2-135M").click()
    playwright.expect(start.locator("#path h2")).to_have_text("Next: train")
    step(start, "train").get_by_role("button", name="Open Training").click()
    is_open(start, "Training")
    playwright.expect(field_of(start, "training-model")).to_have_value(re.compile("embedded"))
    open_tab(start, "Start")
    start.locator("#recent").get_by_role("button").first.click()
    is_open(start, "Datasets")


def test_nothing_scrolls_sideways_on_a_narrow_screen(start: Any) -> None:
    start.set_viewport_size({"width": 390, "height": 844})
    playwright.expect(start.locator("#doctor")).to_contain_text(re.compile(r"\d+ checks"))
    start.locator("#doctor summary").click()
    assert start.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.heavy
def test_checking_everything_shows_how_far_it_is_and_is_kept(start: Any, served: Served) -> None:
    start.locator("#check-everything").click()
    playwright.expect(start.locator("#doctor-progress")).to_contain_text("…")
    playwright.expect(start.locator("#doctor")).to_contain_text("Everything was checked at", timeout=CHECK_MILLISECONDS)
    playwright.expect(start.locator("#doctor-progress")).not_to_contain_text("…")
    open_page(start, served)
    playwright.expect(start.locator("#doctor")).to_contain_text("Everything was checked at")
