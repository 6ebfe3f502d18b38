"""Which chats a round learns from: those that fit and are new, with no user having more than a share of them."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets_src.interactions import Interaction, Interactions, read_interactions
from jobs.errors import BadInput
from jobs.files import write_text
from jobs.workspace import Workspace
from serving.loop.memory import Memory
from serving.loop.spec import LoopSpec

# Where two or more gave chats, each may give this many however small the share: a few chats decide nothing.
ALWAYS_ALLOWED = 5


@dataclass(frozen=True)
class Chat:
    """One that fits. `used`: it was in a round that showed no difference, so it is taken again but isn't new."""

    id: int
    time: float
    user: str | None
    rated: bool
    used: bool


@dataclass(frozen=True)
class Chosen:
    """The chats of a round, and what was left out. `new`: those among them that were rated and in no round before."""

    chats: tuple[Chat, ...]
    new: int
    users: int
    over_share: int
    heaviest_share: float

    @property
    def sentence(self) -> str:
        """For people: how many, from how many users, and what the limit left out."""
        again = sum(chat.used for chat in self.chats)
        parts = [f"{len(self.chats)} chats of {_users(self.users)}, {self.new} of them newly rated"]
        if again:
            parts.append(f"{again} again from rounds that showed no difference")
        if self.over_share:
            parts.append(
                f"{self.over_share} left out because their user gave more than the allowed share (most_per_user)"
            )
        return "; ".join(parts)


def choose(workspace: Workspace, spec: LoopSpec, round_id: str | None = None) -> Chosen:
    """What a round would learn from now. `round_id`: the round that asks, whose own chats are not used ones.

    Raises BadInput for a damaged database.
    """
    memory = Memory(workspace).of(spec.name, but=round_id)
    fitting = [
        _chat(interaction, again=memory.again((interaction.id, interaction.time)))
        for interaction in Interactions(workspace).find(spec.interactions)
        if not memory.taken((interaction.id, interaction.time))
    ]
    kept = bounded(fitting, spec.most_per_user, spec.seed)
    counts = _by_user(kept)
    return Chosen(
        chats=tuple(kept),
        new=sum(chat.rated and not chat.used for chat in kept),
        users=len(counts),
        over_share=len(fitting) - len(kept),
        heaviest_share=max(map(len, counts.values())) / len(kept) if kept else 0.0,
    )


def require_chats(spec: LoopSpec, chosen: Chosen) -> None:
    """Raise BadInput where there is nothing to learn from."""
    if not chosen.chats:
        raise BadInput(
            "There are no chats to learn from.",
            f"None fits what the plan {spec.name} asks for, or all of them were in earlier rounds.",
            "Collect and rate more chats, or ask for less under `interactions`.",
        )


def write_chats(workspace: Workspace, spec: LoopSpec, chosen: Chosen, path: Path) -> int:
    """Write the chosen chats as rows for a dataset; how many. One that was deleted meanwhile is left out."""
    wanted = {chat.id for chat in chosen.chats}
    rows = [row.values for row in read_interactions(workspace, spec.interactions) if row.number in wanted]
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return len(rows)


def bounded(chats: Sequence[Chat], share: float, seed: int) -> list[Chat]:
    """The chats with at most `share` of what is kept from any one user, in their order; drawn by a seeded hash.

    Chats without a user count as one user's. A single user is not bounded: there is nobody to outvote.
    """
    by_user = _by_user(chats)
    most = _most_each([len(own) for own in by_user.values()], share)
    kept = {chat.id for own in by_user.values() for chat in sorted(own, key=lambda chat: _draw(chat, seed))[:most]}
    return [chat for chat in chats if chat.id in kept]


def _most_each(counts: Sequence[int], share: float) -> int:
    """The largest number that everybody may give so that it is at most `share` of what all then give together."""
    largest = max(counts, default=0)
    if share >= 1 or len(counts) < 2:
        return largest

    def too_many(most: int) -> bool:
        return most > share * sum(min(count, most) for count in counts) + 1e-9

    # What all give together grows ever more slowly with `most`, so once it is too many it stays so.
    return max(bisect_left(range(1, largest + 1), True, key=too_many), ALWAYS_ALLOWED)


def _by_user(chats: Iterable[Chat]) -> dict[str | None, list[Chat]]:
    found: dict[str | None, list[Chat]] = defaultdict(list)
    for chat in chats:
        found[chat.user].append(chat)
    return found


def _draw(chat: Chat, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{chat.id}".encode()).digest()


def _chat(interaction: Interaction, *, again: bool) -> Chat:
    rated = interaction.rating is not None or interaction.edit is not None
    return Chat(interaction.id, interaction.time, interaction.user, rated, again)


def _users(count: int) -> str:
    return "1 user" if count == 1 else f"{count} users"
