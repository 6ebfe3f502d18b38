"""EvaluateSpec: what a comparison of models is described by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from evaluation.metrics.registry import METRICS, help_text
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

if TYPE_CHECKING:
    MetricName = str
else:
    MetricName = Literal[tuple(METRICS)]

# Built-in tasks that ask about a dataset's rows; any other may bring questions of its own.
ASKS_DATA = ("exact_match", "perplexity")


class EvaluateSpec(Spec):
    """Models, the questions they are asked, and how the answers are compared."""

    models: tuple[str, ...] = option(
        label="Models",
        help="The first is the reference, usually the untrained base; every other one is compared with it. "
        "embedded, a folder, a Hub id, job:<id> or adapter:<folder>; a .gguf file, ollama:<name> and "
        "https://…/v1#<name> are asked as they are (their perplexity can't be had).",
        depth="essential",
        min_length=1,
    )
    data: str = option(
        "",
        label="Dataset",
        help="A dataset's name, or name@version; its eval part, which training never saw, is used. "
        "Empty for a task with questions of its own, such as general.",
        depth="essential",
    )
    task: str = option(
        "exact_match",
        label="Task",
        help="What is asked and what counts as right: exact_match, perplexity, general (a small check of general "
        "abilities), snake, lm_eval:<name>, a Python file, one of the workspace's tasks by its name, or a module.",
        depth="essential",
        min_length=1,
    )
    max_items: int | None = option(
        200,
        label="Questions",
        help="At most this many, drawn with the seed; empty for all. More questions give a narrower interval.",
        depth="essential",
        ge=1,
    )
    metrics: tuple[MetricName, ...] = option(
        (),
        label="Also measure",
        help=f"Measured besides the task's own score. {help_text()}.",
    )
    samples: int = option(
        1,
        label="Answers per question",
        help="Several are drawn (the temperature must be above 0); the commonest counts as the answer.",
        depth="everything",
        ge=1,
        le=100,
    )
    max_new_tokens: int = option(64, label="Longest answer", help="In tokens.", ge=1, le=32768)
    batch_size: int = option(
        16, label="Batch", help="Questions answered together; fewer need less memory.", ge=1, le=1024
    )
    temperature: float = option(
        0.0, label="Temperature", help="0 gives the likeliest answer each time.", depth="everything", ge=0, le=5
    )
    top_p: float = option(
        1.0,
        label="Top p",
        help="Sample from the likeliest tokens that together reach this.",
        depth="everything",
        gt=0,
        le=1,
    )
    games: int = option(
        8, label="Games", help="Whole games per model, where the task can play; 0 for none.", ge=0, le=1000
    )
    game_steps: int = option(200, label="Turns per game", help="A game ends after this many turns.", ge=1, le=100_000)
    seed: int = option(
        0, label="Seed", help="Fixes which questions are drawn, and any sampling.", depth="everything", ge=0
    )
    confidence: float = option(0.95, label="Confidence", help="Of the intervals.", depth="everything", ge=0.5, le=0.999)
    smallest_gap: float = option(
        0.03,
        label="Smallest difference worth knowing",
        help="0.03 is 3 points of 100. Used to say how many more questions would settle it.",
        depth="everything",
        gt=0,
    )
    lenient_untrained: bool = option(
        True,
        label="Score untrained models leniently",
        help="An untrained model does not know the form of answer; it gets the task's lenient score, if there is one.",
        depth="everything",
    )
    precision: Precision = precision_option()
    quantisation: Quantisation = quantisation_option()

    context_length: int = option(
        4096,
        label="Context",
        help="In tokens, prompt and answer together, for GGUF files and Ollama's models; the longest text whose "
        "perplexity is measured in one piece, where the model itself reads that far.",
        depth="everything",
        ge=16,
        le=1_048_576,
    )
    stride: int | None = option(
        None,
        label="Stride",
        help="Perplexity of longer texts is measured in windows that begin this many tokens after one another; "
        "empty for half the context.",
        depth="everything",
        ge=1,
    )
    key_variable: str | None = key_variable_option()
    concurrency: int = concurrency_option()
    tries: int = option(
        4, label="Tries", help="Of a request to an endpoint before it is given up.", depth="everything", ge=1, le=20
    )
    answer_seconds: float = option(
        300.0, label="Longest wait", help="Seconds for one answer of an endpoint.", depth="everything", gt=0, le=86_400
    )

    @model_validator(mode="before")
    @classmethod
    def _no_key(cls, values: Any) -> Any:
        return without_key(values)

    @model_validator(mode="after")
    def _questions_from_somewhere(self) -> Self:
        if not self.data and self.task in ASKS_DATA:
            raise ValueError(f"data: is required, the task {self.task} asks about a dataset's rows")
        return self

    @model_validator(mode="after")
    def _samples_that_differ(self) -> Self:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("samples: at temperature 0 all answers to a question are the same; raise the temperature")
        if "self_consistency" in self.metrics and self.samples == 1:
            raise ValueError("metrics: self_consistency needs several answers per question; raise samples")
        return self

    @model_validator(mode="after")
    def _stride_within_context(self) -> Self:
        if self.stride is not None and self.stride >= self.context_length:
            raise ValueError("stride: has to be smaller than context_length")
        return self

    @model_validator(mode="after")
    def _no_model_twice(self) -> Self:
        if len(set(self.models)) < len(self.models):
            raise ValueError("a model is listed twice")
        return self
