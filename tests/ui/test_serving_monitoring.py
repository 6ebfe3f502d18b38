"""Monitoring on the Serving tab: figures with their intervals, charts, quality by group, and polling that is cheap."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from filelock import FileLock

from datasets_src.interactions.records import Interaction
from datasets_src.interactions.store import Interactions
from jobs.workspace import Workspace
from serving.monitoring import RequestLog, RequestRecord
from tests.ui.page_process import free_port
from tests.ui.serving_page import build, error_of, handler, serve_job
from ui import serving_charts, serving_monitoring
from ui.charts import AWAY
from ui.drafts import save_draft
from ui.page import SKIP
from ui.serving_choice import TAB
from ui.serving_monitoring import choice_of, drawing, standing_of
from ui.serving_monitoring_view import standings_html
from ui.serving_running import running_of

ASKED = RequestRecord(request="r", model="toy", status=200, seconds=1.0, prompt_tokens=10, answer_tokens=20)
CHAT = Interaction(prompt=[{"role": "user", "content": "Hi"}], answer="Hello.", model="toy", tag="greeting")


@pytest.fixture(autouse=True)
def nothing_drawn() -> Iterator[None]:
    serving_monitoring._DRAWINGS.forget()
    yield
    serving_monitoring._DRAWINGS.forget()


def record(workspace: Workspace, *records: RequestRecord) -> None:
    with RequestLog(workspace) as log:
        for each in records:
            log.record(each)


def shown(workspace: Workspace) -> list[Any]:
    return drawing(workspace, choice_of(workspace)).values


def test_without_requests_it_says_what_to_do_and_shows_no_chart(workspace: Workspace) -> None:
    servers, table, *plots, quality = shown(workspace)
    assert servers == "" and "Start a server" in table and "Keep chats" in quality
    assert all(AWAY in plot["elem_classes"] for plot in plots)


def test_figures_stand_with_their_spread_and_failures_are_marked(workspace: Workspace) -> None:
    failed = replace(ASKED, status=503, seconds=0.1, answer_tokens=None)
    record(workspace, ASKED, replace(ASKED, seconds=3.0, first_token_seconds=0.5), failed, replace(ASKED, status=429))
    Interactions(workspace).record(replace(CHAT, rating=5), "ann")
    table = shown(workspace)[1]
    assert "1 (25.0 %)" in table and "p95 2.90" in table and "Together 4 requests" in table
    assert "5.00<div class='quiet'>too few people for an interval; 1 by 1 people" in table
    Interactions(workspace).record(replace(CHAT, rating=4), "bob")
    serving_monitoring._DRAWINGS.forget()
    assert "4.50<div class='quiet'>95 % CI" in shown(workspace)[1]


def test_versions_and_the_window_are_what_was_chosen(workspace: Workspace) -> None:
    now = time.time()
    record(workspace, replace(ASKED, version="toy@1"), replace(ASKED, version="toy@2", time=now - 7200))
    assert "toy@1" not in shown(workspace)[1]
    save_draft(workspace, serving_monitoring.TAB, period="The last day", by="Versions", group="Tag")
    table = shown(workspace)[1]
    assert "toy@1" in table and "toy@2" in table
    save_draft(workspace, serving_monitoring.TAB, period="spoilt", by="Versions")
    assert choice_of(workspace).period == "The last hour"


def test_charts_have_a_line_for_each_model_with_requests_at_two_times(workspace: Workspace) -> None:
    now = time.time()
    moments = [(model, now - ago) for model in ("toy", "big") for ago in (600, 1800)]
    record(workspace, *(replace(ASKED, model=model, time=moment) for model, moment in moments))
    requests, failed, seconds, first = serving_charts.updates(workspace, now - 3600, now + 1)
    assert {row[2] for row in requests["value"]["data"]} == {"toy", "big"} == set(requests["color_map"])
    assert [row[1] for row in failed["value"]["data"]] == [0.0] * 4
    assert {row[1] for row in seconds["value"]["data"]} == {1.0}
    assert AWAY in first["elem_classes"], "no first token was measured"


def test_a_group_that_is_served_worse_is_named(workspace: Workspace) -> None:
    store = Interactions(workspace)
    for number in range(20):
        store.record(replace(CHAT, rating=5 - number % 2), f"a{number}")
        store.record(replace(CHAT, rating=1 + number % 2, tag="<refunds>"), f"b{number}")
    save_draft(workspace, serving_monitoring.TAB, group="Tag")
    quality = shown(workspace)[-1]
    assert "&lt;refunds&gt;: answers are rated worse than the rest" in quality and "<refunds>" not in quality


def test_nothing_is_read_while_another_part_is_open_and_once_for_all_pages(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(workspace, ASKED)
    read: list[float] = []
    whole = serving_monitoring.figures

    def counted(*arguments: Any) -> Any:
        read.append(time.time())
        return whole(*arguments)

    monkeypatch.setattr(serving_monitoring, "figures", counted)
    poll = next(
        each.handler
        for each in _polled(workspace)
        if getattr(each.handler, "__module__", "") == "ui.serving_monitoring"
    )
    save_draft(workspace, TAB, part="serve")
    assert set(map(repr, poll(workspace, ""))) == {repr(SKIP)} and not read
    save_draft(workspace, TAB, part="monitoring")
    first = poll(workspace, "")
    assert set(map(repr, poll(workspace, first[-1]))) == {repr(SKIP)}
    assert poll(workspace, "")[1] == first[1] and len(read) == 1
    record(workspace, ASKED)
    poll(workspace, "")
    assert len(read) == 1, "made anew at most every few seconds"


def _polled(workspace: Workspace) -> list[Any]:
    import gradio as gr

    from ui.page import Page, Settings

    with gr.Blocks():
        page = Page(Settings(workspace.root), gr.Tabs(), gr.Textbox())
        serving_monitoring.lay_out(page)
    return page.polled


def test_choosing_a_time_shows_it_at_once_and_is_kept(workspace: Workspace) -> None:
    record(workspace, replace(ASKED, time=time.time() - 7200))
    press = handler(build(workspace), "monitored-time", "input")
    shown_now = press(None, "The last day", "Models", "Tag")
    assert "toy" in shown_now[1] and error_of(shown_now) == ""
    assert choice_of(workspace).period == "The last day"


def test_a_server_that_does_not_answer_is_said_to_be_so(workspace: Workspace) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    job = serve_job(workspace, address)
    with FileLock(job.lock_path):
        running = running_of(job, job.status())
        assert running is not None
        html = standings_html([standing_of(running)])
    assert "Serve toy" in html and "it does not answer now" in html and address in html
