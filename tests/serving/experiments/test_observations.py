"""Users count once, and what is counted at one moment is the beginning of what is counted at any later one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from jobs.workspace import Workspace
from serving.experiments import Experiments, Outcome, arm_of
from serving.experiments.observations import GRACE_SECONDS, first, settled
from serving.experiments.outcomes import MEASURES
from serving.tables import serving_database
from serving.writer import Writer
from tests.serving.experiments.people import BEGAN, HOUR, come, two_arms


@pytest.fixture
def experiments(workspace: Workspace) -> Iterator[Experiments]:
    """As a server has it; what is asked of it is written first, see `values`."""
    with Writer(serving_database(workspace)) as writer:
        found = Experiments(workspace, writer)
        found.start(two_arms())
        yield found


def flush(experiments: Experiments) -> None:
    assert experiments._writer is not None and experiments._writer.flush()


def ask(experiments: Experiments, user: str, request: str, hours: float) -> None:
    experiments.expose(experiments.assign("greeting", user, None), request, BEGAN + hours * HOUR)


def tell(experiments: Experiments, request: str, hours: float, outcome: Outcome) -> None:
    experiments.record(request, outcome, BEGAN + hours * HOUR)


def values(experiments: Experiments, measure: str, hours: float, view: object = settled) -> list[float]:
    flush(experiments)
    experiment = experiments.find("greeting")
    assert callable(view)
    return list(view(experiments, experiment, MEASURES[measure], BEGAN + hours * HOUR).values)


def test_a_user_counts_once_by_the_mean_of_the_first_hour(experiments: Experiments) -> None:
    for number, (hours, done) in enumerate([(0, 1.0), (0.5, 0.0), (0.9, 0.0), (1.5, 1.0)]):
        ask(experiments, "alice", f"r{number}", hours)
        tell(experiments, f"r{number}", hours + 0.01, Outcome(error=False, success=done))
    assert values(experiments, "success", 1.0) == []
    assert values(experiments, "success", 1.0 + GRACE_SECONDS / HOUR) == pytest.approx([1 / 3])
    assert values(experiments, "success", 99) == pytest.approx([1 / 3])


def test_a_later_rating_replaces_an_earlier_one_until_the_window_is_over(experiments: Experiments) -> None:
    ask(experiments, "alice", "r", 0)
    tell(experiments, "r", 0.1, Outcome(error=False, rating=1))
    tell(experiments, "r", 1.1, Outcome(rating=4))
    tell(experiments, "r", 2.0, Outcome(rating=1))
    assert values(experiments, "rating", 99) == [0.75]


def test_what_nobody_said_counts_as_not_edited_and_as_nothing_else(experiments: Experiments) -> None:
    ask(experiments, "alice", "r", 0)
    assert values(experiments, "edited", 9) == [0.0]
    for measure in ("success", "rating", "latency", "length", "error"):
        assert values(experiments, measure, 9) == []


def test_how_long_a_failed_answer_took_is_not_counted(experiments: Experiments) -> None:
    ask(experiments, "alice", "r0", 0)
    tell(experiments, "r0", 0.1, Outcome(error=True, seconds=0.01))
    ask(experiments, "alice", "r1", 0.1)
    tell(experiments, "r1", 0.2, Outcome(error=False, seconds=8.0))
    assert values(experiments, "latency", 9) == pytest.approx([1.0])
    assert values(experiments, "error", 9) == [0.5]


def test_first_answers_are_known_at_once_but_wait_for_one_that_is_being_written(experiments: Experiments) -> None:
    for number, user in enumerate(("alice", "bob", "carol")):
        ask(experiments, user, f"r{number}", 0.001 * number)
    tell(experiments, "r0", 0.01, Outcome(error=False))
    tell(experiments, "r2", 0.01, Outcome(error=True))
    assert values(experiments, "error", 0.02, first) == [0.0]
    tell(experiments, "r1", 0.03, Outcome(error=True))
    assert values(experiments, "error", 0.04, first) == [0.0, 1.0, 1.0]


def test_a_first_answer_that_never_ends_is_left_out_in_the_end(experiments: Experiments) -> None:
    ask(experiments, "alice", "r0", 0)
    ask(experiments, "bob", "r1", 0.1)
    tell(experiments, "r1", 0.2, Outcome(error=False))
    assert values(experiments, "error", 1, first) == []
    assert values(experiments, "error", 1.2, first) == [0.0]


def test_a_user_who_was_moved_counts_for_the_arm_of_the_first_request(experiments: Experiments) -> None:
    spec = two_arms()
    more = two_arms(arms=[{"model": "A", "percentage": 10}, {"model": "B", "percentage": 90}])
    moved = next(user for user in map(str, range(99)) if arm_of(spec, user) == "A" and arm_of(more, user) == "B")
    ask(experiments, moved, "r0", 0)
    tell(experiments, "r0", 0.1, Outcome(error=False, success=1.0))
    experiments.start(more)
    ask(experiments, moved, "r1", 0.2)
    tell(experiments, "r1", 0.3, Outcome(error=False, success=0.0))
    flush(experiments)
    found = settled(experiments, experiments.find("greeting"), MEASURES["success"], BEGAN + 9 * HOUR)
    assert (list(found.values), list(found.arms), list(found.revisions)) == ([1.0], ["A"], [1])


@pytest.mark.parametrize(
    ("measure", "view"),
    [(each, settled) for each in ("success", "rating", "edited", "latency", "error")]
    + [(each, first) for each in ("latency", "error")],
)
def test_what_is_counted_only_ever_grows_at_its_end(experiments: Experiments, measure: str, view: object) -> None:
    """The intervals' promise rests on this: later news never changes what was counted before."""
    generator = np.random.default_rng(0)
    news = []
    for user in range(60):
        began = user / 30
        for answer in range(int(generator.integers(1, 4))):
            request, asked = f"{user}-{answer}", began + 0.4 * answer
            news.append((asked, "ask", f"user-{user}", request, Outcome()))
            if generator.random() < 0.9:
                done = Outcome(error=bool(generator.random() < 0.2), seconds=1.0, success=float(generator.random()))
                news.append((asked + 0.02 * float(generator.random()), "tell", "", request, done))
            for _ in range(int(generator.integers(0, 3))):
                said = Outcome(rating=int(generator.integers(1, 6)), edited=bool(generator.random() < 0.5))
                news.append((asked + 3 * float(generator.random()), "tell", "", request, said))
    before: list[float] = []
    seen = 0
    for number, (hours, kind, user, request, outcome) in enumerate(sorted(news, key=lambda each: each[0])):
        if kind == "ask":
            ask(experiments, user, request, hours)
        else:
            tell(experiments, request, hours, outcome)
        if number % 7 == 0:
            now = values(experiments, measure, hours, view)
            assert now[: len(before)] == before
            before, seen = now, seen + (now != [])
    assert seen > 5 and len(values(experiments, measure, 99, view)) >= len(before)


def test_two_users_with_one_answer_each_are_two(experiments: Experiments) -> None:
    come(experiments, range(2), lambda arm, generator: Outcome(error=False, success=1.0))  # noqa: ARG005
    assert values(experiments, "success", 9) == [1.0, 1.0]
