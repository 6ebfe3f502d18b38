"""Write what the coder recipe starts from: prompts for two campaigns, prompts to practise on, and held-out exercises.

    python -m recipes.coder.generate --out rows --rows 130

No exercise is in two of the files. first.jsonl and second.jsonl hold the campaigns' prompts by domain; practice.jsonl
and held_out.jsonl hold prompts with our own answers. The specs beside them are ready to be started; `--rows` is how
many rows the campaigns are to make together.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets_src.synthesis.spec import SynthesisSpec
from jobs.errors import BadInput
from jobs.files import write_text
from recipes.coder.exercises import Exercise, Part, exercises

FOLDER = Path(__file__).parent
ROWS = 130
CAMPAIGNS = ("first", "second")
BESIDE = ("data.yaml", "practice.yaml")

Progress = Callable[[float, str], None]


def generate(out: Path, rows: int = ROWS, progress: Progress | None = None) -> dict[str, int]:
    """Write the files into the folder `out`; returns how many lines each has of rows and prompts.

    `progress` is called with a fraction from 0 to 1 and a line of text. Raises BadInput for less than one row; then
    nothing is written.
    """
    if rows < 1:
        raise BadInput(f"{rows} rows were asked for.", "That is nothing.", "Ask for 1 or more.")
    files = {
        **{name: [_prompt(each) for each in found] for name, found in _campaign_prompts().items()},
        "practice": [_answered(each) for each in exercises_for("practice")],
        "held_out": [_answered(each) for each in exercises_for("held out")],
    }
    for number, (name, lines) in enumerate(files.items(), start=1):
        write_text(out / f"{name}.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        if progress is not None:
            progress(number / len(files), f"{name}.jsonl")
    for name in CAMPAIGNS:
        write_text(out / f"{name}.yaml", campaign(name, rows).to_yaml(only_changed=True))
    for name in BESIDE:
        write_text(out / name, (FOLDER / name).read_text(encoding="utf-8"))
    return {name: len(lines) for name, lines in files.items()}


def campaign(name: str, rows: int = ROWS) -> SynthesisSpec:
    """One of the campaigns, its targets in proportion to `rows` of both together."""
    spec = SynthesisSpec.load(FOLDER / f"{name}.yaml")
    domains = [
        domain.model_copy(update={"count": max(1, round((domain.count or 0) * rows / ROWS))}) for domain in spec.domains
    ]
    return spec.model_copy(update={"domains": domains})


def exercises_for(part: Part) -> list[Exercise]:
    """The exercises of a part, in their order."""
    return [exercise for exercise in exercises().values() if exercise.part == part]


def _campaign_prompts() -> dict[str, list[Exercise]]:
    """Three of five prompts for the first campaign, two for the second."""
    found: dict[str, list[Exercise]] = {name: [] for name in CAMPAIGNS}
    for number, exercise in enumerate(exercises_for("campaign")):
        found["first" if number % 5 < 3 else "second"].append(exercise)
    return found


def _prompt(exercise: Exercise) -> dict[str, Any]:
    return {"prompt": exercise.prompt, "tag": exercise.domain}


def _answered(exercise: Exercise) -> dict[str, Any]:
    return {"prompt": exercise.prompt, "completion": exercise.answer, "tag": exercise.domain, "tests": exercise.tests}


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Write the coder recipe's prompts, exercises and specs.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows that the campaigns make together")
    chosen = parser.parse_args()
    try:
        counts = generate(chosen.out, chosen.rows)
    except BadInput as error:
        parser.exit(2, f"{error}\n")
    print(json.dumps(counts, indent=1))


if __name__ == "__main__":
    main()
