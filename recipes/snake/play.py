"""Whole games of Snake, many at once: all running games ask for their next move together, as one batch.

A player is a function from the turns of all running games to an answer for each. A model reads a turn's messages, the
teachers look at its state.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from recipes.snake.game import Board, State, advance, new_game, safe_moves
from recipes.snake.prompt import lenient_move, look, messages, strict_move
from recipes.snake.teachers import TEACHERS


@dataclass(frozen=True)
class Turn:
    """What a player is asked: the next move of one game, in the manner of `teacher`."""

    teacher: str
    state: State
    messages: list[dict[str, Any]]


Player = Callable[[list[Turn]], list[str]]


@dataclass(frozen=True)
class Game:
    """One game, running or ended, and how it was played.

    `unsafe` counts moves that weren't safe while a safe one existed, `unreadable` answers that don't begin with a move:
    of those the first move word anywhere is played, and where there is none the game ends.
    `ending`: filled (won), wall, body, starved, no move (the answer named none), turns (none were left);
    "" while it runs.
    """

    teacher: str
    state: State
    unsafe: int = 0
    unreadable: int = 0
    ending: str = ""

    def as_row(self) -> dict[str, Any]:
        """The game's result as one flat row; `score` is the number of apples."""
        return {
            "tag": self.teacher,
            "won": self.state.won,
            "score": self.state.score,
            "steps": self.state.steps,
            "unsafe": self.unsafe,
            "unreadable": self.unreadable,
            "ending": self.ending,
        }


def play_games(player: Player, games: int, max_steps: int, seed: int, board: Board | None = None) -> list[Game]:
    """Play `games` games of at most `max_steps` moves each, in turn in the manner of each teacher.

    The four teachers' games begin from the same positions. A player that is deterministic plays the same games again.
    """
    board = board or Board()
    names = list(TEACHERS)
    table = [
        Game(names[number % len(names)], new_game(_start_seed(seed, number // len(names)), board))
        for number in range(games)
    ]
    for _ in range(max_steps):
        running = [number for number, game in enumerate(table) if not game.ending]
        if not running:
            break
        turns = [_turn(table[number]) for number in running]
        for number, answer in zip(running, player(turns), strict=True):
            table[number] = _answered(table[number], answer)
    return [game if game.ending else replace(game, ending="turns") for game in table]


def _start_seed(seed: int, number: int) -> int:
    """Other games than those that rows were drawn from, whose seeds are drawn from other words."""
    return random.Random(f"play {seed} {number}").getrandbits(32)


def _turn(game: Game) -> Turn:
    return Turn(game.teacher, game.state, messages(look(game.state, game.teacher)))


def _answered(game: Game, answer: str) -> Game:
    """The game after one answer."""
    unreadable = game.unreadable + (strict_move(answer) is None)
    move = lenient_move(answer)
    if move is None:
        return replace(game, unreadable=unreadable, ending="no move")
    safe = safe_moves(game.state)
    after = advance(game.state, move)
    unsafe = game.unsafe + (bool(safe) and move not in safe)
    return replace(game, state=after, unsafe=unsafe, unreadable=unreadable, ending=after.ending or "")


def teachers_play(turns: list[Turn]) -> list[str]:
    """The player that is each teacher itself."""
    return [TEACHERS[turn.teacher](turn.state) for turn in turns]


def random_safe_player(seed: int) -> Player:
    """A player that makes a random safe move, the same ones for the same seed."""
    draw = random.Random(f"random player {seed}")

    def choose(turns: list[Turn]) -> list[str]:
        return [draw.choice(safe_moves(turn.state) or ["UP"]) for turn in turns]

    return choose
