"""Quality by group, so that a bias shows: which language, topic or length of question is served worse than the rest.

Three things are compared: ratings, corrected answers (people count once each), and failed requests. All p-values of one
table are adjusted together (Holm 1979).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from datasets_src.interactions import Interaction
from evaluation.intervals import Interval, mean_interval
from evaluation.significance import holm
from evaluation.verdict import told_p_value
from jobs.workspace import Workspace
from serving.monitoring.chats import Group, chats_between, group_of, person_of
from serving.monitoring.differences import CONFIDENCE, Difference, Share, differences_of_people
from serving.monitoring.failures import read_failures
from serving.monitoring.figures import rating_interval

MOST_GROUPS = 20
OTHERS = "all others"


@dataclass(frozen=True)
class GroupQuality:
    """A group's chats and requests; None where there are none. `worse`: what is surely worse than in the rest."""

    group: str
    people: int
    rating: float | None
    ratings: int
    rating_interval: Interval | None
    edited: Share | None
    failed: Share | None
    worse: tuple[str, ...] = ()


def by_group(workspace: Workspace, group: Group, since: float, until: float) -> list[GroupQuality]:
    """Quality of each group between two times (seconds since 1970), the largest group first.

    Ratings and corrections are those of the chats that were kept; what failed, of all requests. Beyond the largest
    groups, all others are one: anybody can make up tags.
    """
    chats = _grouped_chats(workspace, group, since, until)
    failures = read_failures(workspace, group, since, until)
    sizes = Counter({name: len(found) for name, found in chats.items()}) + Counter(failures.counts())
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    if len(names) > MOST_GROUPS:
        kept = names[: MOST_GROUPS - 1]
        names = [*kept, OTHERS]
        chats, failures = _merged(chats, kept), failures.merged(kept, OTHERS)
    worse = _worse([*differences_of_people(chats), *failures.differences()], len(names))
    return [_quality(name, chats.get(name, []), failures.share(name), tuple(worse[name])) for name in names]


def _worse(differences: Sequence[Difference], groups: int) -> dict[str, list[str]]:
    """Sentences of what is surely worse, by group."""
    found: dict[str, list[str]] = defaultdict(list)
    adjusted = holm([difference.p_value for difference in differences])
    for difference, p_value in zip(differences, adjusted, strict=True):
        if difference.is_worse and p_value <= 1 - CONFIDENCE:
            found[difference.group].append(f"{difference.said} ({told_p_value(p_value)} among {groups} groups)")
    return found


def _grouped_chats(workspace: Workspace, group: Group, since: float, until: float) -> dict[str, list[Interaction]]:
    found: dict[str, list[Interaction]] = defaultdict(list)
    for chat in chats_between(workspace, since, until, only_rated=False):
        # What was said is not needed any more: the texts of many chats would fill the memory.
        found[group_of(chat, group)].append(replace(chat, prompt=[], answer="", tools=[], tool_calls=[]))
    return dict(found)


def _merged(chats: Mapping[str, list[Interaction]], kept: Sequence[str]) -> dict[str, list[Interaction]]:
    rest = [chat for name, found in chats.items() if name not in kept for chat in found]
    return {**{name: found for name, found in chats.items() if name in kept}, OTHERS: rest}


def _quality(name: str, chats: Sequence[Interaction], failed: Share | None, worse: tuple[str, ...]) -> GroupQuality:
    scores = [chat.rating for chat in chats if chat.rating is not None]
    raters = [person_of(chat) for chat in chats if chat.rating is not None]
    return GroupQuality(
        group=name,
        people=len({person_of(chat) for chat in chats}),
        rating=sum(scores) / len(scores) if scores else None,
        ratings=len(scores),
        rating_interval=rating_interval(scores, raters),
        edited=_edited(chats),
        failed=failed,
        worse=worse,
    )


def _edited(chats: Sequence[Interaction]) -> Share | None:
    if not chats:
        return None
    edited = [float(chat.edit is not None) for chat in chats]
    people = [person_of(chat) for chat in chats]
    return Share(sum(edited) / len(edited), len(edited), mean_interval(edited, people, CONFIDENCE))
