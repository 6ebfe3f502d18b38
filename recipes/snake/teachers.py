"""Four path finders that play Snake. Each is a plain function from a state to a move, and always gives the same one.

They differ in what they search and in how they break ties. A learner sees a few words about the state, never the
board, so a tie is broken by something those words tell: the axis along which a move goes.
None moves into a wall, into the body or out of its tail's reach while there is a move that doesn't.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from jobs.errors import BadInput
from recipes.snake.game import MOVES, Board, Move, State, safe_moves

Teacher = Callable[[State], Move]
Axis = Literal["vertical", "horizontal"]
UNREACHABLE = 10**6


def bfs(state: State) -> Move:
    """Breadth-first search: a shortest way to the apple, of several the one that begins vertically."""
    distances = _wave(state.board, state.apple, _blocked(state))
    return _nearest(state, lambda cell: distances.get(cell, UNREACHABLE), "vertical")


def a_star(state: State) -> Move:
    """A* with the Manhattan distance: a shortest way, of several the one that begins horizontally."""
    blocked = _blocked(state)
    return _nearest(state, lambda cell: _a_star_distance(state.board, cell, state.apple, blocked), "horizontal")


def dfs(state: State) -> Move:
    """Depth-first search: into the first branch that leads to the apple at all, however long the way.

    Branches towards the apple are tried first, the horizontal one before the vertical one.
    """
    blocked = _blocked(state)
    order = ranked(state, safe_moves(state), "horizontal")
    for move in order:
        if _leads_to(state.board, state.board.neighbours[state.head][move], state.apple, blocked):
            return move
    return order[0] if order else MOVES[0]


def hamiltonian(state: State) -> Move:
    """Follow a fixed cycle through every cell: slow, but it always fills the board.

    Raises BadInput on a board whose sides are both odd: no such cycle exists there.
    """
    move = cycle(state.board)[state.head]
    safe = safe_moves(state)
    return move if move in safe or not safe else safe[0]


TEACHERS: dict[str, Teacher] = {"BFS": bfs, "DFS": dfs, "A*": a_star, "Hamiltonian": hamiltonian}


def apple_offset(state: State) -> tuple[int, int]:
    """Rows down and columns right from the head to the apple; negative is up and left."""
    board = state.board
    return (
        board.row(state.apple) - board.row(state.head),
        board.column(state.apple) - board.column(state.head),
    )


def moves_towards_apple(state: State) -> dict[Axis, Move]:
    """The one or two moves that lessen the distance to the apple by the axis they go along, safe or not."""
    rows, columns = apple_offset(state)
    towards: dict[Axis, Move] = {}
    if rows:
        towards["vertical"] = "UP" if rows < 0 else "DOWN"
    if columns:
        towards["horizontal"] = "LEFT" if columns < 0 else "RIGHT"
    return towards


def ranked(state: State, moves: list[Move], first: Axis) -> list[Move]:
    """`moves` with those towards the apple first, along the axis `first` before the other; then as in MOVES."""
    towards = moves_towards_apple(state)
    second: Axis = "horizontal" if first == "vertical" else "vertical"
    wanted = [towards[axis] for axis in (first, second) if axis in towards]
    return sorted(moves, key=lambda move: wanted.index(move) if move in wanted else 2 + MOVES.index(move))


def _nearest(state: State, distance: Callable[[int], int], first: Axis) -> Move:
    """The safe move from whose cell the apple is nearest; `first` decides between equals."""
    order = ranked(state, safe_moves(state), first)
    beside = state.board.neighbours[state.head]
    return min(order, key=lambda move: distance(beside[move])) if order else MOVES[0]


def _blocked(state: State) -> frozenset[int]:
    """What a path can't cross: the body without its tail, which moves on."""
    return frozenset(state.body[:-1] if len(state.body) > 2 else state.body)


