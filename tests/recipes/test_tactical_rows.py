"""Rows of the tactical recipe: few seeds become many distinct, valid rows, and fights become moments."""

from __future__ import annotations

import json
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from datasets_src.build import build
from datasets_src.expansion import ExpansionSpec, expand
from jobs.errors import BadInput
from jobs.workspace import Workspace
from recipes.tactical import pipeline
from recipes.tactical.answers import ANSWER_SCHEMA
from recipes.tactical.doctrine import doctrine
from recipes.tactical.engagement import Fight, play
from recipes.tactical.generate import generate, moment_rows
from recipes.tactical.seeds import expansion_of, sample_seeds
from recipes.tactical.state import DOMAINS, NUMBERS, Domain, State

FEW = 25
VALIDATOR = jsonschema.Draft202012Validator(ANSWER_SCHEMA)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tactical")
    generate(folder, rows=FEW, seed=3)
    return folder


@pytest.mark.slow
def test_at_most_200_seeds_become_5000_distinct_valid_rows_without_a_contradiction() -> None:
    questions: set[str] = set()
    seeds: set[str] = set()
    for domain in DOMAINS:
        expansion = expand(expansion_of(domain, sample_seeds(domain, 40, seed=0), rows=1000, seed=0))
        for row in expansion:
            questions.add(check_row(domain, row))
            seeds.add(row["scenario"]["seed"])
        assert expansion.made == 1000
        assert "contradiction" not in {refusal.reason for refusal in expansion.refusals}
    assert len(questions) == 5000
    assert len(seeds) == 200


def check_row(domain: Domain, row: dict[str, Any]) -> str:
    """The row's question, after a look at everything that makes it valid."""
    scenario = {name: value for name, value in row["scenario"].items() if name != "seed"}
    system, question, answer = row["messages"]
    assert VALIDATOR.is_valid(json.loads(answer["content"]))
    assert json.loads(answer["content"]) == row["answer"]
    assert doctrine(domain).allows(scenario)
    assert doctrine(domain).broken_laws(scenario, row["answer"]["recommendation"]) == []
    assert [system, question, answer] == doctrine(domain).messages(scenario)
    return str(question["content"])


@pytest.mark.parametrize("domain", DOMAINS)
def test_seeds_are_allowed_and_share_the_rules_evenly(domain: Domain) -> None:
    book = doctrine(domain)
    seeds = sample_seeds(domain, 40, seed=0)
    decided = [book.values(scenario)["rule"] for scenario in seeds]
    assert len(seeds) == 40 and all(book.allows(scenario) for scenario in seeds)
    assert min(decided.count(rule) for rule in range(len(book.rules))) >= 40 // len(book.rules)


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(written: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", rows=FEW, seed=3)
    generate(tmp_path / "other", rows=FEW, seed=4)
    names = sorted(path.name for path in written.iterdir())
    assert len(names) == 14
    for name in names:
        assert (written / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert (written / "bvr.yaml").read_bytes() != (tmp_path / "other" / "bvr.yaml").read_bytes()
    assert (written / "states.jsonl").read_bytes() != (tmp_path / "other" / "states.jsonl").read_bytes()


def test_a_moment_in_stages_is_one_conversation_of_three_turns(written: Path) -> None:
    (row,) = expand(ExpansionSpec.load(written / "wvr-stages.yaml"))
    assert [turn["role"] for turn in row["messages"]] == ["system", *["user", "assistant"] * 3]
    assert row["stage"] == ["strategic", "tactical", "execution"]
    advised = doctrine("WVR").values({name: value for name, value in row["scenario"].items() if name != "seed"})
    assert row["messages"][4]["content"] == f"{advised['recommendation'].capitalize()}."
    assert advised["guidance"] in row["messages"][6]["content"]


def test_moments_of_fights_carry_their_25_numbers_and_the_rule_books_answer() -> None:
    rows = list(islice(moment_rows(seed=0, looking_back=0), 40))
    assert len({row["messages"][1]["content"] for row in rows}) == 40
    assert {row["tag"] for row in rows} == set(DOMAINS)
    for row in rows:
        assert len(row["state"]) == len(NUMBERS) == 25
        assert row["state"] == [row["scenario"][name] for name in NUMBERS]
        assert row["messages"] == doctrine(row["tag"]).messages(row["scenario"])
        assert doctrine(row["tag"]).allows(row["scenario"])


def test_a_trajectory_tells_what_five_seconds_changed() -> None:
    rows = list(islice(moment_rows(seed=0, looking_back=5), 10))
    for row in rows:
        moments = play(DOMAINS[(int(row["group"].removeprefix("fight/")) - 1) % 5], int(row["group"][6:]))
        before, now = moments[row["second"] - 5].state, moments[row["second"]].state
        change = f"In 5 s: range {now.range_km - before.range_km:+.1f} km, "
        assert row["messages"][1]["content"].startswith(change)
        assert now.vector() == row["state"]


def test_a_fight_stays_within_the_game_and_obeys_what_its_weapons_need() -> None:
    for seed in range(20):
        for before, after in pairwise(play(DOMAINS[seed % 5], seed)):
            first, then = before.state, after.state
            turned = abs((then.heading_deg - first.heading_deg + 180) % 360 - 180)
            assert turned <= 12 and 0.3 <= then.altitude_km <= 14 and 140 <= then.speed_ms <= 450
            assert abs(then.range_km - first.range_km) <= 0.95
            assert then.fuel <= first.fuel and then.damage >= first.damage


def test_a_shot_that_is_not_ready_hits_nothing() -> None:
    for seed in range(30):
        fight = Fight("BVR", seed)
        blind = not (fight.now.values["is_locked"] and fight.now.values["in_reach"])
        before: State = fight.now.state
        fight.advance("fire")
        if blind:
            assert fight.now.state.target_damage == before.target_damage
        assert (
            fight.now.state.radar_missiles + fight.now.state.heat_missiles
            <= max(before.radar_missiles + before.heat_missiles - 1, 0)
            or not before.heat_missiles
        )


def test_nothing_is_written_for_too_few_rows(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="3 rows"):
        generate(tmp_path / "rows", rows=3, seed=0)
    assert not (tmp_path / "rows").exists()


@pytest.mark.slow
def test_no_seed_and_no_fight_of_the_built_dataset_is_on_both_sides(workspace: Workspace) -> None:
    version = build(pipeline.write_rows(workspace, rows=250), workspace)
    train, held_out = version.train(), version.eval()
    assert len(train) + len(held_out) == 250 + 10 + 25 + 12
    assert not {row["group"] for row in train} & {row["group"] for row in held_out}
    seeds = [{row["extra"]["scenario"].get("seed") for row in part} - {None} for part in (train, held_out)]
    assert all(seeds) and not seeds[0] & seeds[1]
    for domain in DOMAINS:
        assert 7 <= sum(seed.startswith(f"{domain}-") for seed in seeds[1]) <= 10, "each keeps its share of 40 seeds"
    questions = [{row["messages"][1]["content"] for row in part} for part in (train, held_out)]
    assert not questions[0] & questions[1]
    pipeline.write_specialist_rows(workspace, version, "WVR")
    own = build(pipeline.specialist_data_spec(workspace, "WVR"), workspace)
    for part, rows in ((train, own.train()), (held_out, own.eval())):
        of_domain = [row for row in part if row["tag"] == "WVR"]
        assert sorted(map(told, rows)) == sorted(map(told, of_domain))


def told(row: dict[str, Any]) -> str:
    """What a row says and where it belongs, as text."""
    return json.dumps([row[name] for name in ("messages", "tag", "group", "extra")], sort_keys=True)
