"""What a health check is: a plain function that finds faults in a row, described so that a person can decide on them.

A module of this package declares its checks in `CHECKS`; the package finds them by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from datasets_src.rows import Candidate, Finding

# What happens to a row with the fault. `stop`: the build refuses to go on until somebody has decided.
Remedy = Literal["stop", "fix", "drop", "keep"]
Group = Literal["structure", "privacy", "quality", "between rows", "length"]
GROUPS: tuple[Group, ...] = ("structure", "privacy", "quality", "between rows", "length")


@dataclass(frozen=True)
class CheckSettings:
    """What checks are told by the spec. `languages`: ISO 639-1 codes that rows may be in; empty for any."""

    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """`name` is written in specs and reports, `title` and `explanation` are read by people.

    `default` is the remedy where the spec names none; `fix` in words says what mending does ("" where it can't be).
    """

    name: str
    title: str
    explanation: str
    group: Group
    default: Remedy
    fix_in_words: str = ""

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What may be chosen. A row that nothing can be learned from may not be kept."""
        possible: list[Remedy] = ["fix"] if self.fix_in_words else []
        possible.append("drop")
        return (*possible, "stop") if self.default == "stop" else (*possible, "keep")


Find = Callable[[Candidate, CheckSettings], Iterator[Finding]]
Fix = Callable[[Candidate, CheckSettings], None]


@dataclass(frozen=True)
class RowCheck(Check):
    """A check that looks at one row alone. `find` yields its faults; `fix` mends them in place.

    Both have to bear a content that is no text: every check looks at every row, also at those that others refuse.
    """

    find: Find = lambda _row, _settings: iter(())
    fix: Fix | None = None
