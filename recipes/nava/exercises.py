"""What is exercised: programs of five families, each with an instruction that asks for it, drawn at random.

walk: steps and turns. reach: a square, told by where it lies; any way there is right. shape: squares, rectangles,
stairs. loop: something done several times. wall: what depends on a wall ahead.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recipes.nava.checker import Goal
from recipes.nava.language import Go, IfWall, Program, Repeat, Statement, Turn, UntilWall, Way, write_program
from recipes.nava.words import clauses, joined, steps_in_words

LONGEST_WALK = 9
SIDES: tuple[Way, ...] = ("left", "right")
WAYS: tuple[Way, ...] = ("left", "right", "back")


@dataclass(frozen=True)
class Exercise:
    """A program and the wish that it fulfils. `wish` follows a colon; `comment`: what beginners read above the program;
    `goal`: what of the walk the wish decides."""

    family: str
    wish: str
    program: Program
    comment: str
    goal: Goal = "path"

    @property
    def text(self) -> str:
        return write_program(self.program)


def draw_exercise(family: str, draw: random.Random) -> Exercise:
    """An exercise of a family."""
    return FAMILIES[family](draw)


def _go(draw: random.Random, most: int = LONGEST_WALK) -> Go:
    return Go(draw.randint(1, most))


def _turn(draw: random.Random, ways: tuple[Way, ...] = WAYS) -> Turn:
    return Turn(draw.choice(ways))


def _walk(draw: random.Random) -> Exercise:
    program: list[Statement] = [_go(draw)]
    for _ in range(draw.choice((1, 1, 2))):
        program += [_turn(draw), _go(draw)]
    return Exercise("walk", _as_wish(tuple(program)), tuple(program), "step by step")


def _reach(draw: random.Random) -> Exercise:
    east, north = (draw.choice((-1, 1)) * draw.randint(1, LONGEST_WALK) for _ in range(2))
    along, up = abs(east), abs(north)
    first: list[Statement] = [Go(along)] if east > 0 else [Turn("back"), Go(along)]
    side: Way = "left" if (east > 0) == (north > 0) else "right"
    place = f"{along} {'east' if east > 0 else 'west'} and {up} {'north' if north > 0 else 'south'}"
    wish = draw.choice((f"go to the square {place} of the start", f"reach the square {place} of here"))
    return Exercise("reach", wish, (*first, Turn(side), Go(up)), "along first, then up or down", "end")


def _shape(draw: random.Random) -> Exercise:
    return draw.choice((_square, _rectangle, _stairs))(draw)


def _square(draw: random.Random) -> Exercise:
    side, turn = _go(draw), _turn(draw, SIDES)
    wish = f"walk a square with sides of {side.steps}, turning {turn.way}"
    return Exercise("shape", wish, (Repeat(4, (side, turn)),), "a square")


def _rectangle(draw: random.Random) -> Exercise:
    long, wide, turn = _go(draw), _go(draw), _turn(draw, SIDES)
    wish = f"walk a rectangle of {long.steps} by {wide.steps}, turning {turn.way}"
    return Exercise("shape", wish, (Repeat(2, (long, turn, wide, turn)),), "a rectangle")


def _stairs(draw: random.Random) -> Exercise:
    times, tread, rise, up = draw.randint(2, 6), _go(draw, 4), _go(draw, 4), draw.choice(SIDES)
    down: Way = "right" if up == "left" else "left"
    wish = f"walk {times} stairs to the {up}, each {tread.steps} ahead and {rise.steps} aside"
    return Exercise("shape", wish, (Repeat(times, (tread, Turn(up), rise, Turn(down))),), "stairs")


def _loop(draw: random.Random) -> Exercise:
    times, body = draw.randint(2, 9), (_go(draw), _turn(draw))
    words = joined(clauses(body, "wish"))
    wish = draw.choice((f"do this {times} times: {words}", f"{times} times over, {words}"))
    return Exercise("loop", wish, (Repeat(times, body),), "a loop")


def _wall(draw: random.Random) -> Exercise:
    return draw.choice((_to_wall, _if_wall))(draw)


def _to_wall(draw: random.Random) -> Exercise:
    after = (_turn(draw), _go(draw))
    wish = f"walk to the next wall, then {joined(clauses(after, 'wish'))}"
    return Exercise("wall", wish, (UntilWall((Go(1),)), *after), "look for the wall")


def _if_wall(draw: random.Random) -> Exercise:
    turn, ahead, last = _turn(draw), _go(draw), _go(draw)
    wish = f"if there is a wall ahead, {clauses((turn,), 'wish')[0]}, else walk {steps_in_words(ahead.steps)}; "
    wish += f"then walk {steps_in_words(last.steps)}"
    return Exercise("wall", wish, (IfWall((turn,), (ahead,)), last), "look for the wall")


def _as_wish(program: Program) -> str:
    return joined(clauses(program, "wish"))


FAMILIES: dict[str, Callable[[random.Random], Exercise]] = {
    "walk": _walk,
    "reach": _reach,
    "shape": _shape,
    "loop": _loop,
    "wall": _wall,
}


def as_columns(exercise: Exercise) -> dict[str, Any]:
    """What a row keeps of its exercise beside its text; rows of one program are one group."""
    return {"family": exercise.family, "goal": exercise.goal, "group": exercise.text}
