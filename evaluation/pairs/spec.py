"""PairsSpec: whose answers become preference pairs, and what says which of two is better."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from datasets_src.interactions import InteractionFilter
from datasets_src.spec import NAME_PATTERN
from evaluation.judge.spec import JudgeSpec
from jobs.spec import Spec, option
from models.backends import Quantisation
from models.option_fields import (
    concurrency_option,
    key_variable_option,
    precision_option,
    quantisation_option,
    without_key,
)
from models.precision import Precision

ScoredBy = Literal["judge", "task", "votes"]


class PairsSpec(Spec):
    """Pairs of a chosen and a rejected answer, built into a dataset that DPO and ORPO learn from."""

    name: str = option(
        label="Dataset to build",
        help="The pairs become a version of the dataset of this name; marked answers one of <name>-marked.",
        depth="essential",
    )
    scored_by: ScoredBy = option(
        label="Scored by",
        help="task: a task's own scorer, which knows the right answer. judge: another model, asked in both orders. "
        "votes: your votes and corrections; nothing is generated.",
        depth="essential",
    )
    data: str | None = option(
        None,
        label="Prompts of",
        help="A dataset's name, or name@version. Not for votes.",
        depth="essential",
        min_length=1,
    )
    part: Literal["train", "eval"] = option(
        "train",
        label="Its part",
        help="train leaves the evaluation part unseen, so that a later verdict on it is worth something.",
    )
    max_prompts: int | None = option(
        200, label="Prompts", help="At most so many, drawn with the seed; empty for all.", depth="essential", ge=1
    )
    model: str | None = option(
        None,
        label="Model that answers",
        help="embedded, a folder, a Hub id, job:<id>, a .gguf file, ollama:<name> or https://host/v1#<name>. Pairs of "
        "the very model that is trained teach it the most. Not for votes.",
        depth="essential",
        min_length=1,
    )
    candidates: int = option(
        4,
        label="Answers per prompt",
        help="The best and the worst make a pair. A pairwise judge compares each with each in both orders: 4 answers "
        "are 12 requests a prompt.",
        ge=2,
        le=64,
    )
    pairs_per_prompt: int = option(1, label="Pairs per prompt", help="At most so many of one prompt.", ge=1, le=64)
    temperature: float = option(
        0.8, label="Temperature", help="Above 0, or all answers to a prompt would be the same.", gt=0, le=5
    )
    top_p: float = option(
        0.95, label="Top p", help="Sample from the likeliest tokens that together reach this.", gt=0, le=1
    )
    max_new_tokens: int = option(128, label="Longest answer", help="In tokens.", ge=1, le=32_768)
    keep_cut: bool = option(
        False,
        label="Keep answers cut short",
        help="Answers that reached the limit of tokens would teach to stop in mid-sentence; they are left out unless "
        "this is on.",
        depth="everything",
    )
    seed: int = option(0, label="Seed", help="Draws the prompts and fixes the sampling.", depth="everything", ge=0)
    task: str | None = option(
        None,
        label="Task",
        help="For `task`: exact_match, a Python file, or a module such as recipes.snake.task; its main score decides.",
        min_length=1,
    )
    min_gap: float = option(
        0.0, label="Smallest gap", help="Answers whose scores differ by no more than this are a tie.", ge=0
    )
    judge: JudgeSpec | None = option(None, label="Judge", help="For `judge`: who judges, and when it is believed.")
    where: InteractionFilter = option(
        InteractionFilter, label="Only those with", help="For `votes`: which votes and corrections are taken."
    )
    singles: bool = option(
        False,
        label="Marked answers too",
        help="Also build <name>-marked: answers marked good or bad one by one, for KTO.",
    )
    eval_fraction: float = option(
        0.1, label="Part kept for evaluation", help="Of the pairs, by groups of prompts.", ge=0, le=0.5
    )
    key_variable: str | None = key_variable_option()
    concurrency: int = concurrency_option()
    context_length: int = option(
        4096,
        label="Context length",
        help="For GGUF files and Ollama: tokens of prompt and answer together.",
        depth="everything",
        ge=512,
        le=1_048_576,
    )
    batch_size: int = option(
        16, label="Batch", help="Answers that a loaded model writes together.", depth="everything", ge=1, le=1024
    )
    precision: Precision = precision_option()
    quantisation: Quantisation = quantisation_option()

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not NAME_PATTERN.fullmatch(f"{name}-marked"):
            raise ValueError("use 1 to 57 lower-case letters, digits, - and _, beginning with a letter or a digit")
        return name

    @model_validator(mode="before")
    @classmethod
    def _no_key(cls, values: Any) -> Any:
        return without_key(values)

    @model_validator(mode="after")
    def _all_that_is_needed(self) -> Self:
        needed = {"judge": ("data", "model", "judge"), "task": ("data", "model", "task"), "votes": ()}[self.scored_by]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"scored_by `{self.scored_by}` needs {', '.join(missing)}")
        others = {"data", "model", "judge", "task"} - set(needed)
        useless = sorted(name for name in others if getattr(self, name) is not None)
        if useless:
            raise ValueError(f"scored_by `{self.scored_by}` has no use for {', '.join(useless)}")
        return self
