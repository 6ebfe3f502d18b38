"""The report: whatever models wrote stays inert and bounded, for two models or a sweep, in HTML, Markdown and JSON."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation.costs import ModelCost
from evaluation.report import render, write_report
from evaluation.report.charts import Scale
from evaluation.report.figures import Point, Shown, frontier
from evaluation.report.markdown import fenced, inline
from evaluation.report.text import bounded, embedded_json, visible
from evaluation.store import ItemScore
from evaluation.summary import Contestant, Scoreboard, summarise
from evaluation.tasks import load_task
from evaluation.verdict import Settings

SCRIPT = "<script>document.title = 'broken'; window.broken = true</script>"
HOSTILE = {
    "html": f'<img src=x onerror="window.broken = true"><b>bold</b>{SCRIPT}',
    "end of script": f"</script>{SCRIPT}<!--<script>",
    "escapes": "\x1b[31mred\x1b]0;title\x07\x00\x9b2J\r\u202eright to left",
    "one line": "x" * 1_000_000,
    "surrogates": "half \ud83d a \udc80 pair",
    "repetition": "again and " * 50_000,
    "markdown": "```\n# heading\n[link](javascript:alert(1)) | cell | `code` ![image](http://example.org/x.png)",
}
MODELS = ("base", "lora", "qlora", "full")


def scoreboard(models: int, items: int, answers: Callable[[int, int], str]) -> Scoreboard:
    """`answers(model, item)`; later models are right more often, and each costs more than the one before."""
    generator = random.Random(3)
    names = MODELS[:models]
    rows = []
    for model, name in enumerate(names):
        for item in range(items):
            right = float(generator.random() < 0.3 + 0.2 * model)
            rows.append(
                ItemScore(
                    model=name,
                    kind="model",
                    item=f"item {item}",
                    group=f"group {item}",
                    tag="even" if item % 2 == 0 else "odd",
                    prompt=f"Question {item}: which colour?",
                    reference="the answer is blue today",
                    answer=answers(model, item),
                    scores={"exact_match": right},
                    seconds=0.1,
                    ended=True,
                )
            )
    costs = {
        name: ModelCost(10.0, 400, 4.0, 40.0 - 8 * number, 0.05, int(1e9 * (1 + number)), None)
        for number, name in enumerate(names)
    }
    contestants = [Contestant(name, f"adapter:{name}", False) for name in names]
    return Scoreboard(load_task("exact_match"), contestants, rows, Settings(0.95, 0.03, 0), False, costs)


def report_of(board: Scoreboard, **changes: Any) -> dict[str, Any]:
    known = {
        "schema_version": 1,
        "title": " against ".join(each.name for each in reversed(board.contestants)),
        "created": "2026-01-31 12:00",
        "data": "colours@1",
        "resolved": {"seed": {"value": 0, "origin": "the spec"}},
    }
    return {**known, **summarise(board, []), **changes}


def ordinary(model: int, item: int) -> str:
    return f"the answer is {'blue' if model else 'green'} today {item}"


def hostile(model: int, item: int) -> str:
    texts = list(HOSTILE.values())
    return texts[(item + model) % len(texts)]


@pytest.fixture
def hostile_report() -> dict[str, Any]:
    """Hostile answers, prompts, tags and names."""
    report = report_of(scoreboard(2, 70, hostile))
    report["title"] = SCRIPT
    report["models"][1]["name"] = SCRIPT
    for number, example in enumerate(report["examples"]["all"]):
        example["prompt"] = f"{number} {hostile(0, number)}"
        example["tag"] = SCRIPT if number % 2 else "</script>"
    return report


def test_three_files_are_written_and_the_page_follows_from_the_json(tmp_path: Path) -> None:
    paths = write_report(tmp_path, report_of(scoreboard(2, 40, ordinary)))
    assert [path.name for path in paths] == ["report.json", "report.html", "report.md"]
    report = json.loads(paths[0].read_text(encoding="utf-8"))
    assert render(report) == paths[1].read_text(encoding="utf-8")
    assert len(report["examples"]["all"]) == 40


def test_the_page_asks_nothing_of_the_network_and_runs_its_own_script_alone() -> None:
    page = render(report_of(scoreboard(2, 40, ordinary)))
    assert not re.search(r"https?://|<link|@import|src=", page)
    assert page.count("<script>") == 1 and page.count("<script") == 2
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None and policy[1].startswith("default-src 'none'")
    assert "unsafe-inline" not in policy[1].split("script-src")[1]


def test_hostile_texts_stay_inert_and_bounded_in_all_three_files(
    hostile_report: dict[str, Any], tmp_path: Path
) -> None:
    json_path, html_path, markdown_path = write_report(tmp_path, hostile_report)
    page = html_path.read_text(encoding="utf-8")
    assert page.count("<script") == 2 and page.count("</script") == 2
    assert "<img" not in page and "<b>bold" not in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", page)
    assert "x" * 3001 not in page and "(997,000 more characters)" in page
    assert "␛[31mred" in page and "[U+D83D]" in page
    assert len(page) < 2_000_000
    text = markdown_path.read_text(encoding="utf-8")
    assert "\x1b" not in text and "x" * 1000 not in text
    outside = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", text)
    assert "<script" not in outside.replace("\\<", "") and "# heading" not in outside
    assert json.loads(json_path.read_text(encoding="utf-8"))["title"] == SCRIPT


@pytest.mark.parametrize("name", HOSTILE)
def test_json_in_the_page_holds_the_text_but_no_tag(name: str) -> None:
    text = embedded_json({"text": bounded(HOSTILE[name])})
    assert "<" not in text and ">" not in text
    assert json.loads(text)["text"] == bounded(HOSTILE[name])


def test_control_characters_become_signs_and_lines_stay() -> None:
    assert visible("a\x1b[2J\tb\r\nc\rd\x7f\x85") == "a␛[2J\tb\nc␍d␡[U+0085]"
    assert visible("👨‍👩‍👧 é") == "👨‍👩‍👧 é"


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    assert fenced("a ```` b").startswith("`````text\n")
    assert inline("a|b\n<i>") == "a\\|b \\<i\\>"


def test_many_items_are_cut_shorter_so_that_the_page_stays_bounded() -> None:
    def long(model: int, item: int) -> str:
        return f"{model} {item} " + "word " * 700

    page = render(report_of(scoreboard(2, 3000, long)))
    assert len(page) < 14_000_000
    assert "more characters)" in page


def test_a_sweep_names_every_verdict_cost_and_slice(tmp_path: Path) -> None:
    report = report_of(scoreboard(4, 200, ordinary))
    for model in report["models"]:
        model["training_seconds"] = 600.0
        model["corpus"] = {"bleu": {"score": 31.4, "signature": "nrefs:1|case:mixed"}}
    _, html_path, markdown_path = write_report(tmp_path, report)
    page, text = html_path.read_text(encoding="utf-8"), markdown_path.read_text(encoding="utf-8")
    for name in MODELS[1:]:
        assert f"{name} against base" in page and f"{name} against base" in text
    for heading in ("Quality against cost", "Each tag apart", "Cost of the answers", "Training (minutes)", "All items"):
        assert heading in page
    assert page.count('class="pareto"') == 2 and page.count('class="dot"') == 8
    assert page.count("nrefs:1|case:mixed") == 4 and text.count("nrefs:1\\|case:mixed") == 4
    assert "lora: difference" in page and "Peak memory (GB)" in text
    assert "Energy" not in page, "what is not known has no column"


def test_one_model_alone_has_a_report_without_a_verdict() -> None:
    page = render(report_of(scoreboard(1, 30, ordinary)))
    assert "verdict better" not in page and "pareto" not in page.split("</style>")[1].split("<script")[0]


def test_slices_have_differences_with_intervals() -> None:
    (even, _) = report_of(scoreboard(2, 200, ordinary))["slices"]
    (lead,) = even["differences"]
    assert lead["candidate"] == "lora" and lead["enough_items"]
    assert lead["low"] < lead["difference"] < lead["high"]
    means = {standing["name"]: standing["mean"] for standing in even["standings"]}
    assert lead["difference"] == pytest.approx(means["lora"] - means["base"])


def test_the_front_holds_what_nothing_beats() -> None:
    found = [
        Point(name, x, Shown(y, None, None))
        for name, x, y in (("cheap", 1, 50), ("good", 3, 80), ("beaten", 3, 70), ("worse", 4, 60))
    ]
    front = frontier(found, more_is_better=True, cheap_is_low=True)
    assert [point.name for point in front] == ["cheap", "good"]
    fast = frontier(found, more_is_better=True, cheap_is_low=False)
    assert [point.name for point in fast] == ["good", "worse"]


@pytest.mark.parametrize("values", [[3.0], [0.0, 0.0], [0.2, 97.3], [1e9, 1.1e9], [-4.0, 12.0]])
def test_a_scale_holds_its_values_between_round_ticks(values: list[float]) -> None:
    scale = Scale.over(values, 0, 100)
    assert all(0 <= scale.at(value) <= 100 for value in values)
    assert 2 <= len(scale.ticks()) <= 9


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright isn't installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed (apt install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """Open a report's file; what it asks of the network, and what its script complains of, fails the test."""
    page = chromium.new_page()
    foreign: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: foreign.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))

    def open_report(report: dict[str, Any]) -> Any:
        path = write_report(tmp_path, report)[1]
        page.goto(path.as_uri())
        assert foreign == [path.as_uri()]
        return page

    yield open_report
    page.close()
    assert len(foreign) == 1
    assert not faults


