"""Interactions as a source of training rows: answers worth repeating, and pairs of a better and a worse one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain
from typing import Any

import orjson

from datasets_src.interactions.records import Interaction, InteractionFilter, Vote
from datasets_src.interactions.store import Interactions
from datasets_src.rows import Message, RawRow
from jobs.errors import Missing
from jobs.workspace import Workspace


def read_interactions(workspace: Workspace, chosen: InteractionFilter) -> Iterator[RawRow]:
    """Rows of `prompt` (all messages before) and `completion` (the answer, the corrected one where there is one).

    A row's number is the interaction's id. Rows of one conversation are one group. Answers of white space alone are
    passed over. Raises Missing when nothing was ever logged, BadInput for a damaged database.
    """
    store = _logged(workspace)
    total = store.count(chosen)
    for place, interaction in enumerate(store.find(chosen), start=1):
        if _used(interaction).strip() or interaction.tool_calls:
            yield RawRow(interaction.id, _conversation(interaction), min(1.0, place / total))


def read_votes(workspace: Workspace, chosen: InteractionFilter) -> Iterator[RawRow]:
    """Preference rows: `prompt`, `chosen`, `rejected`, each a list of messages.

    From corrected answers (chosen: the correction, whatever the rating of what it corrects) and from votes for one of
    the two. Rows are numbered through; `interaction` or `vote` beside them gives the id. Raises Missing or BadInput.
    """
    store = _logged(workspace)
    edited = chosen.model_copy(update={"only_edited": True, "min_rating": None})
    counted = 0 if chosen.only_edited else store.count_votes(chosen)
    total = store.count(edited) + counted
    corrections = (_correction(interaction) for interaction in store.find(edited))
    votes = (_pair(vote) for vote in (() if chosen.only_edited else store.find_votes(chosen)) if _tells_a_better(vote))
    for number, values in enumerate(chain(corrections, votes), start=1):
        yield RawRow(number, values, min(1.0, number / total))


def interactions_version(workspace: Workspace, chosen: InteractionFilter, *, pairs: bool = False) -> str:
    """A hash of the rows that `read_interactions` (or, for `pairs`, `read_votes`) gives now: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for row in (read_votes if pairs else read_interactions)(workspace, chosen):
        digest.update(orjson.dumps(row.values))
    return digest.hexdigest()[:16]


def _logged(workspace: Workspace) -> Interactions:
    store = Interactions(workspace)
    if not store.path.exists():
        raise Missing(
            f"No interactions were logged in {workspace.root}.",
            "They are written when a model is served or chatted with.",
            "Serve a model first, or choose another --workspace.",
        )
    return store


def _tells_a_better(vote: Vote) -> bool:
    """One of the two was preferred, they differ, and both answered the same conversation."""
    differ = vote.answer_a.strip() != vote.answer_b.strip()
    return vote.preferred in ("a", "b") and differ and "prompt_b" not in vote.sampling


def _used(interaction: Interaction) -> str:
    return interaction.answer if interaction.edit is None else interaction.edit


def _conversation(interaction: Interaction) -> dict[str, Any]:
    answer: Message = {"role": "assistant", "content": _used(interaction)}
    if interaction.tool_calls and interaction.edit is None:
        answer["tool_calls"] = interaction.tool_calls
    values = {"prompt": interaction.prompt, "completion": [answer], **_beside(interaction)}
    extra = {"interaction": interaction.id, "model": interaction.model, "rating": interaction.rating}
    return {**values, **{name: value for name, value in extra.items() if value is not None}}


def _correction(interaction: Interaction) -> dict[str, Any]:
    return {
        "prompt": interaction.prompt,
        "chosen": [{"role": "assistant", "content": interaction.edit}],
        "rejected": [{"role": "assistant", "content": interaction.answer}],
        **_beside(interaction),
        "interaction": interaction.id,
    }


def _pair(vote: Vote) -> dict[str, Any]:
    better, worse = (vote.answer_a, vote.answer_b) if vote.preferred == "a" else (vote.answer_b, vote.answer_a)
    return {
        "prompt": vote.prompt,
        "chosen": [{"role": "assistant", "content": better}],
        "rejected": [{"role": "assistant", "content": worse}],
        **_beside(vote),
        "vote": vote.id,
    }


def _beside(record: Interaction | Vote) -> dict[str, Any]:
    """The columns that every format may have, where there is something to say."""
    values: dict[str, Any] = {"tag": record.tag} if record.tag else {}
    if record.conversation:
        values["group"] = f"conversation/{record.conversation}"
    if isinstance(record, Interaction) and record.tools:
        values["tools"] = record.tools
    return values
