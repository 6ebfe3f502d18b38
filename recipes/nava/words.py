"""Programs in plain English: the clauses that an instruction or an explanation is put together from, and its facts.

A beginner is told what the walker does, step by step. An expert is told the structure and the sums.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from recipes.nava.checker import maps, run
from recipes.nava.language import Go, IfWall, Mark, Program, ProgramError, Repeat, Statement, Turn, UntilWall

Audience = Literal["beginner", "expert"]
Mood = Literal["wish", "report"]
AUDIENCES: tuple[Audience, ...] = ("beginner", "expert")


def steps_in_words(steps: int) -> str:
    return "1 step" if steps == 1 else f"{steps} steps"


def joined(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def clauses(program: Program, mood: Mood) -> list[str]:
    """Simple statements in words: `walk 3 steps` as a wish, `walks 3 steps` as a report."""
    return [_clause(statement, "s" if mood == "report" else "") for statement in program]


def _clause(statement: Statement, ending: str) -> str:
    match statement:
        case Go(steps):
            return f"walk{ending} {steps_in_words(steps)}"
        case Turn("back"):
            return f"turn{ending} round"
        case Turn(way):
            return f"turn{ending} {way}"
        case Mark():
            return f"set{ending} a mark"
    raise ProgramError(0, "a block has no clause of its own")


def explain(program: Program, audience: Audience) -> str:
    """A program told to an audience."""
    return _for_beginner(program) if audience == "beginner" else _for_expert(program)


def facts(program: Program, audience: Audience) -> list[str]:
    """What an explanation has to name, in lower case, in any order and with any words around it."""
    return _plain_facts(program) if audience == "beginner" else _structure(program)


def named_share(answer: str, wanted: Sequence[str]) -> float:
    """The share of facts that an answer names, from 0 to 1. Numbers count whole: `12 steps` doesn't name `2 steps`."""
    said = " ".join(answer.lower().split())
    found = [re.search(rf"(?<!\w){re.escape(fact)}(?!\w)", said) is not None for fact in wanted]
    return sum(found) / len(found)


def _for_beginner(program: Program) -> str:
    match program:
        case (Repeat(times, body),):
            return f"It does this {times} times: it {joined(clauses(body, 'report'))}."
        case (UntilWall(body), *rest):
            return (
                f"It {joined(clauses(body, 'report'))} again and again until a wall is ahead. "
                f"Then it {joined(clauses(tuple(rest), 'report'))}."
            )
        case (IfWall(then, otherwise), *rest):
            return (
                f"If a wall is ahead it {joined(clauses(then, 'report'))}, "
                f"else it {joined(clauses(otherwise, 'report'))}. Then it {joined(clauses(tuple(rest), 'report'))}."
            )
    return f"It {joined(clauses(program, 'report'))}."


def _plain_facts(program: Program) -> list[str]:
    """The clauses of all statements, each once, and how often blocks are done."""
    found: list[str] = []
    for statement in program:
        match statement:
            case Repeat(times, body):
                found += [f"{times} times", *_plain_facts(body)]
            case UntilWall(body):
                found += ["until a wall", *_plain_facts(body)]
            case IfWall(then, otherwise):
                found += ["if a wall", *_plain_facts(then), *_plain_facts(otherwise)]
            case _:
                found += clauses((statement,), "report")
    return list(dict.fromkeys(found))


def _for_expert(program: Program) -> str:
    structure, *counts = _structure(program)
    return f"{structure.capitalize()}: {joined(counts)}."


def _structure(program: Program) -> list[str]:
    """What kind of program it is, then its sums: of the whole walk, or of what follows the wall."""
    match program[0]:
        case Repeat(times, _) if len(program) == 1:
            return [f"loop of {times} rounds", *_sums(program)]
        case UntilWall():
            return ["loop until a wall", *_sums(program[1:])]
        case IfWall():
            return ["choice by a wall", *_sums(program[1:])]
    return [f"sequence of {len(program)} statements", *_sums(program)]


def _sums(program: Program) -> list[str]:
    """Steps and turns, counted by running the program where no wall stops it."""
    walk = run(program, maps()["open"])
    turns = "no turn" if walk.turns == 0 else "1 turn" if walk.turns == 1 else f"{walk.turns} turns"
    return [f"{steps_in_words(walk.steps)}", turns]
