"""An experiment as it is kept: its description, who holds which places, and what was stopped when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serving.experiments.assignment import Segment, arm_at, place_of, unit_of
from serving.experiments.spec import ExperimentSpec


@dataclass(frozen=True)
class Stop:
    """An arm, or (None) the whole experiment, that was stopped. `time`: seconds since 1970."""

    arm: str | None
    time: float
    reason: str


@dataclass(frozen=True)
class Assignment:
    """Which arm a request goes to, and its model. `counted`: whether it takes part in the comparison.

    `unit` is what is kept together as it was given, in memory alone; it is kept as a hash.
    """

    experiment: str
    revision: int
    arm: str
    model: str
    counted: bool
    unit: str | None
    user: str | None


@dataclass(frozen=True)
class Experiment:
    """`revision` counts changes of percentages from 1; `shares`: the percentages of each revision by arm."""

    spec: ExperimentSpec
    revision: int
    started: float
    segments: tuple[Segment, ...]
    shares: Mapping[int, Mapping[str, float]]
    stops: tuple[Stop, ...]

    @property
    def running(self) -> bool:
        return all(stop.arm is not None for stop in self.stops)

    @property
    def stopped_arms(self) -> dict[str, str]:
        """Why an arm was stopped, by arm."""
        return {stop.arm: stop.reason for stop in self.stops if stop.arm is not None}

    def arm_of(self, user: str | None, conversation: str | None = None) -> str | None:
        """The arm whose place a user holds, whether it was stopped or not; None where neither id is given."""
        unit = unit_of(self.spec, user, conversation)
        return arm_at(self.segments, place_of(self.spec.salt, unit)) if unit is not None else None

    def assign(self, user: str | None = None, conversation: str | None = None) -> Assignment:
        """Which arm's model answers. The control's, not counted, where no id is given or the arm was stopped."""
        control = self.spec.control_arm
        held = self.arm_of(user, conversation)
        counted = held is not None and self.running and held not in self.stopped_arms
        arm = self.spec.arm(held) if counted and held is not None else control
        unit = unit_of(self.spec, user, conversation)
        return Assignment(self.spec.name, self.revision, arm.label, arm.model, counted, unit, user)
