"""TeacherSpec: a model that writes or judges rows, where it is, and what it costs."""

from __future__ import annotations

import re
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from jobs.spec import Spec, option

TeacherKind = Literal["ollama", "openai", "embedded"]
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


class TeacherSpec(Spec):
    """A model that is asked over HTTP, or the embedded one."""

    model: str = option(
        label="Model",
        help="`ollama:NAME` for a model of Ollama, `openai:NAME` for one at any OpenAI-compatible address, or "
        "`embedded` for the small model that comes with Hearth (good for trying out, not for real rows).",
        depth="essential",
    )
    name: str | None = option(
        None,
        label="Name",
        help="What rows and reports call this teacher; the model's name unless given.",
        min_length=1,
        max_length=80,
    )
    base_url: str | None = option(
        None,
        label="Address",
        help="Where the endpoint is, such as https://api.example.com/v1. Needed for `openai:`; for `ollama:` the "
        "environment's OLLAMA_HOST, else this machine, unless given.",
        depth="essential",
    )
    api_key_variable: str | None = option(
        None,
        label="Variable with the key",
        help="The NAME of the environment variable that holds the key, such as OPENAI_API_KEY; never the key itself.",
    )
    weight: float = option(
        1.0,
        label="Share",
        help="The teacher's share of the rows, relative to the others'. 0: it writes none and only judges.",
        ge=0,
        le=1000,
    )
    temperature: float | None = option(
        0.8, label="Temperature", help="Higher gives more variety. Empty leaves it to the endpoint.", ge=0, le=2
    )
    max_tokens: int | None = option(
        1024,
        label="Longest answer",
        help="In tokens. Empty leaves it to the endpoint, which a limit of cost does not allow.",
        ge=16,
        le=131_072,
    )
    price_in: float | None = option(
        None, label="Price of input", help="Per million tokens, in the currency of your choice.", ge=0
    )
    price_out: float | None = option(None, label="Price of output", help="Per million tokens.", ge=0)
    concurrency: int = option(
        4, label="Requests at once", help="At most so many requests are under way with this teacher.", ge=1, le=256
    )
    context_length: int = option(
        4096,
        label="Context length",
        help="For `ollama:` and `embedded`: tokens of prompt and answer together that the model is loaded for.",
        ge=512,
        le=1_048_576,
    )
    structured: bool = option(
        True,
        label="Hold to the schema",
        help="Ask the endpoint to follow a JSON schema while it writes. Turn it off for one that refuses that; "
        "answers are checked either way.",
        depth="everything",
    )
    stream: bool = option(
        False,
        label="Stream answers",
        help="Receive answers piece by piece, for endpoints behind a proxy that ends silent connections.",
        depth="everything",
    )
    extra_body: dict[str, Any] = option(
        dict,
        label="Further fields",
        help="Added to the body of every request as they are, such as `reasoning_effort: low`.",
        depth="everything",
    )

    @property
    def kind(self) -> TeacherKind:
        return "embedded" if self.model == "embedded" else "ollama" if self.model.startswith("ollama:") else "openai"

    @property
    def model_name(self) -> str:
        """The model as its endpoint calls it."""
        return self.model.partition(":")[2] or self.model

    @property
    def title(self) -> str:
        return self.name or self.model_name

    @property
    def free(self) -> bool:
        """Whether it runs on a machine of one's own, at no price unless one is given."""
        return self.kind != "openai"

    @property
    def priced(self) -> bool:
        """Whether it is known what a call costs."""
        return self.free or (self.price_in is not None and self.price_out is not None)

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """What so many tokens cost, None where the prices aren't known."""
        if not self.priced:
            return None
        return (tokens_in * (self.price_in or 0.0) + tokens_out * (self.price_out or 0.0)) / 1e6

    @field_validator("model")
    @classmethod
    def _known_kind(cls, model: str) -> str:
        if model != "embedded" and not re.fullmatch(r"(ollama|openai):\S+", model):
            raise ValueError("write `ollama:NAME`, `openai:NAME` or `embedded`")
        return model

    @model_validator(mode="before")
    @classmethod
    def _no_secrets(cls, values: Any) -> Any:
        """Checked on the whole, so that a key that was written by mistake isn't repeated in the error."""
        if isinstance(values, dict):
            variable = values.get("api_key_variable")
            if variable is not None and not (isinstance(variable, str) and VARIABLE.fullmatch(variable)):
                raise ValueError(
                    "api_key_variable takes the name of an environment variable in capitals, such as OPENAI_API_KEY, "
                    "never the key (what was given is not shown here)"
                )
            if isinstance(values.get("base_url"), str) and re.search(r"[?@]", values["base_url"]):
                raise ValueError("base_url must hold no password, key or query; use api_key_variable for the key")
        return values

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.kind == "openai" and self.base_url is None:
            raise ValueError("`openai:` needs base_url, the address of the endpoint")
        if self.kind == "embedded" and self.base_url is not None:
            raise ValueError("`embedded` has no base_url: it runs in the job itself")
        if self.base_url is not None:
            _require_address(self.base_url)
        return self


def _require_address(address: str) -> None:
    parts = urlsplit(address)
    try:
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        port_is_right = False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        raise ValueError("base_url is no address; write one such as https://api.example.com/v1")
