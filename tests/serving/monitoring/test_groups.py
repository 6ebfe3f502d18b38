"""A group that is served worse is named, and groups that are served alike are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from datasets_src.interactions import Interaction, Interactions
from jobs.workspace import Workspace
from serving.monitoring import RequestLog, RequestRecord, by_group
from serving.monitoring.chats import LONGER, UNKNOWN_LENGTH, group_of, length_group
from serving.monitoring.differences import differences_of_people
from serving.monitoring.failures import Failures, same_odds_p_value
from serving.monitoring.groups import OTHERS

BEGAN = 1_700_000_000.0
HOUR = 3600.0
ENGLISH = "What is the best way to get from the station to the harbour with the children?"
GERMAN = "Wie kommen wir mit den Kindern am besten vom Bahnhof zum Hafen, ohne umzusteigen?"
CHAT = Interaction(prompt=[{"role": "user", "content": ENGLISH}], answer="By tram.", model="a", prompt_tokens=20)
ASKED = RequestRecord(request="r", model="a", status=200, seconds=1.0, time=BEGAN)


def keep(workspace: Workspace, chats: Sequence[tuple[Interaction, str]]) -> tuple[float, float]:
    """Keep chats of users, at the time of the test's window."""
    store = Interactions(workspace)
    for number, (chat, user) in enumerate(chats):
        store.record_later(replace(chat, time=BEGAN + number, user=store.pseudonym(user)))
    return BEGAN, BEGAN + len(chats)


def asked_in(text: str, **changes: object) -> Interaction:
    return replace(CHAT, prompt=[{"role": "user", "content": text}], **changes)  # type: ignore[arg-type]


def test_a_language_that_is_rated_worse_is_named(workspace: Workspace) -> None:
    chats = [(asked_in(ENGLISH, rating=4 + number % 2), f"e{number}") for number in range(25)]
    chats += [(asked_in(GERMAN, rating=1 + number % 3), f"g{number}") for number in range(20)]
    english, german = by_group(workspace, "language", *keep(workspace, chats))
    assert (english.group, english.worse) == ("en", ())
    assert (german.group, german.ratings, german.people) == ("de", 20, 20)
    assert german.worse == (
        "de: answers are rated worse than the rest, 1.9 against 4.5 stars (p < 0.001 among 2 groups)",
    )
    assert german.rating_interval is not None and german.rating_interval.high < 3


def test_a_tag_whose_answers_are_corrected_more_often_is_named(workspace: Workspace) -> None:
    chats = [
        (replace(CHAT, tag="travel", edit="By bus." if number % 2 else None), f"t{number}") for number in range(40)
    ]
    chats += [(replace(CHAT, tag="cooking"), f"c{number}") for number in range(40)]
    found = {each.group: each for each in by_group(workspace, "tag", *keep(workspace, chats))}
    assert found["travel"].edited is not None and found["travel"].edited.share == 0.5
    assert (
        found["travel"].worse[0].startswith("travel: answers are corrected more often than the rest, 50 % against 0 %")
    )
    assert found["cooking"].worse == ()


def test_one_angry_person_is_no_group(workspace: Workspace) -> None:
    chats = [(replace(CHAT, rating=5), f"e{number}") for number in range(30)]
    chats += [(replace(CHAT, tag="travel", rating=1), "angry") for _ in range(200)]
    assert all(not each.worse for each in by_group(workspace, "tag", *keep(workspace, chats)))


def test_long_questions_that_fail_more_often_are_named(workspace: Workspace) -> None:
    with RequestLog(workspace) as log:
        for number in range(600):
            long = number % 3 == 0
            status = 500 if long and number % 12 == 0 else 200
            log.record(replace(ASKED, prompt_tokens=4000 if long else 50, status=status, time=BEGAN + number))
    short, long_ones = by_group(workspace, "length", BEGAN, BEGAN + 600)
    assert (short.group, long_ones.group) == ("up to 128 tokens", LONGER)
    assert long_ones.failed is not None and long_ones.failed.share == 0.25
    assert long_ones.worse == (
        f"{LONGER}: requests fail more often than the rest, 25.0 % against 0.0 % (p < 0.001 among 2 groups)",
    )


