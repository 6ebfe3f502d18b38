"""How well the row checks tell faults from sound rows, and what each costs.

    python -m benchmarks.checks                     (half a minute; precision, recall and µs for each row)

Precision and recall come from planted rows (tests/datasets_src/planted.py) of seeds that no threshold was chosen on.
Times are the least of seven rounds over Alpaca-like rows of about 60 words, on one core; `--rows FILE` takes the rows
of a JSON file in Alpaca's columns instead. The checks of private data share one look at a text, which each pays for
when it is measured alone.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from datasets_src.checks import ROW_CHECKS, CheckSettings, RowCheck
from datasets_src.checks.language import language_of
from datasets_src.checks.private import forget
from datasets_src.rows import Candidate
from tests.datasets_src.planted import language_rows, planted_rows
from tests.datasets_src.planted_clean import prose
from tests.datasets_src.scores import score

HELD_OUT_SEEDS = range(100, 110)
LANGUAGES = ("en", "fr")
ROUNDS = 7


def accuracy(rows_of_each_seed: int) -> None:
    """Print precision and recall of every check on rows of the held-out seeds."""
    planted = [row for seed in HELD_OUT_SEEDS for row in planted_rows(seed, rows_of_each_seed)]
    spoken = [row for seed in HELD_OUT_SEEDS for row in language_rows(seed, rows_of_each_seed // 4, LANGUAGES)]
    print(f"{'check':24}{'precision':>10}{'recall':>8}{'planted':>9}   ({len(planted):,} rows)")
    for check in ROW_CHECKS:
        is_language = check.name == "language"
        found = score(check, spoken if is_language else planted, CheckSettings(LANGUAGES if is_language else ()))
        print(f"{check.name:24}{found.precision:10.3f}{found.recall:8.3f}{found.right + found.missed:9,}")


def alpaca_like(count: int) -> list[Candidate]:
    """Rows of an instruction and an answer of some 50 words."""
    rng = random.Random(0)
    rows = []
    for number in range(count):
        row = Candidate()
        row.add("messages", "user", f"Explain in simple words what matters about subject {number}.", "instruction")
        row.add("messages", "assistant", prose(rng, 4), "output")
        rows.append(row)
    return rows


def read_alpaca(path: Path) -> list[Candidate]:
    """The rows of a JSON file with the columns instruction, input and output."""
    rows = []
    for values in json.loads(path.read_text(encoding="utf-8")):
        row = Candidate()
        row.add("messages", "user", f"{values['instruction']}\n\n{values.get('input') or ''}".strip(), "instruction")
        row.add("messages", "assistant", values["output"], "output")
        rows.append(row)
    return rows


def speed(rows: Sequence[Candidate]) -> None:
    """Print the µs that each check and all of them take for a row, each row looked at by all checks in turn."""
    characters = statistics.mean(sum(len(turn.text) for turn in row.turns()) for row in rows)
    print(f"\n{'check':24}{'µs/row':>8}   ({len(rows):,} rows of {characters:.0f} characters)")
    for check in ROW_CHECKS:
        settings = CheckSettings(LANGUAGES if check.name == "language" else ())
        print(f"{check.name:24}{_microseconds(rows, [check], settings):8.1f}")
    print(f"{'all of them':24}{_microseconds(rows, ROW_CHECKS, CheckSettings()):8.1f}")
    print(f"{'… with languages named':24}{_microseconds(rows, ROW_CHECKS, CheckSettings(LANGUAGES)):8.1f}")
    texts = [" ".join(turn.text for turn in row.turns()) for row in rows]
    print(f"{'language_of':24}{_fastest(lambda: [language_of(text) for text in texts]) / len(rows) * 1e6:8.1f}")


def _microseconds(rows: Sequence[Candidate], checks: Sequence[RowCheck], settings: CheckSettings) -> float:
    def look() -> None:
        forget()
        for row in rows:
            for check in checks:
                list(check.find(row, settings))

    return _fastest(look) / len(rows) * 1e6


def _fastest(action: Callable[[], object]) -> float:
    """The least of the seconds that an action takes, which other programs disturb least."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        action()
        seconds.append(time.process_time() - started)
    return min(seconds)


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Precision, recall and cost of the row checks.")
    parser.add_argument("--rows", type=Path, help="a JSON file in Alpaca's columns to measure the cost on")
    parser.add_argument("--planted", type=int, default=1000, help="planted rows for each of ten seeds")
    arguments = parser.parse_args()
    accuracy(arguments.planted)
    speed(read_alpaca(arguments.rows) if arguments.rows else alpaca_like(1000))


if __name__ == "__main__":
    main()
