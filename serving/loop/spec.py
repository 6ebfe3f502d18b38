"""LoopSpec: the plan by which rated chats make the next version of a registered model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from datasets_src.interactions import InteractionFilter
from datasets_src.spec import NAME_PATTERN, SourceSpec
from jobs.spec import Spec, option
from serving.registry.records import NAME

HOUR = 3600.0
# What the round itself decides on.
OWN_DATA, OWN_TRAINING, OWN_EVALUATION = ("name", "eval_fraction"), ("data",), ("models", "data", "task")


class WhenSpec(Spec):
    """When a round is due: by the clock, by the number of new chats, or whichever comes first."""

    every_hours: float | None = option(
        None,
        label="Hours between rounds",
        help="Since the last one began; 24 is a day, 168 a week. A round without any new chat is left out.",
        depth="essential",
        gt=0,
        le=8784,
    )
    min_new: int | None = option(
        None,
        label="New chats needed",
        help="As soon as there are this many rated or corrected chats that fit and were in no round before.",
        depth="essential",
        ge=1,
    )

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if self.every_hours is None and self.min_new is None:
            raise ValueError("say every_hours, min_new, or both")
        return self


class RegressionSpec(Spec):
    """The fixed questions that a new version may not answer worse than the one in production."""

    data: str = option(
        "",
        label="Dataset",
        help="As name@version, so that it stays the same from round to round; its held-out rows are asked. Empty for a "
        "task with questions of its own.",
        depth="essential",
    )
    task: str = option("exact_match", label="Task", help="As in an evaluation.", depth="essential", min_length=1)
    options: dict[str, Any] = option(
        dict, label="Options", help="Any other option of an evaluation, such as max_items or max_new_tokens."
    )

    @field_validator("data")
    @classmethod
    def _a_version(cls, data: str) -> str:
        if data and not all(data.partition("@")):
            raise ValueError("name a version too, as in support@1a2b3c4d5e6f: the set has to stay the same")
        return data

    @field_validator("options")
    @classmethod
    def _no_own_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        return without_own(options, OWN_EVALUATION)


class LoopSpec(Spec):
    """A plan. One round: choose chats, build, train, compare with production three ways, promote or not."""

    name: str = option(
        label="Name",
        help="Lower-case letters, digits, - and _; the datasets of its rounds are called so.",
        depth="essential",
        max_length=60,
    )
    model: str = option(
        label="Model", help="The registered model to make better, by its name.", depth="essential", min_length=1
    )
    when: WhenSpec = option(label="When", help="When a round is due.", depth="essential")
    interactions: InteractionFilter = option(
        lambda: InteractionFilter(min_rating=4),
        label="Chats",
        help="Which chats are learned from. Without anything said: rated 4 or better, or corrected by a person.",
        depth="essential",
    )
    most_per_user: float = option(
        0.25,
        label="Most of one user",
        help="The largest share of a round's chats that one user can give, so that nobody alone decides what is "
        "learned; chats without a user count as one user's. 1: no limit, for a model that one person uses.",
        gt=0,
        le=1,
    )
    data: dict[str, Any] = option(
        dict,
        label="Dataset",
        help="Options of a dataset for the chats, such as remedies or system_prompt; `sources` are further rows to "
        "train on. Unless on_bad_rows says otherwise, chats that can't be used are left out and listed.",
    )
    held_out: float = option(
        0.25,
        label="Held out",
        help="The share of the new chats that is not trained on: the new version has to answer them better than "
        "production does. Fewer than 20 of them are too few for a verdict.",
        gt=0,
        le=0.5,
    )
    replay: float = option(
        1.0,
        label="Replay",
        help="How often the rows that production was trained on are used again beside the new ones, so that nothing is "
        "forgotten: 0.5 a random half of them, 0 none.",
        ge=0,
        le=100,
    )
    train_from: Literal["base", "production"] = option(
        "base",
        label="Start from",
        help="base: train production's untrained base anew on all rows. production: train its adapter on.",
    )
    train: dict[str, Any] = option(
        dict,
        label="Training",
        help="Options of a training as in its YAML; the dataset is the round's.",
        depth="essential",
    )
    new_task: str = option(
        "exact_match",
        label="Task for new chats",
        help="How answers to the held-out new chats are scored, as in an evaluation.",
        depth="essential",
        min_length=1,
    )
    new_options: dict[str, Any] = option(
        dict, label="Options for new chats", help="Any other option of that evaluation, such as max_new_tokens."
    )
    regression: RegressionSpec = option(
        label="Regression set", help="The fixed questions that decide whether something got worse.", depth="essential"
    )
    general_options: dict[str, Any] = option(
        dict,
        label="Options of the general check",
        help="Any other option of the evaluation of general abilities.",
        depth="everything",
    )
    accept: Literal["better", "not worse"] = option(
        "better",
        label="Accept",
        help="What the verdict on the new chats has to say: better, or no difference shown among enough of them.",
    )
    promote: Literal["by hand", "automatic"] = option(
        "by hand", label="Promotion", help="by hand: a round that passed waits for approval.", depth="essential"
    )
    seed: int = option(0, label="Seed", help="Of the choice of chats.", depth="everything", ge=0, le=2**31 - 1)

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not NAME_PATTERN.fullmatch(name):
            raise ValueError("use lower-case letters, digits, - and _, beginning with a letter or a digit")
        return name

    @field_validator("model")
    @classmethod
    def _registered_name(cls, model: str) -> str:
        if not NAME.fullmatch(model):
            raise ValueError("give the registered name alone, without a version")
        return model

    @field_validator("data")
    @classmethod
    def _no_own_data(cls, data: dict[str, Any]) -> dict[str, Any]:
        return without_own(data, OWN_DATA)

    @field_validator("train")
    @classmethod
    def _no_own_training(cls, train: dict[str, Any]) -> dict[str, Any]:
        return without_own(train, OWN_TRAINING)

    @field_validator("new_options", "general_options")
    @classmethod
    def _no_own_evaluation(cls, options: dict[str, Any]) -> dict[str, Any]:
        return without_own(options, OWN_EVALUATION)

    def with_absolute_paths(self, base: Path) -> Self:
        """The same plan with the files that `data` names found from `base`, for a job that runs elsewhere."""

        def found(path: Any) -> Any:
            is_file = isinstance(path, str) and path and SourceSpec(path=path).is_file
            return str((base / path).resolve()) if is_file else path

        data = dict(self.data)
        for name in ("sources", "contamination"):
            if isinstance(data.get(name), list):
                data[name] = [
                    {**each, "path": found(each["path"])} if isinstance(each, dict) and "path" in each else found(each)
                    for each in data[name]
                ]
        return self.model_copy(update={"data": data})


def without_own(options: dict[str, Any], own: tuple[str, ...]) -> dict[str, Any]:
    """The options. Raises ValueError for one that the round itself decides on."""
    given = [name for name in own if name in options]
    if given:
        raise ValueError(f"leave out {', '.join(given)}: every round decides on that itself")
    return options
