"""The game's rules and its four teachers, over many seeds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.errors import BadInput
from recipes.snake.game import Board, Move, State, advance, free_moves, new_game, safe_moves
from recipes.snake.teachers import TEACHERS, a_star, bfs, cycle, dfs, hamiltonian, lane


def finished(state: State, teacher: str) -> State:
    while state.ending is None:
        state = advance(state, TEACHERS[teacher](state))
    return state


def state_of(width: int, height: int, body: list[int], apple: int) -> State:
    return State(Board(width, height), tuple(body), apple, seed=0, starvation=width * height)


def test_a_game_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    board = Board()
    assert new_game(3, board) == new_game(3, board)
    assert len({(game.head, game.apple) for game in (new_game(seed, board) for seed in range(50))}) > 30


def test_eating_grows_the_snake_and_the_next_apple_is_on_a_free_cell() -> None:
    after = advance(state_of(4, 4, [0], apple=1), "RIGHT")
    assert after.body == (1, 0) and after.score == 1 and after.hungry == 0
    assert after.apple not in after.body


def test_walls_the_body_and_hunger_end_a_game() -> None:
    assert advance(state_of(4, 4, [0], apple=5), "UP").ending == "wall"
    coiled = state_of(4, 4, [5, 4, 8, 9, 10, 6], apple=15)
    assert advance(coiled, "DOWN").ending == "body"
    assert advance(replace(state_of(4, 4, [0], apple=15), hungry=15), "RIGHT").ending == "starved"


def test_an_ended_game_stays_as_it_is() -> None:
    ended = advance(state_of(4, 4, [0], apple=5), "UP")
    assert advance(ended, "RIGHT") is ended


def test_the_tails_cell_is_free_but_a_snake_of_two_cannot_turn_back() -> None:
    square = state_of(4, 4, [0, 1, 5, 4], apple=15)
    assert "DOWN" in free_moves(square)
    assert advance(square, "DOWN").body == (4, 0, 1, 5)
    assert free_moves(state_of(4, 4, [0, 1], apple=15)) == ["DOWN"]


def test_a_move_into_a_pocket_without_way_to_the_tail_is_not_safe() -> None:
    #  .  .  0  .
    #  3  2  1  .
    #  4  5  6  .
    #  .  .  .  *
    curled = state_of(4, 4, [2, 6, 5, 4, 8, 9, 10], apple=15)
    assert free_moves(curled) == ["LEFT", "RIGHT"]
    assert safe_moves(curled) == ["RIGHT"]


def test_where_no_move_is_safe_the_free_ones_are_offered() -> None:
    #  .  .  0  1
    #  5  4  3  2
    #  6  7  .  .
    trapped = state_of(4, 4, [2, 3, 7, 6, 5, 4, 8, 9], apple=15)
    assert free_moves(trapped) == safe_moves(trapped) == ["LEFT"]


def test_boards_have_sides_of_three_to_forty_cells() -> None:
    with pytest.raises(BadInput, match="width 2"):
        Board(2, 8)


@pytest.mark.parametrize("teacher", TEACHERS)
@pytest.mark.parametrize(
    "board", [Board(8, 8), Board(5, 6), Board(6, 5)], ids=lambda board: f"{board.width}x{board.height}"
)
def test_a_teacher_always_makes_a_safe_move_and_the_same_one(teacher: str, board: Board) -> None:
    for seed in range(6):
        state = new_game(seed, board)
        while state.ending is None:
            move = TEACHERS[teacher](state)
            safe = safe_moves(state)
            assert move in safe or not safe
            assert TEACHERS[teacher](replace(state)) == move
            state = advance(state, move)


@pytest.mark.parametrize("teacher", ["BFS", "DFS", "A*"])
def test_a_teacher_that_seeks_the_apple_eats_more_than_half_a_dozen(teacher: str) -> None:
    scores = [finished(new_game(seed), teacher).score for seed in range(10)]
    assert min(scores) > 6


@pytest.mark.parametrize("board", [Board(6, 6), Board(5, 6), Board(6, 5), Board(8, 8)])
def test_the_hamiltonian_teacher_fills_every_board_with_an_even_side(board: Board) -> None:
    for seed in range(5):
        ended = finished(new_game(seed, board), "Hamiltonian")
        assert ended.won and ended.score == board.area - 1


@pytest.mark.parametrize("board", [Board(8, 8), Board(3, 4), Board(4, 3), Board(7, 10)])
def test_the_cycle_visits_every_cell_once(board: Board) -> None:
    cell, visited = 0, []
    for _ in range(board.area):
        visited.append(cell)
        cell = board.neighbours[cell][cycle(board)[cell]]
    assert cell == 0 and sorted(visited) == list(range(board.area))


def test_a_board_with_two_odd_sides_has_no_cycle_and_says_so() -> None:
    with pytest.raises(BadInput, match="5×7"):
        hamiltonian(new_game(0, Board(5, 7)))
    assert bfs(new_game(0, Board(5, 7))) in ("UP", "DOWN", "LEFT", "RIGHT")


def test_ties_are_broken_along_a_fixed_axis() -> None:
    for apple in (8 * 2 + 5, 8 * 5 + 2):  # wider than high, and higher than wide
        open_field = state_of(8, 8, [0], apple)
        assert bfs(open_field) == "DOWN"
        assert dfs(open_field) == a_star(open_field) == "RIGHT"


def test_only_depth_first_search_takes_a_way_that_is_not_the_shortest() -> None:
    # The head at 5 comes from 10, the apple lies straight behind: aside is nearer than on, and both lead there.
    turned_away = state_of(5, 5, [5, 10], apple=20)
    assert safe_moves(turned_away) == ["UP", "RIGHT"]
    assert bfs(turned_away) == a_star(turned_away) == "RIGHT"
    assert dfs(turned_away) == "UP"


def test_both_shortest_way_teachers_find_ways_of_one_length() -> None:
    for seed in range(10):
        state = new_game(seed)
        while state.ending is None:
            ways = [distance_after(state, teacher(state)) for teacher in (bfs, a_star)]
            assert ways[0] == ways[1]
            state = advance(state, a_star(state))


def distance_after(state: State, move: Move) -> int | None:
    """Steps from the cell that `move` leads to, to the apple, counted ring by ring."""
    beside = state.board.neighbours
    blocked = set(state.body if len(state.body) <= 2 else state.body[:-1])
    ring, seen, steps = {beside[state.head][move]}, set(blocked), 0
    while ring:
        if state.apple in ring:
            return steps
        seen |= ring
        ring = {cell for here in ring for cell in beside[here].values()} - seen
        steps += 1
    return None


def test_the_kind_of_cell_and_what_is_free_tell_the_cycles_move() -> None:
    board = Board(8, 8)
    preferred = {"column 1": "UP", "odd row": "RIGHT", "even row": "LEFT", "row end": "DOWN"}
    assert {lane(board, cell) for cell in range(board.area)} == set(preferred)
    for cell in range(1, board.area):
        assert preferred[lane(board, cell)] == cycle(board)[cell]
    assert lane(board, 0) == "column 1" and cycle(board)[0] == "RIGHT", "in the corner UP is not safe"


def test_kinds_of_cells_turn_with_the_board_when_only_its_width_is_even() -> None:
    board = Board(6, 5)
    assert {lane(board, cell) for cell in range(board.area)} == {"row 1", "odd column", "even column", "column end"}
    ends = [cell for cell in range(board.area) if lane(board, cell) == "column end"]
    assert {cycle(board)[cell] for cell in ends} == {"RIGHT"}