def test_an_outage_in_the_hour_of_one_group_is_no_difference_between_groups(workspace: Workspace) -> None:
    """German is asked mostly in the second hour, when half of all requests failed whatever their language."""
    with RequestLog(workspace) as log:
        for number in range(800):
            second = number >= 400
            german = number % 10 == 0 if not second else number % 10 != 0
            status = 500 if second and number % 4 < 2 else 200
            log.record(replace(ASKED, language="de" if german else "en", status=status, time=BEGAN + second * HOUR))
    found = by_group(workspace, "language", BEGAN - HOUR, BEGAN + 2 * HOUR)
    shares = {each.group: each.failed.share for each in found if each.failed is not None}
    assert shares["de"] > 3 * shares["en"]
    assert all(not each.worse for each in found)


def test_made_up_tags_become_one_group(workspace: Workspace) -> None:
    with RequestLog(workspace) as log:
        for number in range(300):
            log.record(replace(ASKED, tag=f"tag-{number}" if number >= 50 else "usual", time=BEGAN))
    start, end = keep(workspace, [(replace(CHAT, tag="tag-299", rating=5), "alice")])
    found = by_group(workspace, "tag", start, end)
    assert (len(found), found[0].group, found[-1].group) == (20, "usual", OTHERS)
    assert sum(each.failed.count for each in found if each.failed is not None) == 300


def test_nothing_is_there_in_an_empty_workspace(workspace: Workspace) -> None:
    for group in ("language", "tag", "length"):
        assert by_group(workspace, group, 0, 2e9) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tokens", "group"),
    [(None, UNKNOWN_LENGTH), (-1, UNKNOWN_LENGTH), (0, "up to 128 tokens"), (128, "up to 128 tokens"),
     (129, "129 to 512 tokens"), (2048, "513 to 2,048 tokens"), (2049, LONGER)],
)  # fmt: skip
def test_lengths_have_the_same_groups_in_chats_and_requests(
    workspace: Workspace, tokens: int | None, group: str
) -> None:
    assert length_group(tokens) == group
    with RequestLog(workspace) as log:
        log.record(replace(ASKED, prompt_tokens=tokens))
    assert [each.group for each in by_group(workspace, "length", BEGAN, BEGAN + 1)] == [group]


def test_a_chat_s_language_is_that_of_its_last_question() -> None:
    turns = [
        {"role": "user", "content": ENGLISH},
        {"role": "assistant", "content": "…"},
        {"role": "user", "content": GERMAN},
    ]
    assert group_of(replace(CHAT, prompt=turns), "language") == "de"


def test_the_comparison_within_hours_is_that_of_statsmodels() -> None:
    from statsmodels.stats.contingency_tables import StratifiedTable

    generator = np.random.default_rng(0)
    hours = generator.integers(0, 6, 900)
    group = generator.random(900) < 0.3
    failed = generator.random(900) < np.where(group, 0.2, 0.12) + 0.02 * hours
    tables = [
        [
            [(group & failed & at).sum(), (group & ~failed & at).sum()],
            [(~group & failed & at).sum(), (~group & ~failed & at).sum()],
        ]
        for at in (hours == hour for hour in range(6))
    ]
    expected = StratifiedTable([np.array(table) for table in tables]).test_null_odds(correction=True)
    assert same_odds_p_value(group, failed, hours) == pytest.approx(expected.pvalue, rel=1e-9)


def false_alarms(tables: int, draw: Callable[[np.random.Generator], bool]) -> float:
    generator = np.random.default_rng(0)
    return float(np.mean([draw(generator) for _ in range(tables)]))


@pytest.mark.slow
def test_groups_that_are_alike_are_seldom_called_different() -> None:
    """Five groups of people and requests that are all alike, Holm's adjustment over all of them."""
    from serving.monitoring.groups import _worse

    def draw(generator: np.random.Generator) -> bool:
        chats = {
            f"g{group}": [
                replace(CHAT, user=f"{group}-{person}", edit="x" if generator.random() < 0.1 else None,
                        rating=int(generator.choice([1, 2, 3, 4, 5], p=[0.2, 0.05, 0.1, 0.2, 0.45])))
                for person in range(size)
                for _ in range(int(generator.integers(1, 4)))
            ]
            for group, size in enumerate((10, 12, 20, 40, 80))
        }  # fmt: skip
        codes = generator.integers(0, 5, 600)
        failures = Failures(tuple(chats), codes, generator.integers(0, 24, 600), generator.random(600) < 0.02)
        differences = [*differences_of_people(chats), *failures.differences()]
        assert len(differences) >= 10
        return bool(_worse(differences, 5))

    share = false_alarms(300, draw)
    print(f"groups alike, one called worse: {share:.1%}")
    assert share <= 0.05
