"""Seed scenarios and what is varied in them: at most 40 for each domain, expanded to as many rows as are asked for."""

from __future__ import annotations

import random
from typing import Any

from datasets_src.expansion import ExpansionSpec
from recipes.tactical.doctrine import Doctrine, doctrine
from recipes.tactical.state import (
    AIRCRAFT,
    TARGETS,
    WEATHER,
    Domain,
    Scenario,
    sample_setting,
    sample_state,
    scenario_of,
)

SEEDS_PER_DOMAIN = 40
MOST_DRAWS = 200_000


def sample_seeds(domain: Domain, count: int, seed: int) -> list[Scenario]:
    """So many allowed moments of a domain, in which each of its rules decides about equally often."""
    book = doctrine(domain)
    draw = random.Random(f"{seed} {domain}")
    share = -(-count // len(book.rules))
    found: dict[int, list[Scenario]] = {number: [] for number in range(len(book.rules))}
    for _ in range(MOST_DRAWS):
        scenario = sample_scenario(book, draw)
        kept = found[book.values(scenario)["rule"]]
        if len(kept) < share:
            kept.append(scenario)
        if sum(map(len, found.values())) >= share * len(found):
            break
    in_turn = [kept[place] for place in range(share) for kept in found.values() if place < len(kept)]
    return in_turn[:count]


def sample_scenario(book: Doctrine, draw: random.Random) -> Scenario:
    """One allowed moment of the book's domain."""
    while True:
        scenario = scenario_of(sample_state(book.domain, draw), sample_setting(draw))
        if book.allows(scenario):
            return scenario


def variations(scenario: Scenario) -> dict[str, Any]:
    """What is tried in place of each of a seed's values, as parameters of an expansion; what isn't varied has one."""
    fixed: dict[str, Any] = {name: [value] for name, value in scenario.items()}
    distance = scenario["range_km"]
    varied = {
        "range_km": {"start": 0.7 * distance, "stop": 1.4 * distance, "count": 15, "digits": 1},
        "altitude_km": _around(scenario["altitude_km"], 1.2, lowest=0.5),
        "target_altitude_km": _around(scenario["target_altitude_km"], 1.2, lowest=0.5),
        "heading_deg": [(scenario["heading_deg"] + turn) % 360 for turn in (-25, 0, 25)],
        "target_heading_deg": [(scenario["target_heading_deg"] + turn) % 360 for turn in (-40, 0, 40)],
        "aircraft": list(AIRCRAFT),
        "target_aircraft": list(TARGETS),
        "weather": list(WEATHER),
        **_loadout(scenario),
    }
    if scenario["hostiles"] > 1:
        varied["hostiles"] = [max(2, scenario["hostiles"] - 1), scenario["hostiles"] + 1]
    if scenario["inbound_s"] > 0:
        varied["inbound_s"] = [scenario["inbound_s"], scenario["inbound_s"] + 2]
    if scenario["ally_km"] > 0:
        varied["ally_km"] = _around(scenario["ally_km"], 3, lowest=1)
    return fixed | varied


def _around(value: float, step: float, lowest: float) -> list[float]:
    return sorted({round(max(lowest, value + change), 1) for change in (-step, 0, step)})


def _loadout(scenario: Scenario) -> dict[str, Any]:
    """One missile or flare more or less: what the aircraft took along."""
    names = ("radar_missiles", "heat_missiles", "flares", "chaff")
    return {name: sorted({max(0, scenario[name] + change) for change in (-1, 0, 1)}) for name in names}


def expansion_of(domain: Domain, seeds: list[Scenario], rows: int, seed: int, **more: Any) -> ExpansionSpec:
    """The expansion of a domain's seeds to `rows` different scenarios, as even a share of each seed as there can be.

    Each seed is a domain of the expansion; all rows of a seed are one group, which no split parts.
    """
    used = seeds[:rows]
    share, left = divmod(rows, len(used))
    numbered = [
        {
            "tag": f"{domain}-{number}",
            "count": share + (number < left),
            "parameters": {"seed": [f"{domain}-{number}"], **variations(scenario)},
        }
        for number, scenario in enumerate(used)
    ]
    return doctrine(domain).expansion({}, mode="sample", seed=seed, domains=numbered, group_by=["seed"], **more)
