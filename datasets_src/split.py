"""Groups, the split by group, and what comes only after it: weights and order. Every choice is a seeded hash.

A group's part depends on the seed and the group's own name alone, so that rows added later move no others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from datasets_src.rows import PreparedRow
from jobs.errors import BadInput


def seeded_number(seed: int, purpose: str, key: bytes) -> int:
    """A number below 2**64 drawn by hashing. `purpose` (16 characters at most) keeps different choices independent."""
    digest = hashlib.blake2b(key, digest_size=8, key=str(seed).encode(), person=purpose.encode()).digest()
    return int.from_bytes(digest, "big")


def seeded_fraction(seed: int, purpose: str, key: bytes) -> float:
    """The same, from 0 up to 1."""
    return seeded_number(seed, purpose, key) / 2**64


def group_names(rows: Sequence[PreparedRow]) -> list[str]:
    """The group of each row: rows that share the opening prompt or the given group are one, also by way of others.

    A group is named by the first (in alphabetical order) of the given groups in it, else by its opening prompt's hash.
    """
    parent: dict[str, str] = {}
    for row in rows:
        opening = _root(parent, row.opening)
        if row.given_group is not None:
            parent[opening] = _root(parent, _column_key(row.given_group))
    names: dict[str, tuple[bool, str]] = {}
    for row in rows:
        root = _root(parent, row.opening)
        # False sorts before True: a given group names its set before the hash of a prompt does.
        name = (False, row.given_group) if row.given_group is not None else (True, row.opening)
        names[root] = min(name, names.get(root, name))
    return [names[_root(parent, row.opening)][1] for row in rows]


def _column_key(group: str) -> str:
    return "column-" + group


def _root(parent: dict[str, str], key: str) -> str:
    """The representative of the key's set, its path halved on the way (union-find)."""
    parent.setdefault(key, key)
    while parent[key] != key:
        parent[key] = parent[parent[key]]
        key = parent[key]
    return key


@dataclass(frozen=True)
class Split:
    """The groups kept for evaluation, and tags that could not be in both parts."""

    groups: set[str]
    eval_groups: set[str]
    one_sided_tags: list[str]


def split_groups(groups_of_tag: Mapping[str, set[str]], eval_fraction: float, seed: int) -> Split:
    """Draw the evaluation groups so that every tag with two groups or more is in both parts.

    `groups_of_tag` maps each tag ("" for none) to the groups that hold rows of it. Raises BadInput when there are
    fewer than two groups, since one part would stay empty.
    """
    groups: set[str] = set().union(*groups_of_tag.values())
    if eval_fraction == 0:
        return Split(groups, set(), [])
    if len(groups) < 2:
        raise _too_few(len(groups), eval_fraction)
    place = {group: seeded_fraction(seed, "split", group.encode()) for group in groups}
    chosen = {group for group in groups if place[group] < eval_fraction}
    for _, members in sorted(groups_of_tag.items()):
        _put_in_both_parts(members, groups_of_tag, chosen, place)
    if not chosen:
        chosen.add(min(groups, key=lambda group: (place[group], group)))
    elif chosen == groups:
        chosen.remove(max(groups, key=lambda group: (place[group], group)))
    one_sided = [tag for tag, members in sorted(groups_of_tag.items()) if members <= chosen or not members & chosen]
    return Split(groups, chosen, one_sided)


def _put_in_both_parts(
    members: set[str], groups_of_tag: Mapping[str, set[str]], chosen: set[str], place: Mapping[str, float]
) -> None:
    """Where all groups of a tag fell into one part, move the one nearest to the border that no other tag depends on."""
    inside = members & chosen
    if len(members) < 2 or 0 < len(inside) < len(members):
        return
    to_eval = not inside
    for group in sorted(members, key=lambda group: (place[group], group), reverse=not to_eval):
        tags = [others for others in groups_of_tag.values() if group in others]
        left_behind = [others - chosen if to_eval else others & chosen for others in tags]
        if all(len(rest) > 1 for rest in left_behind):
            (chosen.add if to_eval else chosen.remove)(group)
            return


def _too_few(count: int, eval_fraction: float) -> BadInput:
    groups = "1 group" if count == 1 else f"{count} groups"
    return BadInput(
        f"There is only {groups} of rows, so they can't be split into a training and an evaluation part.",
        "Rows of one group (the same prompt, or the same value of `group_by`) stay together, and eval_fraction is "
        f"{eval_fraction}.",
        "Add rows with other prompts, group by another column, or set eval_fraction to 0.",
    )


def sample(rows: Iterable[PreparedRow], most: int, seed: int) -> list[PreparedRow]:
    """A random sample in the rows' own order, of a stream of which no more than `most` rows are held.

    Which rows it takes depends on the seed and the rows, not on their place.
    """
    return sorted(_lowest(rows, most, seed, "sample"), key=lambda row: row.number)


def weighted(rows: Sequence[PreparedRow], weight: float, seed: int) -> list[tuple[PreparedRow, int]]:
    """Training rows by weight, each with the number of its copy: 2.5 takes every row twice and a random half again.

    A weight never removes a source altogether: at least one of its rows stays.
    """
    whole = int(weight)
    part = round((weight - whole) * len(rows))
    if whole == 0 and rows:
        part = max(1, part)
    copies = [(row, copy) for row in rows for copy in range(whole)]
    return copies + [(row, whole) for row in _lowest(rows, part, seed, "weight")]


def shuffled(rows: Sequence[tuple[PreparedRow, int]], seed: int) -> list[PreparedRow]:
    """The rows in an order that depends on the seed and the rows alone."""
    ordered = sorted(rows, key=lambda item: seeded_number(seed, "order", b"%s/%d" % (item[0].identity, item[1])))
    return [row for row, _ in ordered]


def _lowest(rows: Iterable[PreparedRow], count: int, seed: int, purpose: str) -> list[PreparedRow]:
    return nsmallest(count, rows, key=lambda row: (seeded_number(seed, purpose, row.key), row.number))
