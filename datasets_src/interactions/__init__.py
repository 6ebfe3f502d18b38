"""Interactions: what was said to served models, rated, corrected and voted on, kept and read back as training rows."""

from datasets_src.interactions.read import interactions_version, read_interactions, read_votes
from datasets_src.interactions.records import THUMB_DOWN, THUMB_UP, Interaction, InteractionFilter, Vote
from datasets_src.interactions.store import Interactions

__all__ = [
    "THUMB_DOWN",
    "THUMB_UP",
    "Interaction",
    "InteractionFilter",
    "Interactions",
    "Vote",
    "interactions_version",
    "read_interactions",
    "read_votes",
]
