"""Write the recipe's rows: seeds expanded by their parameters, moments and short trajectories of the simulator.

    python -m recipes.tactical.generate --out rows --rows 5000 --seed 0

The files: seeds.jsonl (at most 200 scenarios), for each domain an expansion of its seeds (bvr.yaml) and one in several
turns (bvr-stages.yaml), states.jsonl and trajectories.jsonl of the simulator, and data.yaml, which mixes them. All
answers are the rule book's. Rows of one seed, and rows of one fight, are a group: a split never parts them.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jobs.errors import BadInput
from jobs.files import write_text
from recipes.tactical.doctrine import doctrine
from recipes.tactical.engagement import Moment, play
from recipes.tactical.seeds import SEEDS_PER_DOMAIN, expansion_of, sample_seeds
from recipes.tactical.state import DOMAINS, Domain

ROWS = 5_000
FEWEST_ROWS = 5 * len(DOMAINS)
DATA_SPEC = Path(__file__).with_name("data.yaml")
# For each row that is expanded from a seed: rows in several turns, moments of the simulator, and trajectories.
STAGES_SHARE, STATES_SHARE, TRAJECTORIES_SHARE = 0.05, 0.1, 0.05
TRAJECTORY_SECONDS = 5
# A fight's moments are alike, so only a few are made rows of.
MOMENTS_PER_FIGHT = 3

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Written:
    """How many seeds and rows there are: expanded from seeds, in several turns, of moments and of trajectories."""

    seeds: int
    expanded: int
    stages: int
    states: int
    trajectories: int


def generate(out: Path, rows: int, seed: int, progress: Progress | None = None) -> Written:
    """Write the files into the folder `out`; `rows` are those expanded from seeds, the others come in proportion.

    `progress` is called with a fraction from 0 to 1 and a line of text. Raises BadInput for too few rows; then nothing
    is written.
    """
    if rows < FEWEST_ROWS:
        raise BadInput(f"{rows} rows were asked for.", "Every domain needs some.", f"Ask for {FEWEST_ROWS} or more.")
    tell = progress or (lambda _fraction, _message: None)
    seeds: list[dict[str, Any]] = []
    stages = 0
    for number, domain in enumerate(DOMAINS):
        tell(number / (len(DOMAINS) + 1), f"{domain}: seeds and their variations")
        share = rows // len(DOMAINS) + (number < rows % len(DOMAINS))
        seeds += _write_domain(out, domain, share, seed)
        stages += _stages_of(share)
    tell(len(DOMAINS) / (len(DOMAINS) + 1), "the simulator's fights")
    states = _write_moments(out / "states.jsonl", moment_rows(seed, 0), round(rows * STATES_SHARE))
    trajectories = _write_moments(
        out / "trajectories.jsonl", moment_rows(seed, TRAJECTORY_SECONDS), round(rows * TRAJECTORIES_SHARE)
    )
    write_text(out / "seeds.jsonl", "".join(json.dumps(each) + "\n" for each in seeds))
    write_text(out / DATA_SPEC.name, DATA_SPEC.read_text(encoding="utf-8"))
    tell(1.0, f"{rows} rows from {len(seeds)} seeds")
    return Written(len(seeds), rows, stages, states, trajectories)


def _stages_of(rows: int) -> int:
    return max(1, round(rows * STAGES_SHARE))


def _write_domain(out: Path, domain: Domain, rows: int, seed: int) -> list[dict[str, Any]]:
    """Write a domain's two expansions; returns its seeds, each with the domain that it belongs to."""
    seeds = sample_seeds(domain, min(SEEDS_PER_DOMAIN, rows), seed)
    turns: dict[str, Any] = {"template": doctrine(domain).stages}
    expansions = {
        domain.lower(): expansion_of(domain, seeds, rows, seed),
        f"{domain.lower()}-stages": expansion_of(domain, seeds, _stages_of(rows), seed + 1, **turns),
    }
    for name, expansion in expansions.items():
        write_text(out / f"{name}.yaml", expansion.to_yaml(only_changed=True))
    return [{"domain": domain, **scenario} for scenario in seeds]


def _write_moments(path: Path, rows: Iterator[dict[str, Any]], count: int) -> int:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row, _ in zip(rows, range(count), strict=False)]
    write_text(path, "".join(lines))
    return len(lines)


def moment_rows(seed: int, looking_back: int) -> Iterator[dict[str, Any]]:
    """Rows of the simulator without end, no question twice; `looking_back`: tell what so many seconds changed."""
    asked: set[str] = set()
    fight = 0
    while True:
        for domain in DOMAINS:
            fight += 1
            moments = play(domain, seed * 1_000_003 + fight)
            for moment in _drawn(moments[looking_back:], random.Random(f"moments {seed} {fight}")):
                row = _row(moment, moments[moment.second - looking_back], fight)
                if row["messages"][1]["content"] not in asked:
                    asked.add(row["messages"][1]["content"])
                    yield row


def _drawn(moments: list[Moment], draw: random.Random) -> list[Moment]:
    """A few allowed moments of a fight, each decided by another rule: most of a fight is the same again and again."""
    by_rule: dict[str, Moment] = {}
    for moment in draw.sample(moments, len(moments)):
        if doctrine(moment.domain).allows(moment.scenario):
            by_rule.setdefault(f"{moment.domain} {moment.values['assessment']}", moment)
    return list(by_rule.values())[:MOMENTS_PER_FIGHT]


def _row(moment: Moment, earlier: Moment, fight: int) -> dict[str, Any]:
    messages = doctrine(moment.domain).messages(moment.scenario, _change(earlier, moment))
    return {
        "messages": messages,
        "answer": json.loads(messages[-1]["content"]),
        "tag": moment.domain,
        "group": f"fight/{fight}",
        "scenario": moment.scenario,
        "state": moment.state.vector(),
        "second": moment.second,
    }


def _change(earlier: Moment, now: Moment) -> str:
    """What happened between two moments, as a sentence; nothing for the same moment."""
    seconds = now.second - earlier.second
    if not seconds:
        return ""
    before, after = earlier.state, now.state
    return (
        f"In {seconds} s: range {after.range_km - before.range_km:+.1f} km, "
        f"height {after.altitude_km - before.altitude_km:+.1f} km, speed {after.speed_ms - before.speed_ms:+d} m/s. "
    )


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Write rows of guidance for the flight-combat game.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows expanded from the seeds")
    parser.add_argument("--seed", type=int, default=0, help="the same seed writes the same bytes")
    chosen = parser.parse_args()
    try:
        written = generate(chosen.out, chosen.rows, chosen.seed)
    except BadInput as error:
        parser.exit(2, f"{error}\n")
    print(json.dumps(asdict(written)))


if __name__ == "__main__":
    main()
