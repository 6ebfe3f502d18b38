"""Write Snake rows: one JSONL file per teacher and the DatasetSpec that mixes them, the same bytes for the same seed.

    python -m recipes.snake.generate --out rows --rows 1500 --seed 0 --board 8

Each teacher plays whole games; from each game a few moments are drawn, so that rows come from many games and all
their phases. Half are drawn from the moments with a choice: two free moves lead nearer to the apple, and which one is
made tells one teacher from another. Of all moments they are only a fifth, too few to learn the difference from.
A row is a pair of prompt and move that the file doesn't hold yet: two moves for one prompt (the body, which the prompt
leaves out, was another) are both kept. A row's group is its prompt, so that a split by group never puts one prompt on
both sides.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jobs.errors import BadInput
from jobs.files import write_text
from recipes.snake.game import Board, State, advance, free_moves, new_game
from recipes.snake.prompt import look, messages
from recipes.snake.teachers import TEACHERS, cycle, moves_towards_apple

MOMENTS_PER_GAME = 64
GAMES_WITHOUT_NEWS = 50
DATA_SPEC = Path(__file__).with_name("data.yaml")
FILES = {"BFS": "bfs.jsonl", "DFS": "dfs.jsonl", "A*": "a_star.jsonl", "Hamiltonian": "hamiltonian.jsonl"}

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class TeacherReport:
    """What one teacher's file holds: rows, different prompts among them, and the games they were drawn from.

    `rows` is less than was asked for where a small board offers no more.
    """

    teacher: str
    file: str
    rows: int
    prompts: int
    games: int


def generate(
    out: Path, rows: int, seed: int, board: Board | None = None, progress: Progress | None = None
) -> list[TeacherReport]:
    """Write up to `rows` rows per teacher into the folder `out`, and beside them data.yaml, which mixes them.

    `progress` is called with a fraction from 0 to 1 and a line of text. Raises BadInput for a number of rows below 1
    and for a board with two odd sides; then nothing is written.
    """
    board = board or Board()
    if rows < 1:
        raise BadInput(f"{rows} rows per teacher were asked for.", "That is nothing.", "Ask for 1 or more.")
    cycle(board)
    reports = []
    for number, teacher in enumerate(TEACHERS):
        tell = _share_of(progress, number, len(TEACHERS))
        reports.append(_write_teacher(out, teacher, rows, seed, board, tell))
    write_text(out / DATA_SPEC.name, DATA_SPEC.read_text(encoding="utf-8"))
    if progress is not None:
        progress(1.0, f"{sum(report.rows for report in reports)} rows written")
    return reports


def _share_of(progress: Progress | None, number: int, parts: int) -> Progress:
    """Progress of part `number` of `parts` (from 0), told as progress of the whole."""

    def tell(fraction: float, message: str) -> None:
        if progress is not None:
            progress((number + fraction) / parts, message)

    return tell


def _write_teacher(out: Path, teacher: str, rows: int, seed: int, board: Board, progress: Progress) -> TeacherReport:
    lines: list[str] = []
    prompts: set[str] = set()
    games = 0
    for row in teacher_rows(teacher, rows, seed, board):
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        prompts.add(row["group"])
        games = row["game"]
        if len(lines) % 100 == 0:
            progress(len(lines) / rows, f"{teacher}: {len(lines)} of {rows} rows")
    write_text(out / FILES[teacher], "".join(lines))
    return TeacherReport(teacher, FILES[teacher], len(lines), len(prompts), games)


def teacher_rows(teacher: str, rows: int, seed: int, board: Board) -> Iterator[dict[str, Any]]:
    """Up to `rows` different rows of one teacher; ends early when many games in a row bring nothing new."""
    seen: set[tuple[str, str]] = set()
    game = last_news = 0
    while len(seen) < rows and game - last_news < GAMES_WITHOUT_NEWS:
        game += 1
        for row in _game_rows(teacher, seed, game, board):
            key = (row["group"], row["messages"][-1]["content"])
            if key not in seen and len(seen) < rows:
                seen.add(key)
                last_news = game
                yield row


def _game_rows(teacher: str, seed: int, game: int, board: Board) -> Iterator[dict[str, Any]]:
    """Rows of a few moments of one game, in the order they were played."""
    draw = random.Random(f"{seed} {teacher} {game}")
    choose = TEACHERS[teacher]
    state = new_game(draw.getrandbits(32), board)
    moments: list[State] = []
    while state.ending is None:
        moments.append(state)
        state = advance(state, choose(state))
    for index in sorted(_drawn_moments(draw, moments)):
        yield _row(teacher, game, moments[index])


def _drawn_moments(draw: random.Random, moments: list[State]) -> list[int]:
    """Places of the moments to make rows of: as far as there are so many, half of them with a choice."""
    choices = [index for index, state in enumerate(moments) if has_choice(state)]
    drawn = draw.sample(choices, min(MOMENTS_PER_GAME // 2, len(choices)))
    rest = sorted(set(range(len(moments))) - set(drawn))
    return drawn + draw.sample(rest, min(MOMENTS_PER_GAME - len(drawn), len(rest)))


def has_choice(state: State) -> bool:
    """Whether the apple is neither in the head's row nor in its column, and both moves towards it are free."""
    towards = moves_towards_apple(state)
    return len(towards) == 2 and set(towards.values()) <= set(free_moves(state))


def _row(teacher: str, game: int, state: State) -> dict[str, Any]:
    sight = look(state, teacher)
    return {
        "messages": [*messages(sight), {"role": "assistant", "content": TEACHERS[teacher](state)}],
        "group": sight.text(),
        "teacher": teacher,
        "game": game,
        "step": state.steps,
        "safe": list(sight.safe),
        "board": f"{state.board.width}x{state.board.height}",
    }


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Write Snake rows, one JSONL file per teacher.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--rows", type=int, default=1500, help="rows per teacher")
    parser.add_argument("--seed", type=int, default=0, help="the same seed writes the same bytes")
    parser.add_argument("--board", type=int, default=8, help="cells along each side")
    chosen = parser.parse_args()
    try:
        reports = generate(chosen.out, chosen.rows, chosen.seed, Board(chosen.board, chosen.board))
    except BadInput as error:
        parser.exit(2, f"{error}\n")
    print(json.dumps([asdict(report) for report in reports], indent=1))


if __name__ == "__main__":
    main()
