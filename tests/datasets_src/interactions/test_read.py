"""Logged interactions become training rows: the answer worth repeating, and pairs of a better and a worse one."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest

from datasets_src.interactions import (
    Interaction,
    InteractionFilter,
    Interactions,
    Vote,
    interactions_version,
    read_interactions,
    read_votes,
)
from jobs.errors import Missing
from jobs.workspace import Workspace

ASKED = [{"role": "user", "content": "Two plus two?"}]
PLAIN = Interaction(prompt=ASKED, answer="Five.", model="one")
VOTE = Vote(prompt=ASKED, answer_a="Four.", answer_b="Five.", preferred="a", model_a="one", model_b="two")
ALL = InteractionFilter()


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def test_a_correction_replaces_the_answer_that_was_given(workspace: Workspace) -> None:
    store = Interactions(workspace)
    first = store.record(replace(PLAIN, conversation="c1", tag="sums", rating=4), user="alice")
    second = store.record(replace(PLAIN, rating=1))
    store.correct(second, "Four.")
    rows = list(read_interactions(workspace, ALL))
    assert [row.values for row in rows] == [
        {
            "prompt": ASKED,
            "completion": said("Five."),
            "tag": "sums",
            "group": "conversation/c1",
            "interaction": first,
            "model": "one",
            "rating": 4,
        },
        {"prompt": ASKED, "completion": said("Four."), "interaction": second, "model": "one", "rating": 1},
    ]
    assert [(row.number, row.fraction) for row in rows] == [(first, 0.5), (second, 1.0)]


def test_tool_calls_and_tools_come_along_unless_the_answer_was_corrected(workspace: Workspace) -> None:
    store = Interactions(workspace)
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": 2}}}
    tool = {"type": "function", "function": {"name": "add"}}
    store.record(replace(PLAIN, answer="", tools=[tool], tool_calls=[call]))
    edited = store.record(replace(PLAIN, answer="", tools=[tool], tool_calls=[call]))
    store.correct(edited, "Four.")
    first, second = (row.values for row in read_interactions(workspace, ALL))
    assert first["completion"] == [{"role": "assistant", "content": "", "tool_calls": [call]}]
    assert first["tools"] == second["tools"] == [tool]
    assert second["completion"] == said("Four.")


def test_empty_answers_are_passed_over(workspace: Workspace) -> None:
    store = Interactions(workspace)
    for answer in ("", " \n", "Four."):
        store.record(replace(PLAIN, answer=answer))
    assert [row.values["completion"] for row in read_interactions(workspace, ALL)] == [said("Four.")]


def test_only_what_fits_the_filter_is_read(workspace: Workspace) -> None:
    store = Interactions(workspace)
    for rating in (1, 3, 5):
        store.record(replace(PLAIN, answer=str(rating), rating=rating))
    rows = read_interactions(workspace, InteractionFilter(min_rating=3))
    assert [row.values["completion"][0]["content"] for row in rows] == ["3", "5"]


def test_corrections_and_votes_become_pairs(workspace: Workspace) -> None:
    store = Interactions(workspace)
    store.record(PLAIN)
    corrected = store.record(replace(PLAIN, conversation="c1", rating=1, edit="Four."))
    one = store.vote(VOTE)
    two = store.vote(replace(VOTE, preferred="b", tag="sums"))
    store.vote(replace(VOTE, preferred="tie"))
    store.vote(replace(VOTE, answer_b="Four. "))
    rows = list(read_votes(workspace, ALL))
    assert [row.values for row in rows] == [
        {
            "prompt": ASKED,
            "chosen": said("Four."),
            "rejected": said("Five."),
            "group": "conversation/c1",
            "interaction": corrected,
        },
        {"prompt": ASKED, "chosen": said("Four."), "rejected": said("Five."), "vote": one},
        {"prompt": ASKED, "chosen": said("Five."), "rejected": said("Four."), "tag": "sums", "vote": two},
    ]
    assert [row.number for row in rows] == [1, 2, 3]
    assert [row.values["interaction"] for row in read_votes(workspace, InteractionFilter(only_edited=True))] == [
        corrected
    ]
    # The rating is about the answer that was corrected, so it decides on no pair.
    assert len(list(read_votes(workspace, InteractionFilter(min_rating=5)))) == 3


def test_the_version_changes_with_what_is_read_and_with_nothing_else(workspace: Workspace) -> None:
    store = Interactions(workspace)
    number = store.record(replace(PLAIN, rating=5))
    good = InteractionFilter(min_rating=4)
    before = interactions_version(workspace, good)
    store.record(replace(PLAIN, rating=1))
    store.vote(VOTE)
    assert interactions_version(workspace, good) == before
    store.correct(number, "Four.")
    assert interactions_version(workspace, good) != before
    assert interactions_version(workspace, good, pairs=True) != interactions_version(workspace, good)


def test_a_workspace_without_interactions_says_so(workspace: Workspace) -> None:
    for read in (read_interactions, read_votes):
        with pytest.raises(Missing, match="No interactions were logged"):
            list(read(workspace, ALL))


def test_reading_holds_one_row_at_a_time(workspace: Workspace) -> None:
    store = Interactions(workspace)
    for _ in range(20):
        store.record(replace(PLAIN, answer="x" * 200_000))
    rows = read_interactions(workspace, ALL)
    tracemalloc.start()
    total = sum(len(row.values["completion"][0]["content"]) for row in rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 20 * 200_000
    assert peak < 2_000_000
