"""How a wish or a program is put to the model, and how programs are found in its answers."""

from __future__ import annotations

import re

from recipes.nava.exercises import Exercise
from recipes.nava.language import ProgramError, read_program
from recipes.nava.words import Audience

FENCE = re.compile(r"```[\w+-]*[ \t]*\n(.*?)(?:\n```|\Z)", re.DOTALL)


def wish_for(exercise: Exercise, audience: Audience) -> str:
    """The instruction that asks for a program."""
    return f"Write Nava for {_article(audience)}: {exercise.wish}."


def program_for(exercise: Exercise, audience: Audience) -> str:
    """The program that answers it; beginners get a comment above it."""
    return f"# {exercise.comment}\n{exercise.text}" if audience == "beginner" else exercise.text


def explanation_wish(audience: Audience) -> str:
    """The instruction that asks for an explanation; the program is its input."""
    return f"Explain this Nava program to {_article(audience)}."


def _article(audience: Audience) -> str:
    return "a beginner" if audience == "beginner" else "an expert"


def program_in(answer: str) -> str:
    """The program in a wordy answer: its first code fence, else the longest run of lines that is a program."""
    fenced = FENCE.search(answer)
    if fenced:
        return fenced.group(1)
    lines = answer.splitlines()
    runs = (lines[start:end] for start in range(len(lines)) for end in range(len(lines), start, -1))
    readable = ("\n".join(run) for run in runs if _can_be_read("\n".join(run)))
    return max(readable, key=len, default=answer)


def _can_be_read(text: str) -> bool:
    try:
        read_program(text)
    except ProgramError:
        return False
    return True
