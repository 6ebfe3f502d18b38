"""EvaluateSpec and ChatSpec: what a comparison and a chat are described by."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from jobs.spec import Spec, option
from models.backends import Quantisation
from models.precision import Precision

Metric = Literal["exact_match", "perplexity"]
Side = Literal["base", "tuned"]


class EvaluateSpec(Spec):
    """Models, the questions they are asked, and how the answers are compared."""

    models: tuple[str, ...] = option(
        label="Models",
        help="The first is the reference, usually the untrained base; every other one is compared with it. "
        "embedded, a folder, a Hub id, job:<id> or adapter:<folder>.",
        depth="essential",
        min_length=1,
    )
    data: str = option(
        label="Dataset",
        help="A dataset's name, or name@version; its eval part, which training never saw, is used.",
        depth="essential",
        min_length=1,
    )
    task: str = option(
        "exact_match",
        label="Task",
        help="What is asked and what counts as right: exact_match, perplexity, a Python file, "
        "or a module such as recipes.snake.task.",
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
    metrics: tuple[Metric, ...] = option(
        (),
        label="Also measure",
        help="Measured besides the task's own score: exact_match, perplexity.",
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
    precision: Precision = option(
        "auto", label="Precision", help="auto: bf16 or fp16 where the hardware has it, else fp32.", depth="everything"
    )
    quantisation: Quantisation = option(
        "none",
        label="Load models in",
        help="4bit and 8bit need less memory and change the answers a little.",
        depth="everything",
    )

    @model_validator(mode="after")
    def _no_model_twice(self) -> Self:
        if len(set(self.models)) < len(self.models):
            raise ValueError("a model is listed twice")
        return self


class ChatMessage(Spec):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"] = option(label="Role", help="Who speaks.")
    content: str = option(label="Text", help="What is said.")


class ChatRequest(Spec):
    """One question to a running chat job: the conversation so far, and who shall answer."""

    messages: tuple[ChatMessage, ...] = option(label="Conversation", help="All turns so far.", min_length=1)
    sides: tuple[Side, ...] = option(("base", "tuned"), label="Who answers", help="base, tuned, or both.", min_length=1)
    max_new_tokens: int = option(256, label="Longest answer", help="In tokens.", ge=1, le=32768)
    temperature: float = option(
        0.0, label="Temperature", help="0 gives the likeliest answer each time; 1 varies freely.", ge=0, le=5
    )
    top_p: float = option(
        1.0, label="Top p", help="Sample from the likeliest tokens that together reach this.", gt=0, le=1
    )
    seed: int = option(0, label="Seed", help="The same seed gives the same answer.", ge=0)


class ChatSpec(Spec):
    """A side-by-side chat with a tuned model and its base."""

    model: str = option(
        label="Tuned model",
        help="job:<id> or adapter:<folder>; its base answers beside it. Any other model answers alone.",
        depth="essential",
        min_length=1,
    )
    idle_minutes: float = option(
        30.0, label="Close after", help="Minutes without a message after which the memory is freed.", gt=0, le=1440
    )
    precision: Precision = option(
        "auto", label="Precision", help="auto: bf16 or fp16 where the hardware has it, else fp32.", depth="everything"
    )
