"""The circuit breaker by itself: when it opens, whom it lets through, how it closes, what it does not count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.router.breaker import CircuitBreaker, Permit, State
from serving.router.spec import BreakerSpec
from tests.serving.router.fake_models import FakeClock

SPEC = BreakerSpec(failures=3, retry_seconds=10)


def admitted(breaker: CircuitBreaker) -> Permit:
    permit = breaker.admit()
    assert permit is not None
    return permit


def opened(clock: FakeClock) -> CircuitBreaker:
    breaker = CircuitBreaker(SPEC, clock)
    for _ in range(SPEC.failures):
        admitted(breaker).failed()
    assert breaker.state is State.OPEN
    return breaker


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    breaker = CircuitBreaker(SPEC, FakeClock())
    for outcome in ("failed", "failed", "succeeded", "failed", "failed"):
        getattr(admitted(breaker), outcome)()
    assert breaker.state is State.CLOSED
    admitted(breaker).failed()
    assert breaker.state is State.OPEN
    assert breaker.admit() is None


def test_after_its_time_a_single_request_is_let_through_and_closes_it() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.now += 9.9
    assert breaker.admit() is None and 0 < breaker.seconds_until_trial < 0.2
    clock.now += 0.2
    assert breaker.state is State.HALF_OPEN
    trial = admitted(breaker)
    assert [breaker.admit() for _ in range(100)] == [None] * 100
    trial.succeeded()
    assert breaker.state is State.CLOSED
    assert breaker.admit() is not None


def test_a_trial_that_fails_opens_it_for_the_whole_time_again() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.now += 10
    admitted(breaker).failed()
    clock.now += 9.9
    assert breaker.state is State.OPEN
    clock.now += 0.1
    assert breaker.state is State.HALF_OPEN


def test_a_trial_whose_client_left_is_followed_by_another() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.now += 10
    admitted(breaker).released()
    assert breaker.state is State.HALF_OPEN
    admitted(breaker).succeeded()
    assert breaker.state is State.CLOSED


def test_requests_that_began_before_the_circuit_changed_say_nothing_about_now() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(SPEC, clock)
    early = [admitted(breaker) for _ in range(20)]
    for permit in early[:3]:
        permit.failed()
    early[3].succeeded()
    assert breaker.state is State.OPEN
    clock.now += 10
    trial = admitted(breaker)
    for permit, outcome in zip(early[4:7], ("failed", "released", "succeeded"), strict=True):
        getattr(permit, outcome)()
    assert breaker.state is State.HALF_OPEN and breaker.admit() is None
    trial.succeeded()
    early[7].failed()
    early[8].failed()
    early[9].failed()
    assert breaker.state is State.CLOSED


def test_a_permit_counts_once() -> None:
    breaker = CircuitBreaker(SPEC, FakeClock())
    permit = admitted(breaker)
    for _ in range(10):
        permit.failed()
    assert breaker.state is State.CLOSED


STEPS = st.lists(st.tuples(st.sampled_from(["ask", "succeeded", "failed", "released", "wait"]), st.integers(0, 5)))


@given(STEPS)
def test_whatever_happens_one_trial_at_most_is_under_way_and_the_circuit_never_sticks(
    steps: list[tuple[str, int]],
) -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(SPEC, clock)
    under_way: list[Permit] = []
    trials: list[Permit] = []
    for step, number in steps:
        was_half_open = breaker.state is State.HALF_OPEN
        if step == "wait":
            clock.now += number
        elif step == "ask":
            permit = breaker.admit()
            if permit is not None:
                under_way.append(permit)
                if was_half_open:
                    assert not trials
                    trials.append(permit)
        elif under_way:
            permit = under_way.pop(number % len(under_way))
            trials = [each for each in trials if each is not permit]
            getattr(permit, step)()
    for permit in under_way:
        permit.released()
    clock.now += SPEC.retry_seconds
    admitted(breaker).succeeded()
    assert breaker.state is State.CLOSED
