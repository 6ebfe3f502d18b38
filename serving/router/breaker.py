"""A circuit breaker: a model that fails again and again is left alone, then tried with a single request.

closed (all requests pass) → open (none) → half-open (one on trial) → closed, or open again. The pattern is from
Nygard, "Release It!" (2007).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

from serving.router.spec import BreakerSpec

Clock = Callable[[], float]


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """One model's circuit. Safe inside one event loop: nothing in here waits. `clock` counts seconds, never back."""

    def __init__(self, spec: BreakerSpec, clock: Clock = time.monotonic) -> None:
        self._spec = spec
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._trial: Permit | None = None
        # Counts how often the circuit changed: what began before the last change says nothing about now.
        self.turn = 0

    @property
    def state(self) -> State:
        if self._opened_at is None:
            return State.CLOSED
        waiting = self._trial is None and self.seconds_until_trial > 0
        return State.OPEN if waiting else State.HALF_OPEN

    @property
    def seconds_until_trial(self) -> float:
        """How long until a request is let through again; 0 when one is, or is on trial just now."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._spec.retry_seconds - self._clock())

    def admit(self) -> Permit | None:
        """Leave for one request, to be settled exactly once; None while the circuit is open or another is on trial."""
        if self.state is State.CLOSED:
            return Permit(self)
        if self.state is State.OPEN or self._trial is not None:
            return None
        self._trial = Permit(self)
        return self._trial

    def succeeded(self) -> None:
        if self._opened_at is not None:
            self._change(opened_at=None)
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._opened_at is not None or self._failures >= self._spec.failures:
            self._change(opened_at=self._clock())

    def released(self) -> None:
        """The request on trial told nothing (its client left): the next one is tried instead."""
        self._trial = None

    def _change(self, opened_at: float | None) -> None:
        self._opened_at = opened_at
        self._trial = None
        self._failures = 0
        self.turn += 1


class Permit:
    """One request's leave to ask a model. The first of its three calls counts, later ones do nothing."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker: CircuitBreaker | None = breaker
        self._turn = breaker.turn

    def succeeded(self) -> None:
        """The model answered whole."""
        if breaker := self._take():
            breaker.succeeded()

    def failed(self) -> None:
        """The model gave no answer, or broke off."""
        if breaker := self._take():
            breaker.failed()

    def released(self) -> None:
        """Nothing was learned about the model: the client left, or the request itself could not be met."""
        if breaker := self._take():
            breaker.released()

    def _take(self) -> CircuitBreaker | None:
        breaker, self._breaker = self._breaker, None
        return breaker if breaker is not None and breaker.turn == self._turn else None