@pytest.mark.browser
def test_in_a_browser_the_filter_and_the_word_diff_work(opened: Any) -> None:
    board = scoreboard(3, 120, ordinary)
    page = opened(report_of(board))
    wins = sum(
        after.scores["exact_match"] > before.scores["exact_match"]
        for before, after in zip(board.of("base"), board.of("lora"), strict=True)
    )
    assert page.locator("#items-count").inner_text() == "120 of 120 items"
    assert page.locator("#items-rows tr.item").count() == 50
    page.locator("#items-more").click()
    assert page.locator("#items-rows tr.item").count() == 100
    page.locator("#items-outcome").select_option("win")
    assert page.locator("#items-count").inner_text() == f"{wins} of 120 items"
    assert page.locator("#items-rows tr.item").count() == page.locator("#items-rows tr.item.win").count() == wins
    page.locator("#items-outcome").select_option("all")
    page.locator("#items-tag").select_option("odd")
    assert page.locator("#items-count").inner_text() == "60 of 120 items"
    page.locator("#items-text").fill("TODAY 17")
    assert page.locator("#items-count").inner_text() == "1 of 120 items"
    page.locator("#items-rows button.question").click()
    assert page.locator("#items-rows del").all_inner_texts() == ["green"]
    assert page.locator("#items-rows ins").all_inner_texts() == ["blue"]
    page.locator("#items-left").select_option("1")
    page.locator("#items-right").select_option("2")
    page.locator("#items-rows button.question").click()
    assert page.locator("#items-rows del, #items-rows ins").count() == 0


