"""The exercises: small Python functions, each asked for in one sentence, with an answer of our own and tests.

An exercise takes some things from its argument, those of a kind, changes them, and makes one result of them:
"the sum of the squares of the even numbers in xs". What comes out is computed here by composing plain functions, never
by running an answer; tests are assertions about that. There are three domains: lists, text and numbers.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, Literal

from jobs.errors import BadInput

Part = Literal["campaign", "practice", "held out"]
PARTS: dict[Part, float] = {"campaign": 0.6, "practice": 0.2, "held out": 0.2}
INPUTS = 6


@dataclass(frozen=True)
class Which:
    """Which of the things count. `near`: values around which a wrong condition shows."""

    words: str
    code: str
    holds: Callable[[Any], bool]
    near: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Change:
    """What is made of each of them. `words` has a place for which things they are."""

    words: str
    code: str
    of: Callable[[Any], Any]


@dataclass(frozen=True)
class Result:
    """What all of them come to. `code` has places for the change and for the loop over what counts."""

    words: str
    code: str
    of: Callable[[list[Any]], Any]


@dataclass(frozen=True)
class Kind:
    """Exercises over one sort of argument; `things` takes apart what `source` does in code."""

    domain: str
    argument: str
    source: str
    things: Callable[[Any], Iterable[Any]]
    inputs: Callable[[random.Random, tuple[Any, ...]], Any]
    whiches: tuple[Which, ...]
    changes: tuple[Change, ...]
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Exercise:
    """One function to write."""

    kind: Kind
    which: Which
    change: Change
    result: Result

    @property
    def domain(self) -> str:
        return self.kind.domain

    @property
    def prompt(self) -> str:
        """What is asked."""
        wanted = self.result.words.format(self.change.words.format(self.which.words))
        return f"Write a Python function f({self.kind.argument}) that returns {wanted}."

    @property
    def answer(self) -> str:
        """A function that does it."""
        name = "w" if self.domain == "text" else "x"
        loop = f"for {name} in {self.kind.source} if {self.which.code}"
        returned = self.result.code.format(change=self.change.code, loop=loop)
        return f"def f({self.kind.argument}):\n    return {returned}"

    def value(self, argument: Any) -> Any:
        """What the function has to return."""
        kept = [thing for thing in self.kind.things(argument) if self.which.holds(thing)]
        return self.result.of([self.change.of(thing) for thing in kept])

    @property
    def tests(self) -> str:
        """Assertions that a right function passes, the same ones for the same exercise."""
        draw = random.Random(self.prompt)
        arguments = [self.kind.inputs(draw, self.which.near) for _ in range(INPUTS)]
        return "\n".join(f"assert f({argument!r}) == {self.value(argument)!r}" for argument in arguments)

    @property
    def part(self) -> Part:
        """What the exercise is for: nobody who is asked in one part is asked in another."""
        place = int.from_bytes(hashlib.blake2b(self.prompt.encode(), digest_size=8).digest(), "big") / 2**64
        for part, share in PARTS.items():
            place -= share
            if place < 0:
                return part
        return "held out"


@lru_cache(maxsize=1)
def exercises() -> dict[str, Exercise]:
    """All exercises by their prompts."""
    return {exercise.prompt: exercise for kind in KINDS for exercise in _of(kind)}


def _of(kind: Kind) -> Iterator[Exercise]:
    for result in kind.results:
        for change in kind.changes if "{change}" in result.code else kind.changes[:1]:
            for which in kind.whiches:
                yield Exercise(kind, which, change, result)


def exercise_of(prompt: str) -> Exercise:
    """The exercise that a prompt asks for. Raises BadInput when it is none of ours."""
    found = exercises().get(prompt.strip())
    if found is None:
        raise BadInput(
            f"'{prompt[:80]}' is no exercise of this recipe.",
            "There are no tests for it.",
            "Use rows written by `python -m recipes.coder.generate`, or give rows a column `tests` (assert …).",
        )
    return found


def _numbers(draw: random.Random, near: tuple[Any, ...]) -> list[int]:
    """A list of whole numbers, sometimes empty; most hold the values around which a wrong condition shows."""
    if draw.random() < 0.1:
        return []
    found = [draw.randint(-12, 15) for _ in range(draw.randint(3, 6))] + list(near)
    draw.shuffle(found)
    return found


def _words(draw: random.Random, near: tuple[Any, ...]) -> str:
    letters = "abcdeghilmnoprst"
    found = ["".join(draw.choice(letters) for _ in range(draw.randint(1, 9))) for _ in range(draw.randint(2, 4))]
    found += near
    draw.shuffle(found)
    return " ".join(found)


def _limit(draw: random.Random, _near: tuple[Any, ...]) -> int:
    return draw.randint(1, 60)


def _long_number(draw: random.Random, near: tuple[Any, ...]) -> int:
    digits = [str(draw.randint(0, 9)) for _ in range(draw.randint(2, 4))] + [str(digit) for digit in near]
    draw.shuffle(digits)
    return int("".join(digits))


def _parity(things: str) -> tuple[Which, ...]:
    return (
        Which(f"even {things}", "x % 2 == 0", lambda x: x % 2 == 0, (4, 7)),
        Which(f"odd {things}", "x % 2 == 1", lambda x: x % 2 == 1, (4, 7)),
    )


def _compared(things: str, n: int) -> tuple[Which, ...]:
    around = (n - 1, n, n + 1)
    return (
        Which(f"{things} greater than {n}", f"x > {n}", lambda x: x > n, around),
        Which(f"{things} less than {n}", f"x < {n}", lambda x: x < n, around),
    )


def _divisible(things: str, n: int) -> tuple[Which, ...]:
    around = (n, 2 * n, n + 1)
    return (
        Which(f"{things} divisible by {n}", f"x % {n} == 0", lambda x: x % n == 0, around),
        Which(f"{things} not divisible by {n}", f"x % {n} != 0", lambda x: x % n != 0, around),
    )


def _spelled(c: str) -> tuple[Which, ...]:
    around = (f"{c}no", f"on{c}", f"o{c}n")
    return (
        Which(f"words in s that start with '{c}'", f"w.startswith('{c}')", lambda w: w[0] == c, around),
        Which(f"words in s that end with '{c}'", f"w.endswith('{c}')", lambda w: w[-1] == c, around),
        Which(f"words in s that contain '{c}'", f"'{c}' in w", lambda w: c in w, around),
    )


def _as_long(n: int) -> tuple[Which, ...]:
    lengths = ("x" * (n - 1), "y" * n, "z" * (n + 1))
    return (
        Which(f"words in s longer than {n}", f"len(w) > {n}", lambda w: len(w) > n, lengths),
        Which(f"words in s shorter than {n}", f"len(w) < {n}", lambda w: len(w) < n, lengths),
    )


def _each(make: Callable[..., tuple[Which, ...]], *values: Iterable[Any]) -> tuple[Which, ...]:
    """All that `make` gives for each of the values."""
    return tuple(chain.from_iterable(map(make, *values)))


AS_THEY_ARE = Change("the {}", "x", lambda x: x)
SQUARES = Change("the squares of the {}", "x * x", lambda x: x * x)
DOUBLES = Change("the doubles of the {}", "2 * x", lambda x: 2 * x)
SUM = Result("the sum of {}", "sum({change} {loop})", sum)
LIST = Result("the list of {}", "[{change} {loop}]", list)
NUMBER = Result("the count of {}", "sum(1 {loop})", len)
LARGEST = Result("the largest of {}, or 0", "max(({change} {loop}), default=0)", lambda found: max(found, default=0))
SMALLEST = Result("the smallest of {}, or 0", "min(({change} {loop}), default=0)", lambda found: min(found, default=0))

KINDS = (
    Kind(
        domain="lists",
        argument="xs",
        source="xs",
        things=list,
        inputs=_numbers,
        whiches=(
            *_parity("numbers in xs"),
            *_each(_compared, repeat("numbers in xs"), range(2, 9)),
            *_each(_divisible, repeat("numbers in xs"), range(3, 10)),
        ),
        changes=(AS_THEY_ARE, SQUARES, DOUBLES),
        results=(SUM, LIST, NUMBER, LARGEST, SMALLEST),
    ),
    Kind(
        domain="text",
        argument="s",
        source="s.split()",
        things=str.split,
        inputs=_words,
        whiches=(*_each(_spelled, "abcdgilmoprst"), *_each(_as_long, range(2, 8))),
        changes=(
            Change("the {}", "w", lambda w: w),
            Change("the lengths of the {}", "len(w)", len),
            Change("the upper case of the {}", "w.upper()", str.upper),
            Change("the reverse of the {}", "w[::-1]", lambda w: w[::-1]),
        ),
        results=(LIST, NUMBER),
    ),
    Kind(
        domain="numbers",
        argument="n",
        source="range(1, n + 1)",
        things=lambda n: range(1, n + 1),
        inputs=_limit,
        whiches=(
            *_parity("numbers from 1 to n"),
            *_each(_divisible, repeat("numbers from 1 to n"), range(3, 10)),
        ),
        changes=(AS_THEY_ARE, SQUARES, DOUBLES),
        results=(SUM, LIST, NUMBER),
    ),
    Kind(
        domain="numbers",
        argument="n",
        source="map(int, str(n))",
        things=lambda n: map(int, str(n)),
        inputs=_long_number,
        whiches=(*_parity("digits of n"), *_each(_compared, repeat("digits of n"), range(2, 8))),
        changes=(AS_THEY_ARE, SQUARES, DOUBLES),
        results=(SUM, LIST, NUMBER),
    ),
)
