"""What was said to a served model and what people thought of it, and the filter that chooses among it.

Ratings are one scale of 1 to 5, so that "at least 4" means the same everywhere: a thumb down is 1, a thumb up 5, a page
with stars gives their number. None: nobody rated it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Self

from pydantic import model_validator

from datasets_src.rows import Message
from jobs.errors import BadInput
from jobs.spec import Spec, option

WORST, THUMB_DOWN, THUMB_UP, BEST = 1, 1, 5, 5
PREFERRED = ("a", "b", "tie", "bad")


@dataclass(frozen=True)
class Interaction:
    """One answer of a model. `prompt`: all messages before it. `time`: seconds since 1970.

    `user` is a salted hash, never the name that was given. `edit` is the answer as a person corrected it. `id` is 0,
    and `time` and `user` are not looked at, in one that is still to be recorded.
    """

    prompt: list[Message]
    answer: str
    model: str
    model_version: str | None = None
    conversation: str | None = None
    tag: str | None = None
    reasoning_mode: str | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    sampling: dict[str, Any] = field(default_factory=dict)
    rating: int | None = None
    edit: str | None = None
    comment: str | None = None
    id: int = 0
    time: float = 0.0
    user: str | None = None


@dataclass(frozen=True)
class Vote:
    """Two answers to one prompt, and which of them a person preferred: a, b, neither (tie), or both are bad (bad).

    `answer_a` stood first (on the left). `blind`: the models' names were hidden until the vote. `sampling` holds what
    repeats the answers, for both alike or under "a" and "b".
    """

    prompt: list[Message]
    answer_a: str
    answer_b: str
    preferred: Literal["a", "b", "tie", "bad"]
    model_a: str
    model_b: str
    conversation: str | None = None
    tag: str | None = None
    reasoning_mode: str | None = None
    blind: bool = False
    sampling: dict[str, Any] = field(default_factory=dict)
    comment: str | None = None
    id: int = 0
    time: float = 0.0
    user: str | None = None


class InteractionFilter(Spec):
    """Which interactions a dataset takes. Every option that is given has to fit."""

    min_rating: int | None = option(
        None,
        label="Rated at least",
        help=f"{WORST} to {BEST}; a thumb up counts as {THUMB_UP}, a thumb down as {THUMB_DOWN}. Unrated answers are "
        "left out then. An answer that a person corrected is taken whatever its rating, which is about the first text.",
        depth="essential",
        ge=WORST,
        le=BEST,
    )
    min_length: int | None = option(
        None, label="Answer at least", help="Characters of the answer that is used, the corrected one if any.", ge=0
    )
    max_length: int | None = option(
        None, label="Answer at most", help="Characters of the answer that is used, the corrected one if any.", ge=0
    )
    tag: str | None = option(None, label="Tag", help="Only interactions with this tag.", min_length=1)
    model: str | None = option(None, label="Model", help="Only answers of this model.", min_length=1)
    reasoning_mode: str | None = option(
        None, label="Reasoning mode", help="Only answers given in this mode.", min_length=1
    )
    date_from: date | None = option(None, label="From", help="The first day (UTC), as in 2026-01-31.")
    date_to: date | None = option(None, label="To", help="The last day (UTC), itself included.")
    only_edited: bool = option(False, label="Only corrected", help="Only answers that a person corrected.")

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.min_length is not None and self.max_length is not None and self.max_length < self.min_length:
            raise ValueError(f"max_length {self.max_length} is less than min_length {self.min_length}")
        if self.date_from is not None and self.date_to is not None and self.date_to < self.date_from:
            raise ValueError(f"date_to {self.date_to} is before date_from {self.date_from}")
        return self


def check_prompt(prompt: Any) -> None:
    """Raise BadInput unless it is a list of messages with something in it."""
    usable = isinstance(prompt, list) and bool(prompt)
    if not usable or not all(isinstance(message, dict) and isinstance(message.get("role"), str) for message in prompt):
        raise BadInput(
            "This interaction has no prompt.",
            "A prompt is a list of at least one message with a role and a content.",
            'Give all messages before the answer, as in [{"role": "user", "content": "…"}].',
        )


def check_rating(rating: int | None) -> None:
    """Raise BadInput unless it is on the scale."""
    if rating is not None and not (isinstance(rating, int) and WORST <= rating <= BEST):
        raise BadInput(
            f"{rating!r} is no rating.",
            f"Ratings go from {WORST} to {BEST}.",
            f"Give {THUMB_DOWN} for a thumb down and {THUMB_UP} for a thumb up.",
        )
