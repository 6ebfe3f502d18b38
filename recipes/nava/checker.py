"""The checker: runs Nava programs on maps and says whether two of them walk the same way.

    python -m recipes.nava.checker PROGRAM.txt --map room      draws the walk

The walker starts on S and looks east. Directions on a map: up is north.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from jobs.errors import BadInput, Missing
from recipes.nava.language import Go, IfWall, Mark, Program, ProgramError, Repeat, Turn, UntilWall, read_program

# What a program may do before it is said to run on for ever: each step, turn, mark and round of a loop is one.
MOST_ACTIONS = 3000
EAST, NORTH, WEST, SOUTH = (1, 0), (0, 1), (-1, 0), (0, -1)
HEADINGS = (EAST, NORTH, WEST, SOUTH)
QUARTERS = {"left": 1, "back": 2, "right": 3}
Square = tuple[int, int]
Goal = Literal["path", "end"]

DRAWN = {
    "room": """
###########
#.........#
#.........#
#...S.....#
#.........#
#.........#
###########""",
    "corridor": """
#############
######....###
#S.........##
###....######
#############""",
    "nook": """
########
#......#
#......#
#...S#.#
#......#
#......#
########""",
    "yard": """
##############
#............#
#..##........#
#.S.......#..#
#............#
#....##......#
#............#
##############""",
}


@dataclass(frozen=True)
class Map:
    """Where walls stand, seen from the start at (0, 0): (east, north). `bounds` None: open land without an end."""

    name: str
    walls: frozenset[Square] = frozenset()

    def is_wall(self, square: Square) -> bool:
        return square in self.walls


@dataclass
class Walk:
    """What a program did: the squares in order, the first being the start; the way the walker looks; marked squares.

    `turns` and `bumps` (steps that a wall stopped) are counted for whoever explains the program.
    """

    path: list[Square] = field(default_factory=lambda: [(0, 0)])
    heading: int = 0
    marks: set[Square] = field(default_factory=set)
    turns: int = 0
    bumps: int = 0

    @property
    def end(self) -> Square:
        return self.path[-1]

    @property
    def steps(self) -> int:
        return len(self.path) - 1

    def result(self, goal: Goal) -> object:
        """What has to be equal: the whole walk, or where it ends alone."""
        return self.end if goal == "end" else (self.path, self.heading, self.marks)


@lru_cache
def maps() -> dict[str, Map]:
    """All maps by name: `open`, which has no walls, and those drawn above."""
    return {"open": Map("open"), **{name: _drawn(name, text) for name, text in DRAWN.items()}}


def _drawn(name: str, text: str) -> Map:
    rows = text.strip().splitlines()
    places = {(column, -row): cell for row, line in enumerate(rows) for column, cell in enumerate(line)}
    east, north = next(place for place, cell in places.items() if cell == "S")
    return Map(name, frozenset((x - east, y - north) for (x, y), cell in places.items() if cell == "#"))


def run(program: Program, land: Map) -> Walk:
    """Walk a program on a map. Raises ProgramError for one that runs on for ever."""
    machine = _Machine(land)
    machine.run(program)
    return machine.walk


class _Machine:
    def __init__(self, land: Map) -> None:
        self._land = land
        self._left = MOST_ACTIONS
        self.walk = Walk()

    def run(self, program: Program) -> None:
        for statement in program:
            match statement:
                case Go(steps):
                    for _ in range(steps):
                        self._step()
                case Turn(way):
                    self._count()
                    self.walk.heading = (self.walk.heading + QUARTERS[way]) % 4
                    self.walk.turns += 1
                case Mark():
                    self._count()
                    self.walk.marks.add(self.walk.end)
                case Repeat(times, body):
                    for _ in range(times):
                        self._count()
                        self.run(body)
                case UntilWall(body):
                    while not self._wall_ahead():
                        self._count()
                        self.run(body)
                case IfWall(then, otherwise):
                    self._count()
                    self.run(then if self._wall_ahead() else otherwise)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise ProgramError(0, f"it runs on for ever (after {MOST_ACTIONS} actions on the map {self._land.name})")

    def _ahead(self) -> Square:
        (x, y), (east, north) = self.walk.end, HEADINGS[self.walk.heading]
        return x + east, y + north

    def _wall_ahead(self) -> bool:
        return self._land.is_wall(self._ahead())

    def _step(self) -> None:
        self._count()
        if self._wall_ahead():
            self.walk.bumps += 1
        else:
            self.walk.path.append(self._ahead())


def does_the_same(program: str, wanted: str, goal: Goal = "path") -> bool:
    """Whether a program walks as `wanted` does on every map on which that comes to an end.

    `goal` "end" asks only that it arrives at the same square where no wall is in the way. Raises BadInput where
    `wanted` is no program, or comes to an end nowhere; a `program` that can't be read or never ends is not the same.
    """
    try:
        model = read_program(wanted)
    except ProgramError as error:
        raise BadInput(f"The wanted program can't be read: {error}.", f"It is: {wanted[:200]}", "Mend it.") from error
    lands = {"open": maps()["open"]} if goal == "end" else maps()
    ends = {name: walk.result(goal) for name, land in lands.items() if (walk := _walk(model, land)) is not None}
    if not ends:
        raise BadInput(f"The wanted program ends on no map: {wanted[:200]}", "It can't be compared.", "Mend it.")
    try:
        read = read_program(program)
    except ProgramError:
        return False
    walks = {name: _walk(read, maps()[name]) for name in ends}
    return all(walk is not None and walk.result(goal) == ends[name] for name, walk in walks.items())


def _walk(program: Program, land: Map) -> Walk | None:
    """The walk, None where it never ends."""
    try:
        return run(program, land)
    except ProgramError:
        return None


def draw(walk: Walk, land: Map) -> str:
    """The walk on its map: S start, E end, o walked, * marked, # wall."""
    squares = {*walk.path, *land.walls}
    columns, rows = [x for x, _ in squares], [y for _, y in squares]
    cells = dict.fromkeys(land.walls, "#") | dict.fromkeys(walk.path, "o") | dict.fromkeys(walk.marks, "*")
    cells |= {(0, 0): "S", walk.end: "E"}
    across, down = range(min(columns), max(columns) + 1), range(max(rows), min(rows) - 1, -1)
    return "\n".join("".join(cells.get((x, y), ".") for x in across) for y in down)


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Run a Nava program and draw its walk.")
    parser.add_argument("program", type=Path, help="a text file with the program")
    parser.add_argument("--map", default="open", choices=sorted(maps()), help="where it walks")
    chosen = parser.parse_args()
    try:
        walk = run(_read(chosen.program), maps()[chosen.map])
    except (ProgramError, Missing) as error:
        parser.exit(2, f"{chosen.program}: {error}\n")
    print(draw(walk, maps()[chosen.map]))
    print(f"steps {walk.steps}, turns {walk.turns}, stopped by a wall {walk.bumps}; ends at {walk.end} (east, north)")


def _read(path: Path) -> Program:
    if not path.is_file():
        raise Missing(f"There is no file {path}.", "The program is read from it.", "Check the path.")
    return read_program(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
