"""Requests and answers in OpenAI's shapes, as far as models here can do what they ask.

The interface: https://platform.openai.com/docs/api-reference/chat/create and …/completions/create. Parameters that
would change an answer and can't be honoured are refused rather than passed over; those that ask for nothing are taken.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

LONGEST_TEXT = 4_000_000
MOST_MESSAGES = 2048
MOST_CHOICES = 8

Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
ShortText = Annotated[str, Field(max_length=200)]


class Incoming(BaseModel):
    """What a client sends: options that nobody here knows are passed over, as OpenAI's own server does."""

    model_config = ConfigDict(extra="ignore")


class ContentPart(Incoming):
    """One part of a message's content; text is all that models here read."""

    type: Literal["text"]
    text: Text


class FunctionCall(Incoming):
    """What an assistant's turn called."""

    name: ShortText
    arguments: Text = "{}"


class ToolCall(Incoming):
    """A call in an assistant's turn."""

    id: ShortText = ""
    type: Literal["function"] = "function"
    function: FunctionCall


class ChatMessage(Incoming):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | list[ContentPart] | None = None
    name: ShortText | None = None
    tool_calls: list[ToolCall] | None = Field(default=None, max_length=64)
    tool_call_id: ShortText | None = None

    def plain(self) -> dict[str, Any]:
        """The turn as templates want it: text content, `system` for `developer`."""
        parts = self.content
        content = "".join(part.text for part in parts) if isinstance(parts, list) else parts or ""
        message: dict[str, Any] = {"role": "system" if self.role == "developer" else self.role, "content": content}
        if self.tool_calls:
            message["tool_calls"] = [call.model_dump() for call in self.tool_calls]
        if self.tool_call_id:
            message["tool_call_id"] = self.tool_call_id
        return message


class JsonSchema(Incoming):
    """A JSON schema that the answer has to follow."""

    name: ShortText = "answer"
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")


class ResponseFormat(Incoming):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> ResponseFormat:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("response_format of type json_schema needs json_schema.schema")
        return self

    def schema(self) -> dict[str, Any] | None:  # type: ignore[override]
        """The schema to follow, None for free text."""
        if self.type == "json_object":
            return {"type": "object"}
        return self.json_schema.schema_ if self.type == "json_schema" and self.json_schema else None


class StreamOptions(Incoming):
    """Whether the last event of a stream tells the tokens."""

    include_usage: bool = False


class Sampled(Incoming):
    """What both kinds of request have."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    seed: int | None = Field(default=None, ge=-(2**63), le=2**63 - 1)
    stop: (
        Annotated[str, Field(max_length=500)]
        | Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=4)]
        | None
    ) = None
    n: int | None = Field(default=None, ge=1, le=MOST_CHOICES)
    user: ShortText | None = None
    metadata: dict[ShortText, Annotated[str, Field(max_length=512)]] | None = Field(
        default=None, description="Hearth reads tag, reasoning_mode and conversation from it.", max_length=16
    )
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None

    @model_validator(mode="after")
    def _can_be_honoured(self) -> Sampled:
        given = [name for name in ("frequency_penalty", "presence_penalty", "logit_bias") if getattr(self, name)]
        if given:
            raise ValueError(f"{', '.join(given)} can't be honoured here; leave it out")
        return self

    def stops(self) -> tuple[str, ...]:
        texts = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(text for text in texts if text)


class FunctionDefinition(Incoming):
    """What a tool is, as templates show it to the model."""

    model_config = ConfigDict(extra="allow")
    name: ShortText


class Tool(Incoming):
    """A tool that the model may call."""

    type: Literal["function"] = "function"
    function: FunctionDefinition


class ChatRequest(Sampled):
    """POST /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    tools: list[Tool] | None = Field(default=None, max_length=128)
    tool_choice: Literal["auto", "none"] | None = None
    response_format: ResponseFormat | None = None
    logprobs: bool | None = None

    @model_validator(mode="after")
    def _no_logprobs(self) -> ChatRequest:
        if self.logprobs:
            raise ValueError("logprobs can't be given here; leave it out")
        return self


class CompletionRequest(Sampled):
    """POST /v1/completions: texts to go on with."""

    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_CHOICES)]
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None
    logprobs: int | None = None

    @model_validator(mode="after")
    def _only_what_can_be_done(self) -> CompletionRequest:
        given = [name for name in ("echo", "suffix", "logprobs") if getattr(self, name)]
        given += ["best_of"] if (self.best_of or 1) > 1 else []
        if given:
            raise ValueError(f"{', '.join(given)} can't be honoured here; leave it out")
        return self

    def prompts(self) -> list[str]:
        return [self.prompt] if isinstance(self.prompt, str) else list(self.prompt)


class Feedback(Incoming):
    """POST /v1/feedback, Hearth's own: what a person thought of an answer. `id` is the answer's."""

    id: ShortText
    rating: int | None = Field(default=None, ge=1, le=5)
    edit: Text | None = Field(default=None, description="The answer as it should have been.")
    comment: Text | None = None
    success: bool | None = Field(default=None, description="Whether what it was asked for came of it.")

    @model_validator(mode="after")
    def _says_something(self) -> Feedback:
        if self.rating is None and self.edit is None and self.comment is None and self.success is None:
            raise ValueError("give a rating, an edit, a comment or success")
        return self


class ApiError(BaseModel):
    """What went wrong, in OpenAI's shape."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorAnswer(BaseModel):
    """The body of every answer that is none."""

    error: ApiError


class Model(BaseModel):
    """A served model."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(default_factory=lambda: int(time.time()))
    owned_by: str = "hearth"


class ModelList(BaseModel):
    """GET /v1/models."""

    object: Literal["list"] = "list"
    data: list[Model]


class Health(BaseModel):
    """GET /health."""

    status: Literal["ok", "opening", "resting", "draining"]
    models: list[str]
    running: int
    waiting: int


class Accepted(BaseModel):
    """What was done with feedback."""

    id: str
    kept: list[str] = Field(description="What of it could be kept.")
