"""Who gets which arm: a salted hash of the user's id, the same in every process, after every restart, on every machine.

The hash is a place from 0 to 100, and every place belongs to an arm. When percentages change, arms that shrink hand the
ends of what they hold to those that grow: nobody else moves.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serving.experiments.spec import ExperimentSpec

# Below this a width is one of rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Segment:
    """Neighbouring places that belong to an arm; `width` in percent of all places."""

    arm: str
    width: float


def place_of(salt: str, unit: str) -> float:
    """Where a user or conversation stands, from 0 up to (not including) 100: 53 bits of HMAC-SHA-256."""
    digest = hmac.new(salt.encode("utf-8", "replace"), unit.encode("utf-8", "replace"), hashlib.sha256).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53 * 100


def segments_of(spec: ExperimentSpec) -> tuple[Segment, ...]:
    """The places at an experiment's start: one stretch for each arm, in their order."""
    return tuple(Segment(arm.label, arm.percentage) for arm in spec.arms)


def arm_at(segments: Sequence[Segment], place: float) -> str:
    """The arm that a place belongs to."""
    for segment in segments:
        place -= segment.width
        if place < 0:
            return segment.arm
    return segments[-1].arm


def arm_of(spec: ExperimentSpec, user: str) -> str:
    """The arm of a user (of a conversation, where these are kept together) while percentages are those of the start.

    A stored experiment also knows of later changes: `Experiment.arm_of`.
    """
    conversations = spec.unit == "conversation"
    unit = unit_of(spec, None if conversations else user, user if conversations else None)
    return arm_at(segments_of(spec), place_of(spec.salt, unit or ""))


def resized(segments: Sequence[Segment], shares: Mapping[str, float]) -> tuple[Segment, ...]:
    """The places after a change of percentages: only as many change hands as the change itself asks for."""
    held = {arm: sum(segment.width for segment in segments if segment.arm == arm) for arm in shares}
    surplus = {arm: max(0.0, held[arm] - share) for arm, share in shares.items()}
    wanting = {arm: share - held[arm] for arm, share in shares.items() if share - held[arm] > ROUNDING}
    changed: list[Segment] = []
    for segment in segments:
        given = min(segment.width, surplus[segment.arm])
        surplus[segment.arm] -= given
        changed.append(Segment(segment.arm, segment.width - given))
        changed += _taken(given, wanting)
    return _joined(changed)


def _taken(free: float, wanting: dict[str, float]) -> list[Segment]:
    """Free places shared out among the arms that want more, which then want so much less."""
    taken = []
    for arm, wanted in list(wanting.items()):
        width = min(free, wanted)
        taken.append(Segment(arm, width))
        wanting[arm] -= width
        free -= width
    return taken


def _joined(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Without empty stretches, neighbours of one arm as one."""
    joined: list[Segment] = []
    for segment in segments:
        if segment.width <= ROUNDING:
            continue
        if joined and joined[-1].arm == segment.arm:
            joined[-1] = Segment(segment.arm, joined[-1].width + segment.width)
        else:
            joined.append(segment)
    return tuple(joined)


def unit_of(spec: ExperimentSpec, user: str | None, conversation: str | None) -> str | None:
    """What is kept together in one arm: the user, else the conversation; None when neither is known."""
    if spec.unit == "user" and user:
        return f"user {user}"
    return f"conversation {conversation}" if conversation else None
