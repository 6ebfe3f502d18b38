"""Which chats a round learns from: new ones that fit, bounded for each user."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_src.interactions import Interactions
from jobs.errors import BadInput
from jobs.files import read_json_lines
from jobs.workspace import Workspace
from serving.loop.chats import ALWAYS_ALLOWED, Chat, bounded, choose, write_chats
from serving.loop.memory import Memory
from serving.loop.spec import LoopSpec
from tests.serving.loop.conftest import Say


def chats_of(counts: dict[str | None, int]) -> list[Chat]:
    users = [user for user, count in counts.items() for _ in range(count)]
    return [Chat(number, float(number), user, True, False) for number, user in enumerate(users, start=1)]


@given(
    st.dictionaries(st.none() | st.sampled_from("abcdefghij"), st.integers(1, 60), min_size=2),
    st.floats(0.05, 1.0),
    st.integers(0, 3),
)
def test_nobody_gives_more_than_the_share_of_what_is_kept(
    counts: dict[str | None, int], share: float, seed: int
) -> None:
    kept = bounded(chats_of(counts), share, seed)
    given_by = Counter(chat.user for chat in kept)
    for user, count in given_by.items():
        assert count <= ALWAYS_ALLOWED or count <= share * len(kept) + 1e-6, f"{user} gave {count} of {len(kept)}"
    assert set(given_by) == set(counts), "everybody is heard"
    assert [chat.id for chat in kept] == sorted(chat.id for chat in kept)
    assert kept == bounded(chats_of(counts), share, seed)


def test_a_flood_of_one_user_is_cut_to_the_share_and_said(place: Workspace, plan: LoopSpec, say: Say) -> None:
    for user in "abcdefgh":
        say(4, user=user)
    say(500, user="mallory", answer="no.")
    chosen = choose(place, plan)
    assert chosen.heaviest_share <= 0.25
    assert len(chosen.chats) == 32 + 10
    assert chosen.over_share == 490
    assert "490 left out" in chosen.sentence and "of 9 users" in chosen.sentence


def test_chats_without_a_user_are_bounded_as_one_user(place: Workspace, plan: LoopSpec, say: Say) -> None:
    say(200, user=None)
    for user in "abcdefgh":
        say(3, user=user)
    assert choose(place, plan).heaviest_share <= 0.25


def test_a_single_user_is_not_bounded(place: Workspace, plan: LoopSpec, say: Say) -> None:
    say(60)
    assert len(choose(place, plan).chats) == 60


def test_only_chats_that_fit_are_taken(place: Workspace, plan: LoopSpec, say: Say) -> None:
    say(3, rating=5)
    say(2, rating=2)
    say(2, rating=None)
    (corrected,) = say(1, rating=1)
    Interactions(place).correct(corrected, "Certainly.")
    chosen = choose(place, plan)
    assert (len(chosen.chats), chosen.new) == (4, 4)


def test_chats_of_earlier_rounds_are_remembered_by_id_and_time(place: Workspace, plan: LoopSpec, say: Say) -> None:
    say(3)
    first = choose(place, plan)
    memory = Memory(place)
    running = place.new_job_path("loop")
    running.mkdir(parents=True)
    memory.use(plan.name, running.name, [(chat.id, chat.time) for chat in first.chats])
    say(2)
    assert choose(place, plan).new == 2
    assert choose(place, plan, running.name).new == 5, "its own chats are a round's own"
    assert choose(place, plan.model_copy(update={"name": "other"})).new == 5
    memory.use(plan.name, running.name, [(first.chats[0].id, first.chats[0].time + 1)])
    assert choose(place, plan).new == 5, "another time is another chat"


def test_chats_of_an_abandoned_round_are_free_and_of_an_unproven_one_taken_again(
    place: Workspace, plan: LoopSpec, say: Say
) -> None:
    say(3)
    keys = [(chat.id, chat.time) for chat in choose(place, plan).chats]
    memory = Memory(place)
    memory.use(plan.name, "deleted-round", keys)
    assert choose(place, plan).new == 3
    memory.settle(plan.name, "deleted-round", "again")
    say(1)
    chosen = choose(place, plan)
    assert (len(chosen.chats), chosen.new) == (4, 1)
    assert "3 again from rounds that showed no difference" in chosen.sentence
    memory.settle(plan.name, "deleted-round", "taken")
    assert len(choose(place, plan).chats) == 1


def test_the_rows_written_are_the_chosen_chats(place: Workspace, plan: LoopSpec, say: Say) -> None:
    kept, deleted = say(1)[0], say(1)[0]
    chosen = choose(place, plan)
    Interactions(place).correct(kept, "Certainly.")
    Interactions(place).rate(deleted, 1)
    path = place.root / "rows.jsonl"
    assert write_chats(place, plan, chosen, path) == 1
    (row,) = read_json_lines(path)
    assert (row["interaction"], row["completion"][0]["content"]) == (kept, "Certainly.")


def test_a_damaged_memory_is_explained(place: Workspace, plan: LoopSpec, say: Say) -> None:
    say(1)
    (place.root / "loops.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(BadInput, match=r"loops\.sqlite can't be read"):
        choose(place, plan)
