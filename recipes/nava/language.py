"""The Nava language: a walker on squares, told where to go. Programs are read from text and written as text.

    go 3            walk three squares ahead; a wall stops the walker where it is
    left            turn; also `right`, and `back` for half a turn
    mark            leave a mark on this square
    repeat 4        do what follows, up to `end`, four times
    until wall      do what follows, up to `end`, as long as there is no wall right ahead
    if wall         do what follows when there is a wall right ahead, else what stands after `else`; closed by `end`
    # …             a comment, up to the end of the line

Numbers go from 1 to 99, blocks may stand in blocks, and how far a line is indented doesn't matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Way = Literal["left", "right", "back"]
LARGEST_NUMBER = 99
DEEPEST = 6
MOST_LINES = 200
INDENT = "  "


class ProgramError(ValueError):
    """What is wrong with a program: `line` counts from 1, 0 where it is no single line's fault."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.line = line
        self.problem = problem


@dataclass(frozen=True)
class Go:
    """Walk so many squares ahead."""

    steps: int


@dataclass(frozen=True)
class Turn:
    """Turn on the spot."""

    way: Way


@dataclass(frozen=True)
class Mark:
    """Leave a mark."""


@dataclass(frozen=True)
class Repeat:
    """A block, so many times."""

    times: int
    body: Program


@dataclass(frozen=True)
class UntilWall:
    """A block, as long as no wall is right ahead."""

    body: Program


@dataclass(frozen=True)
class IfWall:
    """One block when a wall is right ahead, another (maybe none) when not."""

    then: Program
    otherwise: Program = ()


Statement = Go | Turn | Mark | Repeat | UntilWall | IfWall
Program = tuple[Statement, ...]


def read_program(text: str) -> Program:
    """The program in a text. Raises ProgramError that names the first line that can't be read."""
    lines = [_Line(number, words) for number, line in enumerate(text.splitlines(), start=1) if (words := _words(line))]
    if not lines:
        raise ProgramError(0, "there is no statement")
    if len(lines) > MOST_LINES:
        raise ProgramError(0, f"it has {len(lines)} lines, more than {MOST_LINES}")
    return _Reader(lines).program()


def write_program(program: Program, depth: int = 0) -> str:
    """The program as text, one statement a line, blocks indented."""
    return "\n".join(INDENT * level + line for level, line in _lines(program, depth))


@dataclass(frozen=True)
class _Line:
    number: int
    words: list[str]


def _words(line: str) -> list[str]:
    return line.partition("#")[0].split()


class _Reader:
    """Reads lines one after the other."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        self._lines = lines
        self._next = 0

    def program(self) -> Program:
        return self._block((), None)

    def _block(self, closed_by: tuple[str, ...], opened: _Line | None, depth: int = 0) -> Program:
        """Statements up to one of the words in `closed_by`, which is left to be read; up to the end without any."""
        if opened is not None and depth > DEEPEST:
            raise ProgramError(opened.number, f"more than {DEEPEST} blocks stand in one another")
        found: list[Statement] = []
        while self._next < len(self._lines):
            line = self._lines[self._next]
            if line.words[0] in closed_by and len(line.words) == 1:
                if not found:
                    raise ProgramError(line.number, f"nothing stands before `{line.words[0]}`")
                return tuple(found)
            self._next += 1
            found.append(self._statement(line, depth))
        if opened is not None:
            raise ProgramError(opened.number, f"`{' '.join(opened.words)}` has no `end`")
        return tuple(found)

    def _statement(self, line: _Line, depth: int) -> Statement:
        match line.words:
            case ["go", number]:
                return Go(_number(line, number))
            case [way] if way in get_args(Way):
                return Turn(way)  # type: ignore[arg-type]
            case ["mark"]:
                return Mark()
            case ["repeat", number]:
                return Repeat(_number(line, number), self._body(line, depth))
            case ["until", "wall"]:
                return UntilWall(self._body(line, depth))
            case ["if", "wall"]:
                return self._condition(line, depth)
        raise ProgramError(line.number, f"`{' '.join(line.words)[:40]}` is no statement")

    def _body(self, line: _Line, depth: int) -> Program:
        body = self._block(("end",), line, depth + 1)
        self._next += 1
        return body

    def _condition(self, line: _Line, depth: int) -> IfWall:
        then = self._block(("end", "else"), line, depth + 1)
        closing = self._lines[self._next].words[0]
        self._next += 1
        return IfWall(then, self._body(line, depth) if closing == "else" else ())


def _number(line: _Line, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:3]) <= LARGEST_NUMBER and len(text) <= 2):
        raise ProgramError(line.number, f"`{text[:20]}` is no number from 1 to {LARGEST_NUMBER}")
    return int(text)


def _lines(program: Program, depth: int) -> list[tuple[int, str]]:
    """Each line with its depth."""
    found: list[tuple[int, str]] = []
    for statement in program:
        match statement:
            case Go(steps):
                found.append((depth, f"go {steps}"))
            case Turn(way):
                found.append((depth, way))
            case Mark():
                found.append((depth, "mark"))
            case Repeat(times, body):
                found += [(depth, f"repeat {times}"), *_lines(body, depth + 1), (depth, "end")]
            case UntilWall(body):
                found += [(depth, "until wall"), *_lines(body, depth + 1), (depth, "end")]
            case IfWall(then, otherwise):
                found += [(depth, "if wall"), *_lines(then, depth + 1)]
                found += [(depth, "else"), *_lines(otherwise, depth + 1)] if otherwise else []
                found.append((depth, "end"))
    return found
