"""ExperimentSpec: which served models are compared, who gets which, what they are judged by, when one is stopped."""

from __future__ import annotations

import secrets
from typing import Literal, Self

from pydantic import model_validator

from jobs.spec import Spec, option

OutcomeName = Literal["rating", "edited", "success", "latency", "length"]
Unit = Literal["user", "conversation"]


class Arm(Spec):
    """One of the models that are compared."""

    model: str = option(label="Model", help="The name that it is served under.", min_length=1, depth="essential")
    percentage: float = option(
        label="Percentage", help="Of all users; those of all arms make 100.", ge=1, le=99, depth="essential"
    )
    name: str = option("", label="Name", help="Of the arm in results. Default: its model's name.")

    @property
    def label(self) -> str:
        return self.name or self.model


class Guardrails(Spec):
    """When an arm is stopped, so that its users get the control's model. Noise alone seldom does it, see `alpha`."""

    most_error_rate: float | None = option(
        0.1, label="Most errors", help="Stop an arm that fails on a larger share of a user's requests.", gt=0, lt=1
    )
    most_latency_times: float | None = option(
        2.0, label="Most latency", help="Stop an arm that takes more than so many times as long as control.", gt=1, le=7
    )
    least_answers: int = option(
        20, label="Answers before it acts", help="Of the arm, right or failed.", ge=1, le=1_000_000
    )


class ExperimentSpec(Spec):
    """A comparison of served models on the people who use them, which may be looked at as often as one likes."""

    name: str = option(
        label="Name",
        help="Small letters, digits, . _ and -.",
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        depth="essential",
    )
    arms: tuple[Arm, ...] = option(
        label="Arms",
        help="The models and what share of users each gets.",
        min_length=2,
        max_length=10,
        depth="essential",
    )
    outcome: OutcomeName = option(
        "success",
        label="Judged by",
        help="rating: 1 to 5, higher is better. success: whether the task was done, higher is better. edited: how many "
        "answers had to be corrected, fewer is better. latency: seconds until the answer was complete, less is better. "
        "length: tokens of the answer, fewer is better.",
        depth="essential",
    )
    control: str | None = option(
        None, label="Control", help="The arm that the others are compared with. Default: the first."
    )
    unit: Unit = option(
        "user",
        label="Kept together",
        help="user: a user always gets the same arm; without a user id, a conversation does. conversation: each "
        "conversation gets an arm of its own, for servers with few users. Requests with neither get the control's "
        "model and are not counted.",
    )
    window_hours: float = option(
        1.0,
        label="Hours that count",
        help="What a user does in so many hours from their first request counts, as one figure per user; results "
        "hold those whose hours, and ten minutes more, are over.",
        gt=0,
        le=720,
    )
    alpha: float = option(
        0.05,
        label="False alarms",
        help="At most this share of experiments without a difference ever shows one, however often they are looked at; "
        "also of arms within the guardrails that are ever stopped.",
        gt=0,
        lt=0.5,
    )
    guardrails: Guardrails = option(Guardrails, label="Guardrails", help="When an arm is stopped.")
    salt: str = option(
        lambda: secrets.token_hex(16),
        label="Salt",
        help="Decides who gets which arm. Random for every experiment, so that they are independent.",
        min_length=1,
        max_length=200,
        depth="everything",
    )

    @model_validator(mode="after")
    def _arms_can_be_told_apart(self) -> Self:
        names = [arm.label for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two arms are called {', '.join(twice)}; give them a `name` each")
        if self.control is not None and self.control not in names:
            raise ValueError(f"control {self.control!r} is no arm; there are {', '.join(names)}")
        total = sum(arm.percentage for arm in self.arms)
        if abs(total - 100) > 1e-6:
            raise ValueError(f"the arms' percentages make {total:g}, not 100")
        return self

    @property
    def control_arm(self) -> Arm:
        return self.arm(self.control or self.arms[0].label)

    def arm(self, label: str) -> Arm:
        """The arm of that name, which has to be one."""
        return next(arm for arm in self.arms if arm.label == label)

    @property
    def others(self) -> list[str]:
        """The names of all arms but control."""
        return [arm.label for arm in self.arms if arm is not self.control_arm]

    @property
    def shares(self) -> dict[str, float]:
        """Percentage by arm."""
        return {arm.label: arm.percentage for arm in self.arms}
