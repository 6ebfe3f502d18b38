"""ChatSpec and ChatRequest: which models a chat holds, and what each of them is asked."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from jobs.spec import Spec, option
from models.backends import Quantisation
from models.option_fields import key_variable_option, precision_option, quantisation_option, without_key
from models.precision import Precision

MOST_MODELS = 4


class Sampling(Spec):
    """How one side answers."""

    max_new_tokens: int = option(256, label="Longest answer", help="In tokens.", ge=1, le=32768)
    temperature: float = option(
        0.0, label="Temperature", help="0 gives the likeliest answer each time; 1 varies freely.", ge=0, le=5
    )
    top_p: float = option(
        1.0, label="Top p", help="Sample from the likeliest tokens that together reach this.", gt=0, le=1
    )
    seed: int = option(0, label="Seed", help="The same seed gives the same answer.", ge=0, le=2**31 - 1)


class ChatMessage(Spec):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"] = option(label="Role", help="Who speaks.")
    content: str = option(label="Text", help="What is said.")


class VoiceAsk(Spec):
    """What one model of the chat is asked: its own history and its own sampling."""

    voice: int = option(label="Model", help="Its place in the chat's list of models, from 0.", ge=0, lt=MOST_MODELS)
    messages: tuple[ChatMessage, ...] = option(label="Conversation", help="All turns so far.", min_length=1)
    sampling: Sampling = option(Sampling, label="Sampling", help="How it answers.")


class ChatRequest(Spec):
    """One question to a running chat job, put to one or several of its models."""

    asks: tuple[VoiceAsk, ...] = option(label="Who is asked what", help="At most once each model.", min_length=1)

    @model_validator(mode="after")
    def _nobody_twice(self) -> Self:
        if len({ask.voice for ask in self.asks}) < len(self.asks):
            raise ValueError("a model is asked twice in one request")
        return self


class ChatSpec(Spec):
    """Models that answer side by side until the chat is closed."""

    models: tuple[str, ...] = option(
        label="Models",
        help=f"One to {MOST_MODELS}: embedded, a folder, a Hub id, job:<id>, adapter:<folder>, a .gguf file, "
        "ollama:<name>, or an endpoint's model as https://host/v1#name. Adapters of one base share its memory.",
        depth="essential",
        min_length=1,
        max_length=MOST_MODELS,
    )
    idle_minutes: float = option(
        30.0, label="Close after", help="Minutes without a message after which the memory is freed.", gt=0, le=1440
    )
    context_length: int = option(
        4096,
        label="Context length",
        help="For GGUF files and Ollama: tokens of prompt and answer together that the model is loaded for.",
        ge=512,
        le=1_048_576,
    )
    key_variable: str | None = key_variable_option()
    precision: Precision = precision_option()
    quantisation: Quantisation = quantisation_option()

    @model_validator(mode="before")
    @classmethod
    def _no_key(cls, values: Any) -> Any:
        return without_key(values)

    @model_validator(mode="after")
    def _no_model_twice(self) -> Self:
        if len(set(self.models)) < len(self.models):
            raise ValueError("a model is listed twice")
        return self
