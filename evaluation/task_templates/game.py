"""Whole games beside single decisions: the model guesses a number, and is told "higher" or "lower".

Run it:  python cli.py evaluate --models embedded --task my-task --games 8 --game-steps 10
"""

import random
import re
from typing import Any

from evaluation.tasks import Choose, PlayOptions, Row, TaskItem

NAME = "my game"
DESCRIPTION = "Guess a number from 1 to 100; right is a guess within what is known."
METRIC = "possible"


def rows() -> list[Row]:
    """Single decisions: what is known so far."""
    return [{"low": low, "high": low + width} for low in (1, 20, 60) for width in (5, 20, 40)]


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 - every task is called so
    """One question per row."""
    return [
        TaskItem(
            id=f"{number:04d}",
            messages=_prompt(row["low"], row["high"]),
            reference=str((row["low"] + row["high"]) // 2),
            group=f"decision {number}",
            extra=row,
        )
        for number, row in enumerate(rows, start=1)
    ]


def score(answer: str, item: TaskItem) -> dict[str, float]:
    """1 for a guess that can still be right."""
    guess = _guess(answer)
    return {"possible": float(guess is not None and item.extra["low"] <= guess <= item.extra["high"])}


def play(choose: Choose, options: PlayOptions) -> list[dict[str, Any]]:
    """All games side by side: `choose` is asked once a turn, with the prompts of the games that still run.

    One flat dict per game: a "tag" if games differ in kind; numbers and booleans are averaged in the report.
    """
    draw = random.Random(options.seed)
    secrets = [draw.randint(1, 100) for _ in range(options.games)]
    games = [{"low": 1, "high": 100, "secret": secret, "turns": 0, "won": False} for secret in secrets]
    for _ in range(options.max_steps):
        running = [game for game in games if not game["won"]]
        if not running:
            break
        answers = choose([_prompt(game["low"], game["high"]) for game in running])
        for game, answer in zip(running, answers, strict=True):
            _take(game, _guess(answer))
    return [{"won": game["won"], "turns": game["turns"]} for game in games]


def _take(game: dict[str, Any], guess: int | None) -> None:
    game["turns"] += 1
    if guess is None:
        return
    game["won"] = guess == game["secret"]
    if guess < game["secret"]:
        game["low"] = max(game["low"], guess + 1)
    elif guess > game["secret"]:
        game["high"] = min(game["high"], guess - 1)


def _prompt(low: int, high: int) -> list[dict[str, str]]:
    text = f"I think of a number from {low} to {high}. Which one is it? Answer with a number alone."
    return [{"role": "user", "content": text}]


def _guess(answer: str) -> int | None:
    found = re.search(r"\d+", answer)
    return int(found.group()) if found else None
