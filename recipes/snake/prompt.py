"""The state of a game in a few words, seen from the head: what a model is told, and how its answer is read.

    Teacher: BFS. Apple: 2 UP, 3 RIGHT. Safe: UP, LEFT. Move?
    Teacher: Hamiltonian. Cell: even row. Apple: 1 DOWN. Safe: LEFT, DOWN. Move?

The teachers disagree, so a prompt names its teacher. Where the apple lies is told relative to the head: a small model
learns from this in minutes, and from coordinates hardly at all. The Hamiltonian teacher doesn't look
at the apple but at where on its cycle the head is, so its prompt tells the kind of cell as well (odd row, even row, row
end, column 1): a place on the board, as a player sees it. Where the cycle goes from each kind has to be learnt.
The body isn't told, so now and then two states read alike and their moves differ: that is the ceiling of any learner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobs.errors import BadInput
from recipes.snake.game import MOVES, Move, State, safe_moves
from recipes.snake.teachers import apple_offset, lane

SYSTEM = "You play Snake."
PATTERN = re.compile(
    r"Teacher: (?P<teacher>\S+)\. (?:Cell: (?P<cell>[^.]+)\. )?Apple: (?P<apple>[^.]+)\. Safe: (?P<safe>[^.]+)\. Move\?"
)
WAY = re.compile(r"(\d+) (UP|DOWN|LEFT|RIGHT)")
WORD = re.compile(r"[A-Z]+")


@dataclass(frozen=True)
class Sight:
    """What a prompt tells. `down` and `right` lead from the head to the apple and are negative for up and left.

    `cell` is told for the Hamiltonian teacher only.
    """

    teacher: str
    down: int
    right: int
    safe: tuple[Move, ...]
    cell: str | None = None

    def text(self) -> str:
        """The user's turn of a conversation."""
        vertical, horizontal = "DOWN" if self.down > 0 else "UP", "RIGHT" if self.right > 0 else "LEFT"
        ways = [(abs(self.down), vertical), (abs(self.right), horizontal)]
        apple = ", ".join(f"{distance} {move}" for distance, move in ways if distance)
        cell = f" Cell: {self.cell}." if self.cell else ""
        safe = ", ".join(self.safe) or "none"
        return f"Teacher: {self.teacher}.{cell} Apple: {apple}. Safe: {safe}. Move?"


def look(state: State, teacher: str) -> Sight:
    """What the prompt of `teacher` tells about `state`. Raises BadInput for Hamiltonian on an odd × odd board."""
    down, right = apple_offset(state)
    cell = lane(state.board, state.head) if teacher == "Hamiltonian" else None
    return Sight(teacher, down, right, tuple(safe_moves(state)), cell)


def messages(sight: Sight) -> list[dict[str, str]]:
    """The conversation up to the answer."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": sight.text()}]


def read_prompt(text: str) -> Sight:
    """The opposite of `Sight.text`. Raises BadInput when `text` is not a prompt of this recipe."""
    found = PATTERN.fullmatch(text)
    if found is None:
        raise BadInput(
            f"'{text[:80]}' is not a Snake prompt.",
            "It doesn't have the parts Teacher, Apple, Safe and Move.",
            "Use rows written by `python -m recipes.snake.generate`, or choose another task for this dataset.",
        )
    ways = {move: int(distance) for distance, move in WAY.findall(found["apple"])}
    return Sight(
        teacher=found["teacher"],
        down=ways.get("DOWN", 0) - ways.get("UP", 0),
        right=ways.get("RIGHT", 0) - ways.get("LEFT", 0),
        safe=tuple(move for move in MOVES if move in found["safe"].split(", ")),
        cell=found["cell"],
    )


def strict_move(answer: str) -> Move | None:
    """The move an answer begins with, in capitals; None when its first word is anything else."""
    words = answer.split()
    first = words[0].strip(".,:;!?\"'`*()[]") if words else ""
    return next((move for move in MOVES if move == first), None)


def lenient_move(answer: str) -> Move | None:
    """The first move named anywhere in an answer, in capitals or not; None when there is none."""
    return next((move for word in WORD.findall(answer.upper()) for move in MOVES if move == word), None)
