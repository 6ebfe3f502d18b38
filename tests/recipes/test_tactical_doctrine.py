"""The rule book: facts from numbers, the first rule that fits, laws that its own advice never breaks."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

from jobs.errors import BadInput
from jobs.spec import read_yaml
from recipes.tactical.answers import ANSWER_SCHEMA, move_in
from recipes.tactical.doctrine import FILE, DoctrineSpec, doctrine
from recipes.tactical.seeds import sample_scenario
from recipes.tactical.state import AIRCRAFT, DOMAINS, TARGETS, Domain, Scenario, Setting, State, scenario_of

LEVEL = State(
    range_km=30.0,
    altitude_km=8.0,
    target_altitude_km=8.0,
    speed_ms=250,
    target_speed_ms=250,
    heading_deg=0,
    target_heading_deg=180,
    bearing_deg=0,
    pitch_deg=0,
    roll_deg=0,
    load_g=1.0,
    throttle=0.8,
    fuel=0.8,
    damage=0.0,
    target_damage=0.0,
    radar_missiles=2,
    heat_missiles=2,
    gun_rounds=300,
    locked=1,
    inbound_s=0,
    inbound_heat=0,
    chaff=5,
    flares=5,
    hostiles=1,
    ally_km=0.0,
)
CALM = scenario_of(LEVEL, Setting("Heron", "Viper", "clear"))
BESIDE: dict[str, Any] = {"bearing_deg": 90, "target_heading_deg": 270, "locked": 0}
BEHIND: dict[str, Any] = {"bearing_deg": 180, "target_heading_deg": 0, "locked": 0}


def moment(**changes: Any) -> Scenario:
    """Two aircraft at the same height and speed, nose to nose 30 km apart, but for the changes."""
    return {**CALM, **changes}


def samples(domain: Domain, count: int) -> list[Scenario]:
    draw = random.Random(f"test {domain}")
    return [sample_scenario(doctrine(domain), draw) for _ in range(count)]


@pytest.mark.parametrize(
    ("domain", "changes", "move"),
    [
        ("BVR", {}, "fire"),
        ("BVR", {"fuel": 0.2}, "extend"),
        ("BVR", {"radar_missiles": 0}, "extend"),
        ("BVR", {"locked": 0}, "lock"),
        ("BVR", {"range_km": 45.0}, "press"),
        ("BVR", {"aircraft": "Kestrel"}, "press"),
        ("BVR", {"target_heading_deg": 0}, "press"),
        ("BVR", {"range_km": 45.0, "altitude_km": 5.0}, "climb"),
        ("BVR", {"range_km": 45.0, "speed_ms": 180}, "climb"),
        ("WVR", {"range_km": 0.7}, "gun"),
        ("WVR", {"range_km": 0.7, "gun_rounds": 0}, "fire"),
        ("WVR", {"range_km": 5.0}, "fire"),
        ("WVR", {"range_km": 5.0, "weather": "cloud"}, "turn"),
        ("WVR", {"range_km": 5.0, **BEHIND}, "break"),
        ("WVR", {"range_km": 5.0, "heat_missiles": 0, "altitude_km": 10.0}, "climb"),
        ("WVR", {"range_km": 5.0, "heat_missiles": 0, "altitude_km": 6.0}, "dive"),
        ("multi", {"hostiles": 3}, "fire"),
        ("multi", {"hostiles": 5}, "extend"),
        ("multi", {"hostiles": 3, "range_km": 45.0}, "split"),
        ("defensive", {"inbound_s": 3}, "break"),
        ("defensive", {"inbound_s": 9, "inbound_heat": 1}, "flare"),
        ("defensive", {"inbound_s": 9, "inbound_heat": 1, "flares": 0}, "dive"),
        ("defensive", {"inbound_s": 9}, "notch"),
        ("defensive", {"inbound_s": 9, **BESIDE}, "chaff"),
        ("defensive", {"inbound_s": 9, "chaff": 0, **BESIDE}, "dive"),
        ("support", {"ally_km": 30.0}, "fire"),
        ("support", {"ally_km": 30.0, "range_km": 45.0}, "join"),
        ("support", {"ally_km": 12.0, "range_km": 45.0}, "jam"),
    ],
)
def test_the_first_rule_that_fits_decides(domain: Domain, changes: dict[str, Any], move: str) -> None:
    scenario = moment(**changes)
    assert doctrine(domain).values(scenario)["recommendation"] == move
    assert doctrine(domain).allows(scenario)


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({}, {"place": "ahead", "aspect": "hot", "energy": "even"}),
        ({"target_heading_deg": 0}, {"place": "ahead", "aspect": "cold"}),
        ({"target_heading_deg": 270}, {"aspect": "flank"}),
        ({"heading_deg": 350, "bearing_deg": 20}, {"place": "ahead"}),
        ({"heading_deg": 350, "bearing_deg": 60}, {"place": "beside"}),
        (BEHIND, {"place": "behind", "aspect": "hot"}),
        ({"altitude_km": 9.5}, {"energy": "high"}),
        # 100 m/s against 250 m/s are 2.7 km of height less.
        ({"speed_ms": 100}, {"energy": "low"}),
    ],
)
def test_facts_follow_from_the_numbers(changes: dict[str, Any], facts: dict[str, str]) -> None:
    values = doctrine("BVR").values(moment(**changes))
    assert {name: values[name] for name in facts} == facts


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_rule_book_never_breaks_its_own_laws_and_uses_all_of_its_rules(domain: Domain) -> None:
    book = doctrine(domain)
    advised = [(scenario, book.values(scenario)) for scenario in samples(domain, 400)]
    assert all(book.broken_laws(scenario, values["recommendation"]) == [] for scenario, values in advised)
    assert {values["rule"] for _, values in advised} == set(range(len(book.rules)))


@pytest.mark.parametrize("domain", DOMAINS)
def test_what_decides_is_told_in_words_so_that_equal_words_have_equal_answers(domain: Domain) -> None:
    answers: dict[str, set[str]] = {}
    for scenario in samples(domain, 400):
        _, question, answer = doctrine(domain).messages(scenario)
        plain = re.sub("|".join([*AIRCRAFT, *TARGETS]), "X", question["content"])
        plain = re.sub(r"\b(?!0\b)[\d.]*\d\b", "N", plain)
        answers.setdefault(plain, set()).add(answer["content"])
    assert max(map(len, answers.values())) == 1


@pytest.mark.parametrize("domain", DOMAINS)
def test_an_answer_follows_the_schema_and_the_question_names_every_move(domain: Domain) -> None:
    import jsonschema

    for scenario in samples(domain, 50):
        system, question, answer = doctrine(domain).messages(scenario)
        jsonschema.validate(json.loads(answer["content"]), ANSWER_SCHEMA)
        assert all(name in system["content"] for name in ANSWER_SCHEMA["required"])
        assert all(re.search(rf"\b{move}\b", question["content"]) for move in doctrine(domain).options)


def test_laws_are_named_and_an_unknown_move_is_against_them() -> None:
    book = doctrine("BVR")
    assert book.broken_laws(moment(), "fire") == []
    assert book.broken_laws(moment(locked=0, range_km=45.0), "fire") == [
        "no shot without a lock",
        "no shot out of reach",
    ]
    assert book.broken_laws(moment(fuel=0.1), "press") == ["fly home on low fuel"]
    assert book.broken_laws(moment(), "surrender") == ["advise a move of the game"]


@pytest.mark.parametrize(
    "changes", [{"range_km": 14.0}, {"altitude_km": 20.0}, {"bearing_deg": 90}, {"hostiles": 2}, {"inbound_s": 5}]
)
def test_moments_that_cant_be_are_told_from_those_that_can(changes: dict[str, Any]) -> None:
    assert doctrine("BVR").allows(moment())
    assert not doctrine("BVR").allows(moment(**changes))


@pytest.mark.parametrize(
    ("answer", "move"),
    [
        ('{"recommendation": "lock"}', "lock"),
        ('{"recommendation": "surrender"}', "surrender"),
        ("I would FIRE, then climb.", "fire"),
        ("Firefighters locked up.", None),
        ('{"recommendation": 3}', None),
        ("", None),
    ],
)
def test_a_move_is_read_from_json_or_else_from_words(answer: str, move: str | None) -> None:
    assert move_in(answer, doctrine("BVR").options) == move


def test_a_rule_book_that_names_an_unknown_move_is_refused() -> None:
    book = read_yaml(FILE)
    book["laws"][0]["except_for"] = ["surrender"]
    with pytest.raises(BadInput, match="surrender, which is no move"):
        DoctrineSpec.parse(book)
