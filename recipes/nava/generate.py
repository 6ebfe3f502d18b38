"""Write Nava rows: train.jsonl and eval.jsonl in Alpaca's columns, the same bytes for the same seed.

    python -m recipes.nava.generate --out rows --rows 900 --seed 0

Half of the rows ask for a program, half for an explanation; data.yaml mixes them 70 to 30. A fifth is held out, by
program: what is asked in eval.jsonl occurs in train.jsonl in no wording, for no audience and in neither direction.
Beside them lie data.yaml and expansions.yaml, ready for `python cli.py data build`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jobs.errors import BadInput
from jobs.files import write_text
from recipes.nava.exercises import FAMILIES, Exercise, as_columns, draw_exercise
from recipes.nava.prompt import explanation_wish, program_for, wish_for
from recipes.nava.words import AUDIENCES, Audience, explain, facts

HELD_OUT = 0.2
DRAWS_WITHOUT_NEWS = 2000
BESIDE = ("data.yaml", "expansions.yaml")
PROGRAM, EXPLANATION = "program", "explanation"

Progress = Callable[[float, str], None]
Row = dict[str, Any]


def generate(out: Path, rows: int, seed: int, progress: Progress | None = None) -> dict[str, dict[str, int]]:
    """Write up to `rows` rows of each kind into the folder `out`; returns how many each file has of each kind.

    Fewer come where the families offer no more. `progress` is called with a fraction from 0 to 1 and a line of text.
    Raises BadInput for less than one row; then nothing is written.
    """
    if rows < 1:
        raise BadInput(f"{rows} rows of each kind were asked for.", "That is nothing.", "Ask for 1 or more.")
    files: dict[str, list[Row]] = {"train": [], "eval": []}
    for number, (tag, make) in enumerate({PROGRAM: _program_row, EXPLANATION: _explanation_row}.items()):
        for row in _rows(tag, make, rows, seed):
            files["eval" if is_held_out(row["group"]) else "train"].append(row)
        if progress is not None:
            progress((number + 1) / 2, f"{tag} rows")
    for part, found in files.items():
        write_text(out / f"{part}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found))
    for name in BESIDE:
        write_text(out / name, Path(__file__).with_name(name).read_text(encoding="utf-8"))
    return {part: dict(Counter(row["tag"] for row in found)) for part, found in files.items()}


def is_held_out(program: str) -> bool:
    """Whether a program belongs to the eval file, whatever else is drawn."""
    number = int.from_bytes(hashlib.blake2b(program.encode(), digest_size=8).digest(), "big")
    return number / 2**64 < HELD_OUT


def _rows(tag: str, make: Callable[[Exercise, Audience], Row], wanted: int, seed: int) -> Iterator[Row]:
    """Different rows, the families in turn; a family that brings nothing new for long is passed over."""
    draw = random.Random(f"{seed} {tag}")
    seen: set[tuple[str, str]] = set()
    without_news = 0
    while len(seen) < wanted and without_news < DRAWS_WITHOUT_NEWS:
        for family in FAMILIES:
            row = make(draw_exercise(family, draw), draw.choice(AUDIENCES))
            asked = (row["instruction"], row["input"])
            without_news += 1
            if asked not in seen and len(seen) < wanted:
                seen.add(asked)
                without_news = 0
                yield row


def _program_row(exercise: Exercise, audience: Audience) -> Row:
    return {
        "instruction": wish_for(exercise, audience),
        "input": "",
        "output": program_for(exercise, audience),
        "tag": PROGRAM,
        "audience": audience,
        **as_columns(exercise),
    }


def _explanation_row(exercise: Exercise, audience: Audience) -> Row:
    return {
        "instruction": explanation_wish(audience),
        "input": exercise.text,
        "output": explain(exercise.program, audience),
        "tag": EXPLANATION,
        "audience": audience,
        **as_columns(exercise),
        "facts": facts(exercise.program, audience),
    }


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Write Nava rows: train.jsonl and eval.jsonl.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--rows", type=int, default=900, help="rows of each kind")
    parser.add_argument("--seed", type=int, default=0, help="the same seed writes the same bytes")
    chosen = parser.parse_args()
    try:
        counts = generate(chosen.out, chosen.rows, chosen.seed)
    except BadInput as error:
        parser.exit(2, f"{error}\n")
    print(json.dumps(counts, indent=1))


if __name__ == "__main__":
    main()