def _wave(board: Board, start: int, blocked: frozenset[int]) -> dict[int, int]:
    """Steps from `start` to every cell that can be reached, by breadth-first search."""
    distances, waiting = {start: 0}, deque([start])
    while waiting:
        cell = waiting.popleft()
        for beside in board.neighbours[cell].values():
            if beside not in distances and beside not in blocked:
                distances[beside] = distances[cell] + 1
                waiting.append(beside)
    return distances


def _a_star_distance(board: Board, start: int, goal: int, blocked: frozenset[int]) -> int:
    """Steps from `start` to `goal` (Hart, Nilsson and Raphael 1968), UNREACHABLE where there is no way."""
    width = board.width
    goal_row, goal_column = divmod(goal, width)
    best, waiting = {start: 0}, [(0, 0, start)]
    while waiting:
        _, minus_walked, cell = heapq.heappop(waiting)
        if cell == goal:
            return -minus_walked
        if -minus_walked > best[cell]:
            continue
        walked = 1 - minus_walked
        for beside in board.neighbours[cell].values():
            if beside not in blocked and walked < best.get(beside, UNREACHABLE):
                best[beside] = walked
                ahead = abs(beside // width - goal_row) + abs(beside % width - goal_column)
                heapq.heappush(waiting, (walked + ahead, -walked, beside))
    return UNREACHABLE


def _leads_to(board: Board, start: int, goal: int, blocked: frozenset[int]) -> bool:
    """Whether depth-first search from `start` comes to `goal`."""
    seen, stack = {start}, [start]
    while stack:
        cell = stack.pop()
        if cell == goal:
            return True
        for beside in board.neighbours[cell].values():
            if beside not in seen and beside not in blocked:
                seen.add(beside)
                stack.append(beside)
    return False


@lru_cache(maxsize=64)
def cycle(board: Board) -> tuple[Move, ...]:
    """For each cell the move to the next cell of a cycle through the whole board.

    With an even number of rows: right along the even rows, left along the odd ones, back up the first column.
    With only the number of columns even the same turned over. Raises BadInput when both are odd.
    """
    if board.height % 2 == 0:
        return tuple(
            _cycle_move(board.row(cell), board.column(cell), board.height, board.width) for cell in range(board.area)
        )
    if board.width % 2 == 0:
        turned: dict[Move, Move] = {"UP": "LEFT", "LEFT": "UP", "DOWN": "RIGHT", "RIGHT": "DOWN"}
        return tuple(
            turned[_cycle_move(board.column(cell), board.row(cell), board.width, board.height)]
            for cell in range(board.area)
        )
    raise BadInput(
        f"The Hamiltonian teacher was asked to play on {board.width}×{board.height}.",
        "Each step goes from a white square of a chessboard to a black one or back, so a cycle's length is even.",
        "Choose a board with at least one even side, such as 8×8, or leave this teacher out.",
    )


def _cycle_move(row: int, column: int, rows: int, columns: int) -> Move:
    """The move at one cell of the cycle for an even number of `rows`."""
    if column == 0:
        return "UP" if row > 0 else "RIGHT"
    if row % 2 == 0:
        return "RIGHT" if column < columns - 1 else "DOWN"
    if row == rows - 1:
        return "LEFT"
    return "LEFT" if column > 1 else "DOWN"


def lane(board: Board, cell: int) -> str:
    """Which part of the cycle a cell belongs to, in words; rows and columns count from 1.

    The cycle runs along the rows, steps down where a row ends (in the last column or in column 2) and returns up
    column 1. Where only the number of columns is even, rows and columns change places. Raises BadInput when both
    are odd.
    """
    cycle(board)
    row, column, rows, columns = board.row(cell) + 1, board.column(cell) + 1, board.height, board.width
    line, cut = "row", "column"
    if rows % 2 == 1:
        row, column, rows, columns, line, cut = column, row, columns, rows, cut, line
    if column == 1:
        return f"{cut} 1"
    if column == (columns if row % 2 == 1 else 2) and row < rows:
        return f"{line} end"
    return f"odd {line}" if row % 2 == 1 else f"even {line}"
