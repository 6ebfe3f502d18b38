"""The Evaluation tab in headless Chromium: blind votes that move the ratings, and the report with its chart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from datasets_src.build import build
from datasets_src.interactions.store import Interactions
from datasets_src.spec import DatasetSpec
from evaluation.spec import EvaluateSpec
from jobs import launcher
from jobs.follow import follow
from tests.evaluation.conftest import make_adapter
from tests.toys import write_rows
from tests.ui.browser import Served, open_page, open_tab
from ui.drafts import save_draft

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")

pytestmark = [pytest.mark.browser, pytest.mark.heavy]
JOB_MILLISECONDS = 90_000


def expect(locator: Any) -> Any:
    return playwright.expect(locator)


@pytest.fixture
def models(tiny_model: Path, tmp_path: Path) -> list[str]:
    """Two adapters whose names tell them apart."""
    named = ((1, "fast-fox"), (2, "slow-owl"))
    return [f"adapter:{make_adapter(tiny_model, tmp_path / name, seed)}" for seed, name in named]


def evaluated(served: Served, tiny_model: Path, models: list[str]) -> None:
    """A finished evaluation of the two and their base in the workspace."""
    rows = [{"prompt": f"What is the colour of ball {at}?", "completion": "red"} for at in range(80)]
    path = write_rows(served.workspace.uploads / "balls.jsonl", rows)
    data = build(DatasetSpec.parse({"name": "balls", "sources": [{"path": str(path)}]}), served.workspace).id
    spec = EvaluateSpec.parse({"models": [str(tiny_model), *models], "data": data, "max_new_tokens": 4, "games": 0})
    job = launcher.start(served.workspace, "evaluate", spec.model_dump(mode="json"), title="balls", resource="cpu")
    follow(job, Console(quiet=True))
    assert job.status().state == "succeeded", job.log_tail()


def vote(page: Any, question: str, choice: str) -> None:
    """Ask, see two answers without names, vote, and see the names."""
    page.locator("#message textarea").fill(question)
    page.locator("#send").click()
    choices = page.locator("#chat .vote button")
    expect(choices).to_have_count(4, timeout=JOB_MILLISECONDS)
    talk = page.locator("#chat")
    assert "fox" not in talk.inner_html() and "owl" not in talk.inner_html()
    choices.get_by_text(choice).or_(choices.filter(has_text=choice)).first.click()
    expect(talk).to_contain_text("Your vote")
    expect(talk).to_contain_text("fast-fox")
    expect(talk).to_contain_text("slow-owl")


def test_blind_votes_move_the_ratings_and_the_report_draws_its_chart(
    page: Any, served: Served, models: list[str], tiny_model: Path
) -> None:
    evaluated(served, tiny_model, models)
    save_draft(served.workspace, "chat", models=models, blind=True)
    open_page(page, served)
    open_tab(page, "Evaluation")
    page.get_by_role("tab", name="Arena").click()
    expect(page.locator("#arena")).to_contain_text("No votes yet")

    page.get_by_role("tab", name="Chat and vote").click()
    vote(page, "What is the colour of ball 3?", "A is better")
    page.locator("#new-conversation").click()
    vote(page, "And of ball 4?", "Both alike")
    page.get_by_role("tab", name="Arena").click()
    ratings = page.locator("#arena .rating")
    expect(ratings).to_have_count(2)
    before = ratings.all_inner_texts()

    page.get_by_role("tab", name="Chat and vote").click()
    page.locator("#new-conversation").click()
    vote(page, "And of ball 5?", "B is better")
    assert Interactions(served.workspace).count_votes() == 3
    page.get_by_role("tab", name="Arena").click()
    expect(page.locator("#arena")).to_contain_text("3 votes")
    assert ratings.all_inner_texts() != before

    page.get_by_role("tab", name="Verdict").click()
    page.locator("#report-part").get_by_text("Whole report").click()
    report = page.frame_locator("iframe.hearth-report")
    expect(report.locator("h1")).to_contain_text("fast-fox")
    chart = report.locator("svg").first
    drawn = chart.bounding_box()
    assert drawn is not None and drawn["width"] > 50
    # Bars of models that got nothing right have no width; their intervals have.
    assert any(each["width"] > 5 for each in (line.bounding_box() for line in chart.locator("line").all()) if each)
    page.get_by_role("tab", name="Chat and vote").click()
    page.locator("#close-chat").click()
    expect(page.locator("#chat-job")).to_contain_text("The chat is closed", timeout=JOB_MILLISECONDS)
    page.get_by_role("tab", name="Verdict").click()
    assert re.search("better|worse|no difference|too few", report.locator("body").inner_text())
