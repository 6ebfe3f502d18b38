"""What can be said of a group against the rest: shares with intervals, and comparisons of what people thought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datasets_src.interactions import Interaction
from evaluation.intervals import Interval
from serving.monitoring.chats import person_of

CONFIDENCE = 0.95
# With fewer people on either side nothing is said of a difference.
FEWEST_PEOPLE = 10
RATED = "{group}: answers are rated worse than the rest, {inside:.1f} against {outside:.1f} stars"
CORRECTED = "{group}: answers are corrected more often than the rest, {inside:.0f} % against {outside:.0f} %"


@dataclass(frozen=True)
class Share:
    """A share of `count` items, from 0 to 1, with its 95 % interval (None: nothing can be said of it)."""

    share: float
    count: int
    interval: Interval | None


@dataclass(frozen=True)
class Difference:
    """A comparison of a group with the rest. `is_worse`: which way it points, however sure; `said`: in words."""

    group: str
    p_value: float
    is_worse: bool
    said: str


def differences_of_people(chats: Mapping[str, Sequence[Interaction]]) -> list[Difference]:
    """Each group's ratings and corrections against the rest's, where there are people enough."""
    ratings = {
        name: _by_person([(chat, chat.rating) for chat in found if chat.rating is not None])
        for name, found in chats.items()
    }
    edits = {
        name: _by_person([(chat, 100.0 * (chat.edit is not None)) for chat in found]) for name, found in chats.items()
    }
    compared = [_against_rest(name, ratings, RATED, higher_is_better=True) for name in chats]
    compared += [_against_rest(name, edits, CORRECTED, higher_is_better=False) for name in chats]
    return [difference for difference in compared if difference is not None]


def _by_person(figures: Sequence[tuple[Interaction, float]]) -> dict[str, float]:
    """A mean for each person: the chats of one are alike."""
    found: dict[str, list[float]] = defaultdict(list)
    for chat, value in figures:
        found[person_of(chat)].append(value)
    return {person: sum(values) / len(values) for person, values in found.items()}


def _against_rest(
    group: str, people: Mapping[str, Mapping[str, float]], said: str, *, higher_is_better: bool
) -> Difference | None:
    """The test of Mann and Whitney (1947); a difference points the way of the ranks and of the means, or none."""
    from scipy.stats import mannwhitneyu

    one = list(people[group].values())
    other = [value for name, found in people.items() if name != group for value in found.values()]
    if min(len(one), len(other)) < FEWEST_PEOPLE or len({*one, *other}) == 1:
        return None
    found = mannwhitneyu(one, other, method="asymptotic")
    inside, outside = sum(one) / len(one), sum(other) / len(other)
    lower_ranks = found.statistic < len(one) * len(other) / 2
    worse = inside < outside and lower_ranks if higher_is_better else inside > outside and not lower_ranks
    return Difference(group, float(found.pvalue), bool(worse), said.format(group=group, inside=inside, outside=outside))
