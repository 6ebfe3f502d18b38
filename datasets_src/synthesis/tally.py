"""What a synthesis has asked, paid and met with, counted from the ledger's entries."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from datasets_src.synthesis.ledger import Failed, Received


@dataclass
class TeacherTally:
    """One teacher's part. `cost` is None where its prices aren't known; `estimated`: answers without token counts."""

    answers: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: int = 0
    cost: float | None = 0.0
    seconds: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    last_failure: str = ""

    def figures(self) -> dict[str, Any]:
        """For the job's figures."""
        return {
            "answers": self.answers,
            "requests": self.answers + self.failures.total(),
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "answers_without_token_counts": self.estimated,
            "cost": _rounded(self.cost),
            "seconds_per_answer": round(self.seconds / self.answers, 3) if self.answers else None,
            "failures": dict(self.failures),
        }


class Tally:
    """The sums over all attempts of a job."""

    def __init__(self) -> None:
        self.teachers: dict[str, TeacherTally] = {}

    def add(self, entry: Received | Failed) -> None:
        """Count an entry of the ledger."""
        teacher = self.teachers.setdefault(entry.teacher, TeacherTally())
        if isinstance(entry, Failed):
            teacher.failures[entry.kind] += 1
            teacher.last_failure = entry.message
            return
        teacher.answers += 1
        teacher.tokens_in += entry.tokens_in
        teacher.tokens_out += entry.tokens_out
        teacher.estimated += entry.estimated
        teacher.seconds += entry.seconds
        teacher.cost = None if teacher.cost is None or entry.cost is None else teacher.cost + entry.cost

    @property
    def answers(self) -> int:
        return sum(teacher.answers for teacher in self.teachers.values())

    @property
    def tokens_in(self) -> int:
        return sum(teacher.tokens_in for teacher in self.teachers.values())

    @property
    def tokens_out(self) -> int:
        return sum(teacher.tokens_out for teacher in self.teachers.values())

    @property
    def cost(self) -> float | None:
        """Of all calls, None when one teacher's is not known."""
        costs = [teacher.cost for teacher in self.teachers.values()]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    @property
    def failures(self) -> Counter[str]:
        """Requests that brought no answer, by kind."""
        return sum((teacher.failures for teacher in self.teachers.values()), Counter())

    def figures(self) -> dict[str, Any]:
        """For the job's figures."""
        return {
            "answers": self.answers,
            "requests": self.answers + self.failures.total(),
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost": _rounded(self.cost),
            "teachers": {name: teacher.figures() for name, teacher in sorted(self.teachers.items())},
        }


def _rounded(cost: float | None) -> float | None:
    return None if cost is None else round(cost, 6)
