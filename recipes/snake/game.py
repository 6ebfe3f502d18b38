"""The game of Snake: an immutable, seeded state and the rules that lead from one state to the next.

A cell is a number, row * width + column, counted from the top left. The snake begins one cell long; the game is won
when it fills the board. Where the next apple lies depends on the seed and the score alone, so a game is the same
whenever the same moves are made.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from jobs.errors import BadInput

Move = Literal["UP", "DOWN", "LEFT", "RIGHT"]
Ending = Literal["filled", "wall", "body", "starved"]

MOVES: tuple[Move, ...] = ("UP", "DOWN", "LEFT", "RIGHT")
OPPOSITE: dict[Move, Move] = {"UP": "DOWN", "DOWN": "UP", "LEFT": "RIGHT", "RIGHT": "LEFT"}
SMALLEST_SIDE, LARGEST_SIDE = 3, 40


@dataclass(frozen=True)
class Board:
    """The size of the field, in cells."""

    width: int = 8
    height: int = 8

    def __post_init__(self) -> None:
        for side, length in (("width", self.width), ("height", self.height)):
            if not SMALLEST_SIDE <= length <= LARGEST_SIDE:
                raise BadInput(
                    f"A Snake board with {side} {length} was asked for.",
                    f"A side has {SMALLEST_SIDE} to {LARGEST_SIDE} cells.",
                    f"Choose a {side} between {SMALLEST_SIDE} and {LARGEST_SIDE}; 8 is usual.",
                )

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def neighbours(self) -> tuple[dict[Move, int], ...]:
        """For each cell, the cells beside it by the move that leads there, in the order of MOVES."""
        return _neighbours(self.width, self.height)

    def column(self, cell: int) -> int:
        return cell % self.width

    def row(self, cell: int) -> int:
        return cell // self.width


@dataclass(frozen=True)
class State:
    """One moment of a game. `body` begins with the head; `hungry` counts the steps since the last apple.

    `starvation` is the number of steps without an apple after which the game ends.
    """

    board: Board
    body: tuple[int, ...]
    apple: int
    seed: int
    starvation: int
    steps: int = 0
    hungry: int = 0
    ending: Ending | None = None

    @property
    def head(self) -> int:
        return self.body[0]

    @property
    def score(self) -> int:
        """Apples eaten."""
        return len(self.body) - 1

    @property
    def won(self) -> bool:
        return self.ending == "filled"


@lru_cache(maxsize=64)
def _neighbours(width: int, height: int) -> tuple[dict[Move, int], ...]:
    table: list[dict[Move, int]] = []
    for cell in range(width * height):
        row, column = divmod(cell, width)
        reach: dict[Move, tuple[int, bool]] = {
            "UP": (cell - width, row > 0),
            "DOWN": (cell + width, row < height - 1),
            "LEFT": (cell - 1, column > 0),
            "RIGHT": (cell + 1, column < width - 1),
        }
        table.append({move: target for move, (target, on_board) in reach.items() if on_board})
    return tuple(table)


def new_game(seed: int, board: Board | None = None, starvation: int | None = None) -> State:
    """A game about to begin: the head on a cell drawn from the seed.

    Without `starvation` a game ends after as many steps without an apple as the board has cells: a snake that visits
    each cell in turn finds every apple sooner.
    """
    board = board or Board()
    body = (random.Random(f"start {seed}").randrange(board.area),)
    limit = board.area if starvation is None else starvation
    return State(board, body, _place_apple(board, body, seed), seed, limit)


def _place_apple(board: Board, body: tuple[int, ...], seed: int) -> int:
    taken = set(body)
    free = [cell for cell in range(board.area) if cell not in taken]
    return random.Random(f"apple {seed} {len(body)}").choice(free)


def advance(state: State, move: Move) -> State:
    """The state after `move`; a move into a wall or the body ends the game. An ended game stays as it is."""
    if state.ending is not None:
        return state
    target = state.board.neighbours[state.head].get(move)
    steps, hungry = state.steps + 1, state.hungry + 1
    if target is None or not _is_free(state, target):
        return replace(state, steps=steps, hungry=hungry, ending="wall" if target is None else "body")
    if target == state.apple:
        return _eat(replace(state, body=(target, *state.body), steps=steps, hungry=0))
    ending: Ending | None = "starved" if hungry >= state.starvation else None
    return replace(state, body=(target, *state.body[:-1]), steps=steps, hungry=hungry, ending=ending)


def _eat(state: State) -> State:
    if len(state.body) == state.board.area:
        return replace(state, ending="filled")
    return replace(state, apple=_place_apple(state.board, state.body, state.seed))


def _is_free(state: State, target: int) -> bool:
    """Whether the head may go to `target`. The tail's cell is free, as it moves on, save right behind the head."""
    return target not in state.body[:-1] and (len(state.body) != 2 or target != state.body[1])


def free_moves(state: State) -> list[Move]:
    """The moves that don't end the game at once, in the order of MOVES."""
    beside = state.board.neighbours[state.head]
    return [move for move, target in beside.items() if _is_free(state, target)]


def safe_moves(state: State) -> list[Move]:
    """The free moves after which the head can still reach its tail, so that it isn't walled in by itself.

    Where no move is safe in that sense these are the free moves; the list is empty only when the snake is lost.
    """
    free = free_moves(state)
    if len(state.body) == 1:
        return free
    beside = state.board.neighbours[state.head]
    body = sum(1 << cell for cell in state.body)
    return [move for move in free if _reaches_tail(state, beside[move], body)] or free


def _reaches_tail(state: State, target: int, body: int) -> bool:
    """Whether the snake, its head moved to `target`, finds a way to its tail. `body`: its cells before, as bits."""
    if target == state.apple:
        tail = state.body[-1]
        if len(state.body) + 1 == state.board.area:
            return True
    else:
        tail = state.body[-2]
        body &= ~(1 << state.body[-1])
    return _connected(state.board, target, tail, body & ~(1 << tail))


def _connected(board: Board, start: int, goal: int, blocked: int) -> bool:
    """Whether one can walk from `start` to `goal` around `blocked`. Sets of cells are integers, one bit per cell:
    all of them take a step at once, which keeps this, the most frequent question of the game, in microseconds."""
    width = board.width
    not_first, not_last = _inner_columns(width, board.height)
    free = ~blocked
    aim = 1 << goal
    reached, before = 1 << start, 0
    while reached != before:
        if reached & aim:
            return True
        before = reached
        sideways = (reached & not_last) << 1 | (reached & not_first) >> 1
        reached |= (reached << width | reached >> width | sideways) & free & (not_first | not_last)
    return False


@lru_cache(maxsize=64)
def _inner_columns(width: int, height: int) -> tuple[int, int]:
    """All cells but those of the first column, and all but those of the last, as bits."""
    first = sum(1 << row * width for row in range(height))
    board = (1 << width * height) - 1
    return board & ~first, board & ~(first << (width - 1))
