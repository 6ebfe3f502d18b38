"""Rows are the same for the same seed, name their prompt as group, and read back to what they tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasets_src.spec import DatasetSpec
from jobs.errors import BadInput
from recipes.snake.game import Board, new_game
from recipes.snake.generate import FILES, generate
from recipes.snake.prompt import Sight, lenient_move, look, read_prompt, strict_move
from recipes.snake.teachers import TEACHERS


def rows_of(folder: Path, teacher: str) -> list[dict]:
    return [json.loads(line) for line in (folder / FILES[teacher]).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    generate(folder, rows=150, seed=5)
    return folder


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(written: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", rows=150, seed=5)
    generate(tmp_path / "other", rows=150, seed=6)
    for file in FILES.values():
        assert (written / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
        assert (written / file).read_bytes() != (tmp_path / "other" / file).read_bytes()


@pytest.mark.parametrize("teacher", TEACHERS)
def test_a_row_is_a_conversation_with_its_prompt_as_group(written: Path, teacher: str) -> None:
    rows = rows_of(written, teacher)
    assert len(rows) == 150
    for row in rows:
        assert [turn["role"] for turn in row["messages"]] == ["system", "user", "assistant"]
        assert row["group"] == row["messages"][1]["content"]
        assert row["teacher"] == teacher
        assert row["messages"][2]["content"] in row["safe"]
        sight = read_prompt(row["group"])
        assert sight.teacher == teacher and list(sight.safe) == row["safe"]
        assert sight.text() == row["group"]


@pytest.mark.parametrize("teacher", TEACHERS)
def test_no_row_stands_twice_in_a_file_and_few_prompts_have_two_moves(written: Path, teacher: str) -> None:
    rows = rows_of(written, teacher)
    assert len({(row["group"], row["messages"][-1]["content"]) for row in rows}) == len(rows)
    assert len({row["group"] for row in rows}) > 0.95 * len(rows)


@pytest.mark.parametrize("teacher", ["BFS", "DFS", "A*"])
def test_enough_rows_leave_a_choice_between_two_ways_nearer_to_the_apple(written: Path, teacher: str) -> None:
    seen = [read_prompt(row["group"]) for row in rows_of(written, teacher)]
    both = [sight for sight in seen if sight.down and sight.right]
    towards = [("DOWN" if sight.down > 0 else "UP", "RIGHT" if sight.right > 0 else "LEFT") for sight in both]
    choices = sum(set(moves) <= set(sight.safe) for moves, sight in zip(towards, both, strict=True))
    assert choices > 0.3 * len(seen)


def test_the_spec_beside_the_rows_names_every_teachers_file(written: Path) -> None:
    spec = DatasetSpec.load(written / "data.yaml").with_absolute_paths(written)
    assert [Path(source.path) for source in spec.sources] == [written / file for file in FILES.values()]
    assert [source.tag for source in spec.sources] == list(TEACHERS)


def test_a_small_board_gives_what_it_has_and_the_report_says_how_much(tmp_path: Path) -> None:
    told: list[float] = []
    reports = generate(tmp_path, rows=3000, seed=0, board=Board(3, 4), progress=lambda part, _: told.append(part))
    assert [report.teacher for report in reports] == list(TEACHERS)
    for report in reports:
        assert report.rows == len(rows_of(tmp_path, report.teacher)) < 3000
        assert report.prompts <= report.rows and report.games > 50
    assert told == sorted(told) and told[-1] == 1.0


def test_nothing_is_written_for_a_board_without_cycle_or_for_no_rows(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="7×7"):
        generate(tmp_path / "rows", rows=10, seed=0, board=Board(7, 7))
    with pytest.raises(BadInput, match="0 rows"):
        generate(tmp_path / "rows", rows=0, seed=0)
    assert not (tmp_path / "rows").exists()


def test_the_prompt_tells_up_or_down_first_and_leaves_out_the_axis_the_apple_is_on() -> None:
    assert Sight("BFS", -2, 3, ("UP", "LEFT")).text() == "Teacher: BFS. Apple: 2 UP, 3 RIGHT. Safe: UP, LEFT. Move?"
    assert Sight("A*", 2, -2, ("UP",)).text() == "Teacher: A*. Apple: 2 DOWN, 2 LEFT. Safe: UP. Move?"
    assert Sight("DFS", 0, -1, ()).text() == "Teacher: DFS. Apple: 1 LEFT. Safe: none. Move?"


@pytest.mark.parametrize("teacher", TEACHERS)
def test_a_prompt_reads_back_to_what_was_seen(teacher: str) -> None:
    for seed in range(30):
        sight = look(new_game(seed, Board(6, 9)), teacher)
        assert read_prompt(sight.text()) == sight


def test_a_text_that_is_no_prompt_is_refused() -> None:
    with pytest.raises(BadInput, match="What is 2"):
        read_prompt("What is 2 + 2?")


@pytest.mark.parametrize(
    ("answer", "strict", "lenient"),
    [
        ("UP", "UP", "UP"),
        (" LEFT.\n", "LEFT", "LEFT"),
        ('"DOWN"', "DOWN", "DOWN"),
        ("**RIGHT**, because the apple is there", "RIGHT", "RIGHT"),
        ("up", None, "UP"),
        ("I would go right, then up.", None, "RIGHT"),
        ("UPWARDS and LEFT", None, "LEFT"),
        ("The apple was supper.", None, None),
        ("", None, None),
    ],
)
def test_answers_are_read_strictly_and_leniently(answer: str, strict: str | None, lenient: str | None) -> None:
    assert strict_move(answer) == strict
    assert lenient_move(answer) == lenient
