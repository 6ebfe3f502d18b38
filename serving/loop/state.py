"""Where a round stands, in `round.json` in its job's folder: what was fixed at its start, its steps' jobs, its end.

Every change is written before what it announces is done, so that a killed round goes on where it was.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from jobs.files import read_json, write_json

FILE = "round.json"


@dataclass(frozen=True)
class Reference:
    """The version that was in production when the round began: what the new one has to beat.

    `trained_on`: its dataset as name@version, `base`: its untrained base; None where they aren't known.
    """

    label: str
    number: int
    ref: str
    base: str | None
    trained_on: str | None


@dataclass(frozen=True)
class Known:
    """All that is written down. `children`: job ids by step; `chosen`: the choice of chats, for people; `version`:
    the number that the new model got in the registry; `decision`: its outcome and sentence."""

    reference: Reference | None = None
    children: dict[str, str] = field(default_factory=dict)
    chosen: dict[str, Any] | None = None
    version: int | None = None
    decision: dict[str, Any] | None = None


class RoundState:
    """A round's notes, written by its worker alone."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.known = read_state(folder)

    def child(self, key: str) -> str | None:
        """The id of a step's job, None while that wasn't begun."""
        return self.known.children.get(key)

    def note_child(self, key: str, job_id: str) -> None:
        self.note(children={**self.known.children, key: job_id})

    def note(self, **values: Any) -> None:
        """Write some of `Known`'s fields."""
        self.known = replace(self.known, **values)
        write_json(self._path, asdict(self.known))


def read_state(folder: Path) -> Known:
    """What a round has written so far; nothing at first."""
    values: dict[str, Any] = read_json(folder / FILE) or {}
    reference = values.get("reference")
    return Known(**{**values, "reference": Reference(**reference) if reference else None})
