"""Which model was chosen and why: the record that goes into the answer's headers, the log and the page."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

LONGEST_HEADER = 200
ASKED_BY_NAME, DEFAULT_ROUTE = "asked by name", "default"


class Outcome(StrEnum):
    """How a try ended. `RUNNING`: its first part came, the rest is still to come."""

    RUNNING = "running"
    ANSWERED = "answered"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    CIRCUIT_OPEN = "circuit open"


# As the end of a sentence that begins with the model's name.
TOLD = {Outcome.FAILED: "failed", Outcome.TIMED_OUT: "timed out", Outcome.CIRCUIT_OPEN: "has an open circuit"}


@dataclass(frozen=True)
class Attempt:
    """One model (or ensemble) that was tried. `message` is the engine's own, for the log and the client."""

    target: str
    outcome: Outcome
    message: str = ""


@dataclass(frozen=True)
class MemberVote:
    """What one member of an ensemble said. `vote` is None for one that gave none, and `problem` tells why.

    `counted` is what the vote weighed: weight × scenario weight × confidence. `won`: it voted for the winner.
    """

    model: str
    vote: str | None
    counted: float = 0.0
    confidence: float | None = None
    won: bool = False
    problem: str = ""
    prompt_tokens: int = 0
    answer_tokens: int = 0


@dataclass(frozen=True)
class Decision:
    """`route`: the rule's or ensemble's name, `default`, or `asked by name`. `target`: what that chose.

    `model`: whose answer it is, "" until one answers. `passed`: for each rule that did not fit, why. `reason` and
    `passed` are made of names and of words from the spec alone, never of what was asked.
    """

    route: str
    target: str
    reason: str
    passed: tuple[str, ...] = ()
    model: str = ""
    tried: tuple[Attempt, ...] = ()
    votes: tuple[MemberVote, ...] = ()

    @property
    def sentence(self) -> str:
        """The reason, what failed before, and how the members voted."""
        failed = [f"{each.target} {TOLD[each.outcome]}" for each in self.tried if each.outcome in TOLD]
        fallback = f"; {', '.join(failed)}" if failed else ""
        answers = f", so {self.model} answers" if failed and self.model else ""
        return f"{self.reason}{fallback}{answers}{self._vote_sentence()}"

    def _vote_sentence(self) -> str:
        if not self.votes:
            return ""
        cast = [vote for vote in self.votes if vote.vote is not None]
        won = sum(vote.won for vote in cast)
        weight, total = sum(vote.counted for vote in cast if vote.won), sum(vote.counted for vote in cast)
        silent = [f"{vote.model} {vote.problem}" for vote in self.votes if vote.vote is None]
        missing = f"; {', '.join(silent)}" if silent else ""
        return f"; {won} of {len(cast)} votes (weight {weight:.3g} of {total:.3g}){missing}"

    def as_json(self, *, with_votes: bool = False) -> dict[str, Any]:
        """For the log and the command line. What members voted for is part of their answers: only `with_votes`."""
        votes = [
            {
                "model": vote.model,
                "weight": vote.counted,
                "confidence": vote.confidence,
                "won": vote.won,
                "problem": vote.problem,
                **({"vote": vote.vote} if with_votes else {}),
            }
            for vote in self.votes
        ]
        tried = [{"target": each.target, "outcome": each.outcome.value} for each in self.tried]
        plain = {"route": self.route, "target": self.target, "model": self.model, "reason": self.sentence}
        return {**plain, "passed": list(self.passed), "tried": tried, "votes": votes}


def headers(decision: Decision) -> dict[str, str]:
    """`X-Hearth-Model`, `X-Hearth-Route`, `X-Hearth-Reason`: each one line, 200 printable ASCII characters at most."""
    values: Mapping[str, str] = {
        "X-Hearth-Model": decision.model or decision.target,
        "X-Hearth-Route": decision.route,
        "X-Hearth-Reason": decision.sentence,
    }
    return {name: header_value(value) for name, value in values.items()}


def header_value(text: str, longest: int = LONGEST_HEADER) -> str:
    """Text as a header's value: accents are dropped, other signs become ?, blanks and line ends one space; - if empty.

    What is cut ends in three dots. Safe whatever the text (RFC 9110, section 5.5: visible ASCII and single spaces).
    """
    spelled = unicodedata.normalize("NFKD", text[: 4 * longest])
    unaccented = "".join(sign for sign in spelled if not unicodedata.combining(sign))
    ascii_only = unaccented.encode("ascii", "replace").decode("ascii")
    visible = "".join(sign if " " < sign <= "~" else " " for sign in ascii_only)
    line = " ".join(visible.split())
    short = line if len(line) <= longest else f"{line[: longest - 3].rstrip()}..."
    return short or "-"
