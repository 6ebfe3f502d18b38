"""How long a run says it still takes, measurements on held-out rows included."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from trainer import reporting
from trainer.reporting import StepClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StepClock:
    """A clock of which each look at the time is one second later."""
    now = iter(range(1, 10_000))
    monkeypatch.setattr("trainer.reporting.time.monotonic", lambda: float(next(now)))
    return StepClock(lambda: 100)


def test_what_is_left_counts_steps_and_measurements(clock: StepClock) -> None:
    assert clock.seconds_left(10, 3) == 0.0, "nothing was done yet"
    for _ in range(3):
        clock.tokens_per_second()
    assert clock.seconds_left(10, 3) == 10.0, "how long a measurement takes is not known yet"
    clock.measures()
    clock.measures()
    clock.measured()
    assert clock.seconds_left(10, 3) == 10.0 + 3 * 1.0
    clock.measured()
    assert clock.seconds_left(0, 1) == 1.0, "none was begun"


@pytest.mark.parametrize(("step", "left"), [(0, 5), (3, 5), (4, 5), (5, 4), (19, 1), (20, 1)])
def test_a_measurement_is_left_until_it_is_made(step: int, left: int) -> None:
    arguments = SimpleNamespace(eval_strategy=SimpleNamespace(value="steps"))
    state = SimpleNamespace(eval_steps=4, max_steps=20, global_step=step)
    assert reporting._measurements_left(arguments, state) == left


def test_a_run_without_held_out_rows_measures_nothing() -> None:
    arguments = SimpleNamespace(eval_strategy=SimpleNamespace(value="no"))
    assert reporting._measurements_left(arguments, SimpleNamespace(eval_steps=500, max_steps=20, global_step=1)) == 0
