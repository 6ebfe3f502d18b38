"""Advice is scored for its move, its form, its fields and the laws; fights are flown; votes are counted."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest

from evaluation.tasks import PlayOptions, TaskItem, checked_items, checked_score, load_task
from jobs.errors import BadInput
from recipes.tactical import task
from recipes.tactical.doctrine import doctrine
from recipes.tactical.engagement import Moment
from recipes.tactical.flights import at_random, by_the_book, fly
from recipes.tactical.generate import moment_rows
from tests.recipes.test_tactical_doctrine import moment

SCENARIO = moment()
MESSAGES = doctrine("BVR").messages(SCENARIO)
ANSWER = json.loads(MESSAGES[-1]["content"])


def row(**more: Any) -> dict[str, Any]:
    return {"messages": MESSAGES, "tag": "BVR", "group": "seed", "extra": {"scenario": SCENARIO}, **more}


def item() -> TaskItem:
    return checked_items(load_task("tactical"), [row()], [row()])[0]


def said(**changes: Any) -> str:
    return json.dumps({**ANSWER, **changes})


SCORES = ("accuracy", "lenient", "json_valid", "json_fields", "doctrine")


@pytest.mark.parametrize(
    ("answer", "scores"),
    [
        (said(), (1, 1, 1, 1, 1)),
        (f"```json\n{said()}\n```", (1, 1, 1, 1, 1)),
        (said(recommendation="press"), (0, 0, 1, 0.8, 1)),
        (said(recommendation="jam"), (0, 0, 1, 0.8, 0)),
        (said(shaping_delta=7), (0, 1, 0, 0.8, 1)),
        (said(extra=1), (0, 1, 0, 1, 1)),
        (said()[:-1], (0, 1, 0, 0, 1)),
        ("Fire now!", (0, 1, 0, 0, 1)),
        ("Lock it, then fire.", (0, 0, 0, 0, 1)),
        ("Hello", (0, 0, 0, 0, 0)),
        ("[1]", (0, 0, 0, 0, 0)),
    ],
)
def test_an_answer_is_scored_for_move_form_fields_and_laws(answer: str, scores: tuple[float, ...]) -> None:
    found = checked_score(load_task("tactical"), answer, item())
    assert tuple(found[name] for name in SCORES) == scores


@pytest.mark.parametrize(
    ("delta", "closeness"), [(0.4, 1.0), (0.2, 0.9), (-1.0, 0.3), (9, 0.0), ("0.4", 0.0), (True, 0)]
)
def test_a_shaping_delta_counts_by_its_nearness(delta: Any, closeness: float) -> None:
    assert task.score(said(shaping_delta=delta), item())["delta_closeness"] == pytest.approx(closeness)


def test_an_advice_against_the_laws_is_told_from_one_that_is_only_another() -> None:
    low = moment(fuel=0.1)
    question = row(messages=doctrine("BVR").messages(low), extra={"scenario": low})
    (asked,) = task.items([question], [question])
    assert task.score(said(recommendation="press"), asked)["doctrine"] == 0
    assert task.score(said(recommendation="extend"), asked)["doctrine"] == 1


def test_stages_are_not_asked_about_and_strangers_are_refused() -> None:
    staged = row(extra={"scenario": SCENARIO, "stage": ["strategic", "tactical", "execution"]})
    assert len(task.items([row(), staged], [])) == 1
    with pytest.raises(BadInput, match="not a moment"):
        task.items([row(tag="cooking")], [])
    with pytest.raises(BadInput, match="not a moment"):
        task.items([row(messages=[*MESSAGES[:-1], {"role": "assistant", "content": "Fire."}])], [])


def test_of_a_logged_chat_only_the_expected_move_is_known_to_be_lawful() -> None:
    (asked,) = task.items([row(extra={})], [])
    assert task.score(said(), asked)["doctrine"] == 1
    assert task.score(said(recommendation="press"), asked)["doctrine"] == 0


def test_references_are_a_seeded_random_move_and_the_domains_commonest() -> None:
    rows = list(islice(moment_rows(seed=1, looking_back=0), 80))
    rows = [{**each, "extra": {"scenario": each["scenario"]}} for each in rows]
    items = checked_items(load_task("tactical"), rows, rows)
    found = task.references(items, rows, seed=0)
    assert found == task.references(items, rows, seed=0) != task.references(items, rows, seed=1)
    assert {name: len(scores) for name, scores in found.items()} == {"random move": 80, "commonest move": 80}
    # Counted by hand: in each domain as many are right as the commonest move has rows.
    moves = {tag: [each["answer"]["recommendation"] for each in rows if each["tag"] == tag] for tag in task.DOMAINS}
    assert sum(found["commonest move"]) == sum(max(map(given.count, given)) for given in moves.values())
    assert sum(found["random move"]) < sum(found["commonest move"])


def test_the_rule_book_flies_lawfully_and_better_than_random_moves() -> None:
    book, chance = fly(by_the_book, 60, 12, seed=0), fly(at_random(0), 60, 12, seed=0)
    assert all(all(flight.lawful) for flight in book)
    assert sum(flight.fight.won for flight in book) > sum(flight.fight.won for flight in chance)
    assert sum(flight.fight.lost for flight in book) < sum(flight.fight.lost for flight in chance)
    assert {flight.as_row()["tag"] for flight in book} == set(task.DOMAINS)


def test_a_model_flies_by_what_its_answers_recommend() -> None:
    prompts: list[str] = []

    def copies_the_book(asked: list[list[dict[str, Any]]]) -> list[str]:
        prompts.extend(each[-1]["content"] for each in asked)
        return [BOOK[each[-1]["content"]] for each in asked]

    options = PlayOptions(games=10, max_steps=4, seed=3)
    remembered = fly(remember, 10, 4, seed=3)
    assert task.play(copies_the_book, options) == [flight.as_row() for flight in remembered]
    assert prompts and task.reference_games(options)["rule book"] == [flight.as_row() for flight in remembered]
    silent = task.play(lambda asked: ["…"] * len(asked), options)
    assert all(game["lawful"] == 0 for game in silent)


BOOK: dict[str, str] = {}


def remember(moments: list[Moment]) -> list[str]:
    """Flies by the rule book and notes its answers by their questions."""
    for now in moments:
        _, question, answer = doctrine(now.domain).messages(now.scenario)
        BOOK[question["content"]] = answer["content"]
    return by_the_book(moments)
