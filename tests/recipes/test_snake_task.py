"""Decisions are scored against the named teacher; the ceiling is what a prompt allows; games follow the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from evaluation.tasks import PlayOptions, checked_items, checked_score, load_task
from jobs.errors import BadInput
from jobs.workspace import Workspace
from recipes.snake import task
from recipes.snake.game import Board, advance
from recipes.snake.generate import generate
from recipes.snake.play import Game, Turn, play_games, random_safe_player, teachers_play
from recipes.snake.prompt import Sight, messages, read_prompt
from recipes.snake.teachers import TEACHERS

FIRST = Sight("BFS", -2, 3, ("UP", "LEFT"))
SECOND = Sight("DFS", 0, 1, ("RIGHT",))


def row(sight: Sight, move: str, number: int) -> dict[str, Any]:
    conversation = [*messages(sight), {"role": "assistant", "content": move}]
    return {"messages": conversation, "source": "rows.jsonl", "row": number, "group": sight.text()}


ROWS = [row(FIRST, "UP", 1), row(FIRST, "UP", 2), row(FIRST, "LEFT", 3), row(SECOND, "RIGHT", 4)]


def test_the_task_loads_by_its_module_and_by_its_file() -> None:
    by_module = load_task("recipes.snake.task")
    by_file = load_task(str(Path(task.__file__)))
    assert by_module.name == by_file.name == "Snake"
    assert by_module.metric == "accuracy" and by_module.lenient_metric == "lenient" and by_module.play is not None


def test_items_carry_the_teacher_the_move_and_the_safe_moves() -> None:
    items = checked_items(load_task("recipes.snake.task"), ROWS, ROWS)
    assert [item.tag for item in items] == ["BFS", "BFS", "BFS", "DFS"]
    assert [item.reference for item in items] == ["UP", "UP", "LEFT", "RIGHT"]
    assert items[0].extra["safe"] == ["UP", "LEFT"]
    assert items[0].group == FIRST.text()
    assert [turn["role"] for turn in items[0].messages] == ["system", "user"]


def test_rows_of_another_dataset_are_refused() -> None:
    stranger = {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]}
    with pytest.raises(BadInput, match="Hello"):
        task.items([stranger], [stranger])


@pytest.mark.parametrize(
    ("answer", "scores"),
    [
        ("UP", (1, 1, 1)),
        ("UP!", (1, 1, 1)),
        ("Go up.", (0, 1, 1)),
        ("LEFT", (0, 0, 1)),
        ("DOWN", (0, 0, 0)),
        ("Sorry?", (0, 0, 0)),
    ],
)
def test_an_answer_is_scored_strictly_leniently_and_for_safety(answer: str, scores: tuple[int, int, int]) -> None:
    item = task.items(ROWS, ROWS)[0]
    found = checked_score(load_task("recipes.snake.task"), answer, item)
    assert (found["accuracy"], found["lenient"], found["safe"]) == scores


def test_the_ceiling_is_the_share_of_the_commonest_move_of_each_prompt() -> None:
    references = task.references(task.items(ROWS, ROWS), ROWS, seed=0)
    assert references["ceiling"] == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1.0])
    # The same sum, counted by hand: always answering UP and RIGHT is right in 3 of the 4 rows.
    assert sum(references["ceiling"]) == pytest.approx(3.0)


def test_the_random_reference_is_seeded_and_right_as_often_as_chance_allows() -> None:
    rows = [row(FIRST, "UP", number) for number in range(400)]
    items = task.items(rows, rows)
    first = task.references(items, rows, seed=1)["random safe move"]
    assert first == task.references(items, rows, seed=1)["random safe move"]
    assert first != task.references(items, rows, seed=2)["random safe move"]
    assert 0.4 < sum(first) / len(first) < 0.6


def test_a_teacher_as_player_plays_its_own_game_move_by_move() -> None:
    games = play_games(teachers_play, games=8, max_steps=2000, seed=4)
    assert [game.teacher for game in games] == [*TEACHERS, *TEACHERS]
    starts: list[Turn] = []
    play_games(lambda turns: [starts.extend(turns) or "none"] * len(turns), games=8, max_steps=1, seed=4)
    for game, start in zip(games, starts, strict=True):
        state = start.state
        while state.ending is None:
            state = advance(state, TEACHERS[start.teacher](state))
        assert game.state == state and game.ending == state.ending
        assert game.unsafe == game.unreadable == 0
    assert all(game.as_row()["won"] for game in games if game.teacher == "Hamiltonian")


def test_games_advance_in_one_batch_and_end_when_their_turns_do() -> None:
    sizes: list[int] = []

    def choose(prompts: list[list[dict[str, Any]]]) -> list[str]:
        sizes.append(len(prompts))
        return [read_prompt(prompt[-1]["content"]).safe[0] for prompt in prompts]

    rows = task.play(choose, PlayOptions(games=6, max_steps=5, seed=0))
    assert sizes == [6] * 5
    assert [found["tag"] for found in rows] == ["BFS", "DFS", "A*", "Hamiltonian", "BFS", "DFS"]
    assert all(found["steps"] == 5 and found["ending"] == "turns" and not found["won"] for found in rows)


def test_an_answer_without_a_move_ends_its_game_and_a_wordy_one_is_counted() -> None:
    silent = play_games(lambda turns: ["no idea"] * len(turns), games=2, max_steps=9, seed=0)
    assert [(game.ending, game.unreadable, game.state.steps) for game in silent] == [("no move", 1, 0)] * 2
    wordy = play_games(lambda turns: [f"I go {answer}" for answer in teachers_play(turns)], 2, 9, seed=0)
    assert [(game.ending, game.unreadable, game.state.steps) for game in wordy] == [("turns", 9, 9)] * 2


def test_always_going_up_is_counted_as_unsafe_and_ends_at_the_wall() -> None:
    games = play_games(lambda turns: ["UP"] * len(turns), games=4, max_steps=100, seed=1, board=Board(8, 8))
    assert all(game.ending == "wall" and game.unsafe == 1 for game in games)


def test_reference_games_begin_alike_and_teachers_do_better_than_chance() -> None:
    games = task.reference_games(PlayOptions(games=8, max_steps=60, seed=0))
    scores = {name: sum(found["score"] for found in rows) for name, rows in games.items()}
    assert scores["teacher"] > 2 * scores["random safe move"]
    again: list[Game] = play_games(random_safe_player(0), games=8, max_steps=60, seed=0)
    assert [game.as_row() for game in again] == games["random safe move"]


def test_no_held_out_prompt_of_the_built_dataset_occurs_in_training(workspace: Workspace, tmp_path: Path) -> None:
    generate(tmp_path / "rows", rows=100, seed=0)
    spec = DatasetSpec.load(tmp_path / "rows" / "data.yaml").with_absolute_paths(tmp_path / "rows")
    version = build(spec, workspace)
    train, held_out = version.train(), version.eval()
    assert len(train) + len(held_out) == 400
    items = checked_items(load_task("recipes.snake.task"), held_out, train + held_out)
    assert {item.tag for item in items} == set(TEACHERS)
    assert not {item.messages[-1]["content"] for item in items} & {row["messages"][1]["content"] for row in train}
    ceiling = task.references(items, train + held_out, seed=0)["ceiling"]
    assert 0.9 < sum(ceiling) / len(ceiling) <= 1.0