@pytest.mark.browser
def test_in_a_browser_charts_are_drawn(opened: Any) -> None:
    page = opened(report_of(scoreboard(4, 60, ordinary)))
    assert page.locator("svg.pareto").count() == 2
    box = page.locator("svg.pareto").first.bounding_box()
    assert box["width"] > 200 and box["height"] > 150
    dots = [dot.bounding_box() for dot in page.locator("svg.pareto").first.locator("circle").all()]
    assert len({round(dot["x"]) for dot in dots}) == 4
    assert all(box["x"] <= dot["x"] <= box["x"] + box["width"] for dot in dots)
    bars = [bar.bounding_box()["width"] for bar in page.locator("svg.bar rect").all()]
    assert bars[0] < bars[3]


@pytest.mark.browser
def test_in_a_browser_nothing_that_models_wrote_runs(opened: Any, hostile_report: dict[str, Any]) -> None:
    page = opened(hostile_report)
    page.locator("#items-more").click()
    for question in page.locator("#items-rows button.question").all()[:14]:
        question.click()
    for summary in page.locator("details > summary").all():
        summary.click()
    assert page.evaluate("window.broken") is None
    assert page.title() == SCRIPT
    assert page.locator("img, b, iframe").count() == 0
    assert page.locator("script").count() == 2
    shown = page.locator("#items-rows").inner_text()
    assert "<script>document.title" in shown and "␛[31mred" in shown
    assert "(997,000 more characters)" in shown
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
