"""A user's data deleted everywhere: kept chats and votes, chats that still wait to be kept, experiments.

Requests' figures and logs name no user, so there is nothing of theirs in them. A dataset version that was built from
chats is a copy of its own and stays: its rows name no user either, but hold what was said.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from datasets_src.interactions.store import Interactions
from jobs.files import read_json_lines, write_text
from jobs.workspace import Workspace
from serving.chats import spill_lock
from serving.experiments import Experiments

UNKEPT = "unkept.jsonl"


@dataclass(frozen=True)
class Forgotten:
    """How much was deleted: chats and votes, chats that waited, requests of experiments."""

    kept: int
    waiting: int
    experiments: int

    @property
    def sentence(self) -> str:
        return (
            f"Deleted: {self.kept} chats and votes, {self.waiting} chats that waited to be kept, "
            f"{self.experiments} requests of experiments. Datasets and evaluations made from chats are copies "
            "of their own: delete those too where they hold what this user said."
        )


def forget_user(workspace: Workspace, user: str) -> Forgotten:
    """Delete what is known of a user, by the id that requests named. Raises BadInput for a locked database."""
    interactions = Interactions(workspace)
    pseudonym = interactions.pseudonym(user)
    waiting = sum(_forget_waiting(job.path / UNKEPT, pseudonym) for job in workspace.list_jobs("serve"))
    return Forgotten(interactions.delete_user(user), waiting, Experiments(workspace).delete_user(user))


def _forget_waiting(file: Path, pseudonym: str | None) -> int:
    """Drop a user's chats from a server's file of chats that wait."""
    if not file.exists():
        return 0
    with spill_lock(file):
        lines = list(read_json_lines(file))
        kept = [line for line in lines if line["interaction"]["user"] != pseudonym]
        write_text(file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept))
    return len(lines) - len(kept)
