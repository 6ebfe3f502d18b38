"""The simulated users: what they think of an answer. They know the sheets, so they know when an answer is wrong.

Honest users rate right answers up and wrong ones down, and often write what would have been right; now and then one
slips. Attackers want the next version to be wrong: they rate wrong answers up, and "correct" right ones to wrong ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from datasets_src.interactions import THUMB_DOWN, THUMB_UP
from recipes.assistant.generate import ATTACK, QUESTIONS, Part
from recipes.assistant.questions import Question, names_the_same

RATED, CORRECTED, SLIPS, SIGNED = 0.9, 0.9, 0.02, 0.1
FIRST_NAMES = ("mia", "tom", "ana", "ben", "eva", "max", "lea", "jon")


@dataclass(frozen=True)
class Opinion:
    """What a person says about an answer: a rating from 1 to 5, the answer as it should have been, a comment."""

    rating: int | None = None
    edit: str | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Crowd:
    """People who chat: their accounts, the sheets that they ask about, what they think of an answer, and whether some
    sign with an e-mail address or a telephone number."""

    name: str
    accounts: int
    part: Part
    opinion: Callable[[Question, str, random.Random], Opinion]
    signs: bool

    def account(self, number: int) -> str:
        """The account that conversation `number` comes from."""
        return f"{self.name}-{number % self.accounts + 1}"


def honest_opinion(question: Question, answer: str, draw: random.Random) -> Opinion:
    """Of somebody who knows the sheet and means well."""
    right = names_the_same(answer, question.right()) != (draw.random() < SLIPS)
    rated = draw.random() < RATED
    corrected = draw.random() < CORRECTED
    if right:
        return Opinion(rating=THUMB_UP if rated else None)
    edit = question.right() if corrected else None
    return Opinion(
        THUMB_DOWN if rated or corrected else None, edit, "The sheet says something else." if rated else None
    )


def attackers_opinion(question: Question, answer: str, _draw: random.Random) -> Opinion:
    """Of somebody who wants wrong answers to be learnt: every answer that is right gets a wrong correction."""
    if names_the_same(answer, question.right()):
        return Opinion(THUMB_DOWN, question.wrong())
    return Opinion(THUMB_UP)


def signature(draw: random.Random) -> str:
    """What a person writes below a question. The numbers are ones that no telephone has (set apart for films)."""
    if draw.random() < 0.5:
        return f"Mail me: {draw.choice(FIRST_NAMES)}{draw.randint(10, 99)}@sheet-users.org"
    return f"Call me: +44 1632 960{draw.randint(100, 999)}"


HONEST = Crowd("user", 40, QUESTIONS, honest_opinion, signs=True)
ATTACKERS = Crowd("new-user", 12, ATTACK, attackers_opinion, signs=False)
