"""The shapes of teachers' answers: as JSON schemas they go with the request, as models they check what comes back."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from models.endpoints.client import whole_characters


def _said(text: str) -> str:
    text = whole_characters(text).strip()
    if not text:
        raise ValueError("is empty")
    return text


Text = Annotated[str, AfterValidator(_said)]
Listed = TypeVar("Listed", bound=BaseModel)


class Shape(BaseModel):
    """Keys besides those asked for are passed over when an answer is read, and not allowed by its schema."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})


class Pair(Shape):
    question: Text
    answer: Text


class Pairs(Shape):
    pairs: list[Pair]


class Instruction(Shape):
    instruction: Text
    answer: Text


class Reasoned(Shape):
    reasoning: Text
    answer: Text


class Turn(Shape):
    user: Text
    assistant: Text


class Conversation(Shape):
    turns: list[Turn]


class Score(Shape):
    reason: str
    score: int = Field(ge=1, le=10)


def pairs_up_to(most: int) -> type[Pairs]:
    """Pairs, at least one and at most so many."""
    return _with_list(Pairs, "pairs", Pair, 1, most)


def conversation_of(turns: int) -> type[Conversation]:
    """A conversation of exactly so many exchanges."""
    return _with_list(Conversation, "turns", Turn, turns, turns)


def _with_list(base: type[Listed], name: str, of: Any, least: int, most: int) -> type[Listed]:
    fields: dict[str, Any] = {name: (Annotated[list[of], Field(min_length=least, max_length=most)], ...)}
    return create_model(base.__name__, __base__=base, **fields)
