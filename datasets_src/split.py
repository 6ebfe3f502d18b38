"""Groups and the split by group. Every choice is a seeded hash of the group's own name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets_src.hashing import Keys, key_of, seeded_fractions
from datasets_src.table import EVAL, NO_TEXT, TRAIN
from jobs.errors import BadInput

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """The group of each row by number, and each group's key and name. Rows of one group are never split."""

    of_row: Numbers
    keys: Keys
    given_names: dict[int, str]

    @property
    def count(self) -> int:
        return len(self.keys)

    def name(self, group: int) -> str:
        """The first (in alphabetical order) of the names given in it, else its opening prompt's hash."""
        return self.given_names.get(group) or f"prompt-{int(self.keys[group]):016x}"

    def sizes(self) -> Numbers:
        return np.bincount(self.of_row, minlength=self.count)


def find_groups(opening: Keys, given: NDArray[np.int32], names: Sequence[str], clusters: Numbers | None) -> Groups:
    """Join rows that share the opening prompt, the given group, or the near-duplicate cluster, also by way of others.

    All arrays have one entry for each row; `given` numbers `names` (NO_TEXT for none), `clusters` numbers the clusters.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows = np.arange(len(opening))
    _, prompts = np.unique(opening, return_inverse=True)
    # One node for each prompt, given group and cluster; a row joins those that it belongs to.
    with_name = given != NO_TEXT
    first, second = [prompts[with_name]], [given[with_name].astype(np.int64) + len(rows)]
    if clusters is not None:
        first.append(prompts)
        second.append(np.unique(clusters, return_inverse=True)[1] + len(rows) + len(names))
    nodes = 2 * len(rows) + len(names)
    start, end = np.concatenate(first), np.concatenate(second)
    links = coo_matrix((np.ones(len(start), dtype=np.int8), (start, end)), shape=(nodes, nodes))
    _, component = connected_components(links, directed=False)
    _, of_row = np.unique(component[prompts], return_inverse=True)
    return _named(of_row.astype(np.int64), opening, given, names)


def _named(of_row: Numbers, opening: Keys, given: NDArray[np.int32], names: Sequence[str]) -> Groups:
    count = int(of_row.max()) + 1 if len(of_row) else 0
    keys = np.full(count, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(keys, of_row, opening)
    given_names: dict[int, str] = {}
    pairs = np.unique(np.stack([of_row, given.astype(np.int64)], axis=1)[given != NO_TEXT], axis=0)
    for group, name in pairs.tolist():
        given_names[group] = min(names[name], given_names.get(group, names[name]))
    for group, text in given_names.items():
        keys[group] = key_of(text)
    return Groups(of_row, keys, given_names)


@dataclass(frozen=True)
class Split:
    """Whether each group is kept for evaluation, and tags (numbers, NO_TEXT for none) that are in one part only."""

    in_eval: Mask
    one_sided_tags: list[int]


def split_groups(
    groups: Groups, tags: NDArray[np.int32], eval_fraction: float, seed: int, given: NDArray[np.uint8]
) -> Split:
    """Draw the evaluation groups so that every tag with two groups or more is in both parts.

    `tags` and `given` have an entry for each row: its tag, and the part that its source gives it (TRAIN, EVAL or 0).
    A group with a given row is in that row's part (evaluation, where they disagree) and takes its other rows along.
    Raises BadInput when a part has to be drawn from fewer than two groups, since one would stay empty.
    """
    fixed_eval, fixed = _fixed(groups, given)
    free = ~fixed
    chosen = np.zeros(groups.count, dtype=bool)
    if eval_fraction > 0 and free.sum() >= 2:
        place = seeded_fractions(seed, "split", groups.keys)
        chosen = free & (place < eval_fraction)
        _cover_tags(groups, tags, chosen, free, place)
        if not chosen.any() and not fixed_eval.any():
            chosen[_first(free, place)] = True
        elif (chosen == free).all() and not fixed.any():
            chosen[_first(free, -place)] = False
    elif eval_fraction > 0 and not fixed.any():
        raise _too_few(groups.count, eval_fraction)
    in_eval = fixed_eval | chosen
    return Split(in_eval, _one_sided(groups, tags, in_eval))


def _first(among: Mask, place: NDArray[np.float64]) -> int:
    """The group with the lowest place."""
    candidates = np.flatnonzero(among)
    return int(candidates[np.argmin(place[candidates])])


def _fixed(groups: Groups, given: NDArray[np.uint8]) -> tuple[Mask, Mask]:
    """Which groups a source puts into the evaluation, and which it decides on at all."""
    in_eval, fixed = np.zeros(groups.count, dtype=bool), np.zeros(groups.count, dtype=bool)
    in_eval[groups.of_row[given == EVAL]] = True
    fixed[groups.of_row[(given == EVAL) | (given == TRAIN)]] = True
    return in_eval, fixed


def _members(groups: Groups, tags: NDArray[np.int32]) -> dict[int, Numbers]:
    """The groups that hold rows of each tag."""
    return {int(tag): np.unique(groups.of_row[tags == tag]) for tag in np.unique(tags)}


def _cover_tags(groups: Groups, tags: NDArray[np.int32], chosen: Mask, free: Mask, place: NDArray[np.float64]) -> None:
    """Where all groups of a tag fell into one part, move the one nearest to the border that no other tag depends on."""
    members = _members(groups, tags)
    for own in members.values():
        own = own[free[own]]
        inside = int(chosen[own].sum())
        if len(own) < 2 or 0 < inside < len(own):
            continue
        to_eval = inside == 0
        for group in own[np.argsort(place[own] if to_eval else -place[own], kind="stable")]:
            others = [each for each in members.values() if group in each]
            if all(int((chosen[each] != to_eval).sum()) > 1 for each in others):
                chosen[group] = to_eval
                break


def _one_sided(groups: Groups, tags: NDArray[np.int32], in_eval: Mask) -> list[int]:
    return [tag for tag, own in _members(groups, tags).items() if in_eval[own].all() or not in_eval[own].any()]


def _too_few(count: int, eval_fraction: float) -> BadInput:
    groups = "1 group" if count == 1 else f"{count} groups"
    return BadInput(
        f"There is only {groups} of rows, so they can't be split into a training and an evaluation part.",
        "Rows of one group (the same prompt, the same value of `group_by`, or nearly equal rows) stay together, and "
        f"eval_fraction is {eval_fraction}.",
        "Add rows with other prompts, group by another column, set `near_duplicates` to null where rows are alike by "
        "design, or set eval_fraction to 0.",
    )
