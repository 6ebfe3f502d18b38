"""The Datasets tab in headless Chromium: from a file that fits no format, over its faults, to a dataset."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from datasets_src.store import list_versions
from tests.ui.browser import Served, field_of, open_page
from ui.page import FILLED

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")

pytestmark = [pytest.mark.browser, pytest.mark.slow]
JOB_MILLISECONDS = 60_000
ROWS = 80
ADDRESS = "anna.schmidt@posteo.de"


def expect(locator: Any) -> Any:
    return playwright.expect(locator)


def open_step(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def odd_table(path: Path) -> Path:
    """Rows whose columns fit no format: two without an answer, one with an e-mail address, a copy of another."""
    rows = [(f"How much is {number} plus {number}?", str(2 * number), "sums") for number in range(ROWS - 4)]
    rows += [("Who wrote this?", "", "people"), ("Who else?", " ", "people")]
    rows += [("Whom do I ask?", f"Write to {ADDRESS}, she knows.", "people"), rows[7]]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["frage", "reaktion", "thema"])
        writer.writerows(rows)
    return path


def say_column(page: Any, name: str, column: str) -> None:
    """Choose the source's column that a known name stands for."""
    chooser = page.locator(f"#datasets-column-{name}")
    chooser.locator("input").click()
    chooser.get_by_role("option", name=column, exact=True).click()


@contextmanager
def answers_held(page: Any, address: str = "**/queue/join*") -> Iterator[None]:
    """What is asked within, by a click unless said otherwise, reaches the server only at the end."""
    held: list[Any] = []
    page.route(address, lambda request: held.append(request))
    yield
    while held:
        held.pop().continue_()
    page.unroute(address)


def test_no_tab_can_be_opened_before_the_page_is_filled_which_would_close_it_again(page: Any, served: Served) -> None:
    export = page.get_by_role("tab", name=re.compile("Export"))
    with answers_held(page, "**/run/predict*"):
        page.goto(served.url)
        playwright.expect(export).to_have_css("pointer-events", "none")
    export.click()
    page.wait_for_timeout(500)
    expect(export).to_have_attribute("aria-selected", "true")
    # Where the browser opens the first tab later than the page is filled, the right one is opened after all.
    page.evaluate(FILLED, "training")
    expect(page.get_by_role("tab", name=re.compile("Training"))).to_have_attribute("aria-selected", "true")


def test_from_an_odd_file_over_remedies_and_the_mask_to_a_dataset(page: Any, served: Served, tmp_path: Path) -> None:
    page.get_by_label("My own rows").check()
    page.locator("#datasets-uploads input[type=file]").set_input_files(odd_table(tmp_path / "odd.csv"))

    # Detect: the evidence is on the card; the columns fit nothing, so the map is open beside the raw rows.
    card = page.locator("#datasets-sources-cards li")
    expect(card).to_contain_text("its columns fit no known format", timeout=JOB_MILLISECONDS)
    expect(page.locator(".hearth-look")).to_contain_text("How much is 1 plus 1?")
    say_column(page, "prompt", "frage")
    say_column(page, "completion", "reaktion")
    expect(card).to_contain_text(f"{ROWS} rows · prompts and completions (the columns prompt and completion)")
    expect(card).to_contain_text("2 rows can't be used")
    say_column(page, "tag", "thema")
    expect(page.locator(".hearth-look .chip").first).to_have_text("sums")

    # A build stops at these rows and leads to the cards.
    field_of(page, "datasets-name").fill("odd")
    page.locator("#build").click()
    page.locator("#decide").click(timeout=JOB_MILLISECONDS)
    empty = page.locator("#health [data-check=empty_turn]")
    expect(empty).to_contain_text("2 rows", timeout=JOB_MILLISECONDS)
    empty.get_by_text("Show 2 examples").click()
    expect(empty.locator("table")).to_contain_text("reaktion")

    # Remedies are chosen on the cards, faster than the page answers; one that is opened again still says so.
    address = page.locator("#health [data-check=email]")
    mend = address.get_by_role("button", name=re.compile("^Fix"))
    drop = empty.get_by_role("button", name="Drop these rows")
    with answers_held(page):
        drop.click()
        mend.click()
    expect(drop).to_have_attribute("aria-pressed", "true")
    expect(mend).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#health .stale")).to_contain_text("changed since then")
    open_page(page, served)
    expect(address.get_by_role("button", name=re.compile("^Fix"))).to_have_attribute("aria-pressed", "true")
    page.locator("#check").click()
    expect(page.locator("#health .stale")).to_have_count(0, timeout=JOB_MILLISECONDS)

    # The mended row, as the model sees it.
    address.get_by_role("button", name="Show these rows").click()
    found = page.locator("#rows-table tr")
    expect(found).to_have_count(1)
    expect(found).to_contain_text("Whom do I ask?")
    assert ADDRESS not in found.inner_text()
    found.click()
    page.get_by_role("tab", name="As the model sees it").click()
    mask = page.locator("#rows-tokens .mask")
    expect(mask.locator(".given").first).to_be_visible(timeout=JOB_MILLISECONDS)
    assert "Write to" in mask.locator(".trained").evaluate_all("all => all.map(e => e.textContent).join('')")

    page.locator("#build").click()
    expect(page.locator("#dataset")).to_contain_text("rows to train on", timeout=JOB_MILLISECONDS)
    (version,) = list_versions(served.workspace, "odd")
    expect(page.locator("#dataset")).to_contain_text(version.id)
    rows = [*version.train(), *version.eval()]
    assert len(rows) == ROWS - 3, "two unanswered ones and a copy are left out"
    assert ADDRESS not in json.dumps(rows) and {row["tag"] for row in rows} == {"sums", "people"}
    spec = yaml.safe_load((version.folder / "spec.yaml").read_text(encoding="utf-8"))
    assert spec["remedies"] == {"empty_turn": "drop", "email": "fix"}
    assert spec["sources"][0]["columns"] == {"prompt": "frage", "completion": "reaktion", "tag": "thema"}


def test_with_nothing_changed_the_example_is_built(page: Any, served: Served) -> None:
    expect(field_of(page, "datasets-name")).to_have_value("snake")
    page.locator("#build").click()
    expect(page.locator("#dataset")).to_contain_text("rows to train on", timeout=2 * JOB_MILLISECONDS)
    (version,) = list_versions(served.workspace)
    assert version.name == "snake" and set(version.report["tags"]) == {"BFS", "DFS", "A*", "Hamiltonian"}
    open_step(page, "Versions")
    expect(page.locator("#versions")).to_contain_text(version.id)
    expect(page.locator("#lineage")).to_contain_text("hamiltonian.jsonl")
