"""What strangers may use on a public page: small work only."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.errors import BadInput
from ui.page import Settings

LARGEST_UPLOAD = 5_000_000
MOST_STEPS = 200
MOST_QUESTIONS = 200
MOST_GAMES = 8


def check_small(settings: Settings, what: str, value: float | None, most: float) -> None:
    """Raises BadInput in demo mode for more than `most`; no value means no limit, which is more."""
    if settings.demo and (value is None or value > most):
        raise BadInput(
            f"{what}: {'no limit' if value is None else f'{value:g}'} is too much for the demo.",
            f"The demo is shared, so it takes {most:g} at most.",
            f"Enter {most:g} or less, or run Hearth on your own machine.",
        )


def check_nothing_sent(settings: Settings, trackers: Sequence[str]) -> None:
    """Raises BadInput in demo mode for a tracker that sends figures away, in the name of whoever runs the demo."""
    if settings.demo and "wandb" in trackers:
        raise BadInput(
            "wandb can't be used in the demo.",
            "It would send to the account of whoever runs the demo.",
            "Leave it out, or run Hearth on your own machine.",
        )


def refuse(settings: Settings, what: str) -> None:
    """Raises BadInput in demo mode: some things are too much for a page that strangers share."""
    if settings.demo:
        raise BadInput(
            f"{what} can't be done in the demo.",
            "It may take other models, and longer than a shared page has.",
            "Run Hearth on your own machine.",
        )
