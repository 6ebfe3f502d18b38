"""Figures of a window of time agree with numpy on the same rows, and a million rows are read without a pause."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datasets_src.interactions import Interaction, Interactions
from jobs.workspace import Workspace
from serving.monitoring import RequestLog, RequestRecord, figures
from serving.tables import serving_database

BEGAN = 1_700_000_000.0
ASKED = RequestRecord(request="r", model="a", status=200, seconds=1.0, time=BEGAN)
CHAT = Interaction(prompt=[{"role": "user", "content": "Hi"}], answer="Hello.", model="a", model_version="v1")


def record(workspace: Workspace, *records: RequestRecord) -> None:
    with RequestLog(workspace) as log:
        for each in records:
            log.record(each)


def test_percentiles_are_those_of_numpy(workspace: Workspace) -> None:
    generator = np.random.default_rng(0)
    seconds = generator.lognormal(0, 1, 2000)
    record(
        workspace,
        *(
            replace(ASKED, model="ab"[number % 2], seconds=float(each), first_token_seconds=float(each) / 4,
                    queue_seconds=float(each) / 10, prompt_tokens=10, answer_tokens=90)
            for number, each in enumerate(seconds)
        ),
    )  # fmt: skip
    found = figures(workspace, BEGAN, BEGAN + 1)
    assert [each.model for each in found] == ["a", "b"]
    for number, each in enumerate(found):
        own = seconds[number::2]
        assert (each.requests, each.prompt_tokens, each.answer_tokens) == (1000, 10_000, 90_000)
        assert each.seconds.p50 == pytest.approx(np.percentile(own, 50), abs=2e-4)
        assert each.seconds.p95 == pytest.approx(np.percentile(own, 95), abs=2e-4)
        assert each.first_token_seconds.p95 == pytest.approx(np.percentile(own, 95) / 4, abs=2e-4)
        assert each.queue_seconds.p50 == pytest.approx(np.percentile(own, 50) / 10, abs=2e-4)
        assert each.tokens_per_second.p50 == pytest.approx(np.median(100 / own), rel=5e-3)


def test_failures_refusals_and_clients_that_left_are_counted_apart(workspace: Workspace) -> None:
    statuses = [200, 200, 500, 503, 429, 400, 499]
    record(workspace, *(replace(ASKED, status=status, seconds=float(status)) for status in statuses))
    (found,) = figures(workspace, BEGAN, BEGAN + 1)
    assert (found.requests, found.failed, found.refused, found.left) == (7, 2, 2, 1)
    assert found.seconds.p95 == 200
    assert found.first_token_seconds.p50 is found.tokens_per_second.p50 is None


def test_versions_of_a_model_are_told_apart_and_none_is_one_too(workspace: Workspace) -> None:
    record(workspace, ASKED, replace(ASKED, version="v1"), replace(ASKED, version="v2"), replace(ASKED, version="v2"))
    found = figures(workspace, BEGAN, BEGAN + 1, by="version")
    assert [(each.version, each.requests) for each in found] == [(None, 1), ("v1", 1), ("v2", 2)]
    assert [each.requests for each in figures(workspace, BEGAN, BEGAN + 1)] == [4]


def test_only_the_window_is_looked_at(workspace: Workspace) -> None:
    record(workspace, *(replace(ASKED, time=BEGAN + number) for number in range(10)))
    assert figures(workspace, BEGAN + 2, BEGAN + 5)[0].requests == 3
    assert figures(workspace, BEGAN + 50, BEGAN + 60) == []


def test_nothing_was_asked_in_an_empty_workspace(workspace: Workspace) -> None:
    assert figures(workspace, 0, 2e9) == []
    assert not serving_database(workspace).path.exists()


def test_ratings_stand_beside_the_model_that_answered(workspace: Workspace) -> None:
    chats = Interactions(workspace)
    now = next(iter([chats.record(replace(CHAT, rating=5), "alice")]))
    for number, rating in enumerate((5, 4, 4, 3, None)):
        chats.record(replace(CHAT, rating=rating), f"user-{number}")
    chats.record(replace(CHAT, model="b", rating=1), "bob")
    moment = next(chats.find()).time
    record(workspace, replace(ASKED, version="v1", time=moment), replace(ASKED, model="b", time=moment))
    one, other = figures(workspace, moment - 60, moment + 60)
    assert now == 1 and (one.ratings, one.people, one.rating) == (5, 5, 4.2)
    assert one.rating_interval is not None
    assert 1 <= one.rating_interval.low < 4.2 < one.rating_interval.high <= 5
    assert (other.ratings, other.rating, other.rating_interval) == (1, 1.0, None)
    (version,) = (each for each in figures(workspace, moment - 60, moment + 60, by="version") if each.version == "v1")
    assert version.ratings == 5


@pytest.mark.slow
def test_a_million_requests_give_their_figures(workspace: Workspace) -> None:
    generator = np.random.default_rng(0)
    count = 1_000_000
    seconds = generator.lognormal(0, 1, count)
    with serving_database(workspace).writing() as connection:
        connection.executemany(
            "INSERT INTO requests (time, request, model, status, seconds, streamed, answer_tokens)"
            " VALUES (?, ?, ?, 200, ?, 1, 50)",
            ((BEGAN + number, f"r{number}", f"m{number % 4}", float(each)) for number, each in enumerate(seconds)),
        )
    found = figures(workspace, BEGAN, BEGAN + count)
    assert [each.requests for each in found] == [250_000] * 4
    assert found[0].seconds.p95 == pytest.approx(np.percentile(seconds[::4], 95), abs=2e-4)
