"""How well a model plays Snake: single decisions on held-out prompts, and whole games.

A decision is right when it is the move of the teacher that the prompt names. Beside the models stand a random safe
move and the ceiling: teachers see the board, a model only the prompt, so where one prompt has rows with two moves
nobody who knows only the prompt can be right about both.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from evaluation.tasks import Choose, Message, PlayOptions, Row, TaskItem, items_from_conversations
from recipes.snake.play import Turn, play_games, random_safe_player, teachers_play
from recipes.snake.prompt import lenient_move, read_prompt, strict_move

NAME = "Snake"
DESCRIPTION = (
    "The next move, as the teacher named in the prompt would make it. Right is an answer whose first word is that move."
)
METRIC = "accuracy"
LENIENT_METRIC = "lenient"


def items(rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:  # noqa: ARG001 (the ceiling alone needs all rows)
    """One item per row, tagged with its teacher. Raises BadInput for a row that isn't a Snake prompt."""
    found = []
    for item in items_from_conversations(rows):
        sight = read_prompt(_question(item.messages))
        found.append(replace(item, tag=sight.teacher, extra={**item.extra, "safe": list(sight.safe)}))
    return found


def score(answer: str, item: TaskItem) -> dict[str, float]:
    """`accuracy`: the first word is the move; `lenient`: the first move named anywhere is; `safe`: that one is safe."""
    named = lenient_move(answer)
    return {
        "accuracy": float(strict_move(answer) == item.reference),
        "lenient": float(named == item.reference),
        "safe": float(named in item.extra["safe"]),
    }


def references(items: list[TaskItem], all_rows: list[Row], seed: int) -> dict[str, list[float]]:
    """Accuracy per item of a random safe move, and the ceiling: the share that the commonest move has of the rows
    with the item's prompt."""
    moves = moves_by_prompt(all_rows)
    return {
        "random safe move": [_random_safe(item, seed) for item in items],
        "ceiling": [majority_share(moves[_question(item.messages)]) for item in items],
    }


def moves_by_prompt(rows: Iterable[Row]) -> dict[str, Counter[str]]:
    """How often each move is the answer to each prompt."""
    moves: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        moves[_question(row["messages"][:-1])][row["messages"][-1]["content"]] += 1
    return moves


def majority_share(moves: Counter[str]) -> float:
    """The best agreement with `moves` that one answer can have, from 0 to 1."""
    return max(moves.values()) / moves.total()


def play(choose: Choose, options: PlayOptions) -> list[dict[str, Any]]:
    """Whole games in the manner of each teacher in turn: score is apples eaten, won is a board filled."""

    def model(turns: list[Turn]) -> list[str]:
        return choose([turn.messages for turn in turns])

    return [game.as_row() for game in play_games(model, options.games, options.max_steps, options.seed)]


def reference_games(options: PlayOptions) -> dict[str, list[dict[str, Any]]]:
    """The games that the teachers themselves, and a random safe player, make of the same beginnings."""
    players = {"teacher": teachers_play, "random safe move": random_safe_player(options.seed)}
    return {
        name: [game.as_row() for game in play_games(player, options.games, options.max_steps, options.seed)]
        for name, player in players.items()
    }


def _question(messages: list[Message]) -> str:
    """The last thing the user said."""
    return next((str(turn["content"]) for turn in reversed(messages) if turn["role"] == "user"), "")


def _random_safe(item: TaskItem, seed: int) -> float:
    safe = item.extra["safe"]
    return float(bool(safe) and random.Random(f"{seed} {item.id}").choice(safe) == item.reference)
